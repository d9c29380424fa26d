"""docs/python.md and docs/http.md do not drift: the examples run as they stand, the tables name what there is."""

from __future__ import annotations

import re
import sys

import pytest

from tests.harness import ROOT, Repo

PYTHON = (ROOT / "docs/python.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs/http.md").read_text(encoding="utf-8")


def test_the_examples_of_the_python_api_run_one_after_the_other(repo: Repo) -> None:
    repo.commit("root", files={"f": "1\n"})
    blocks = re.findall(r"^```python\n(.*?)^```", PYTHON, re.M | re.S)
    assert len(blocks) >= 5
    done = repo.run(sys.executable, "-W", "error", "-c", "\n".join(blocks))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "start" in done.stdout and "manual" in done.stdout


def test_the_paths_of_the_api_are_those_that_are_served() -> None:
    pytest.importorskip("starlette")
    from git_agent_session.web import app

    whole = HTTP.split("## The whole API")[1].split("### Lists")[0]
    told = set()
    for row in re.findall(r"^\| (`/.*?) \|", whole, re.M):
        first, *others = re.findall(r"`([^`]+)`", row)
        told.add(first)
        base = first.rpartition("/")[0]
        told |= {other if other.startswith("/") else f"{base}/{other}" for other in others}
    known = {o.path for o in app.operations()}
    assert {f"/api/v1{path}" for path in told} == {path for path in known if path.startswith("/api/v1")}
    small = set(re.findall(r"^\| `(?:GET|POST) (\S+)` \|", HTTP.split("## Running")[0], re.M))
    assert small == {path for path in known if not path.startswith("/api/v1")}
