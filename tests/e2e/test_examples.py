"""The examples run as they stand."""

from __future__ import annotations

import sys

from tests.harness import ROOT, Repo


def test_examples_run_one_after_the_other(repo: Repo) -> None:
    repo.commit("root", files={"f": "1\n"})
    said = {}
    for name in ("record_a_session", "who_wrote_this", "sessions_of_the_week"):
        done = repo.run(sys.executable, str(ROOT / "examples" / f"{name}.py"), check=True)
        assert done.stderr == ""
        said[name] = done.stdout
    assert "completed, 1 commit(s), 7 events" in said["record_a_session"]
    assert "my-agent (via manual): Implement user authentication" in said["who_wrote_this"]
    assert "15000  Implement user authentication" in said["sessions_of_the_week"]
    assert len(list((ROOT / "examples").glob("*.py"))) == len(said)
