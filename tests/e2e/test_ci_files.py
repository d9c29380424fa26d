"""The workflow files in docs/ci: their steps run in a real shell, as the CI systems would run them."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import sync
from tests.harness import ROOT, Repo

yaml = pytest.importorskip("yaml")

CI = ROOT / "docs/ci"
MARK = "Co-Authored-By: Claude <noreply@anthropic.com>"


class Request:
    """A merge request of one commit of an agent's, and the checkout that a runner makes of it."""

    def __init__(self, root: Path) -> None:
        server = Repo.init(root / "server.git", "--bare")
        self.author = Repo.init(root / "author")
        self.author.git("remote", "add", "origin", str(server.path))
        self.base = self.author.commit("base", files={"f": "0\n"})
        self.author.git("checkout", "-q", "-b", "topic")
        self.head = self.author.commit(f"Add a limit\n\n{MARK}", files={"f": "1\n"})
        self.author.git("push", "-q", "origin", "main", "topic")
        self.runner = Repo(root / "runner")
        self.author.git("clone", "-q", str(server.path), str(self.runner.path))
        self.runner.git("checkout", "-q", "--detach", self.head)
        self.bin = root / "bin"
        self.bin.mkdir()
        program(self.bin / "git-agent-session", f'exec {sys.executable} -m git_agent_session "$@"')
        # what it installs is this very tree
        program(self.bin / "pip", '[ "$*" = "install git-agent-session" ]')

    def share(self) -> str:
        """The author's session of that commit, sent to the server."""
        store = git_agent_session.open(str(self.author.path))
        session_id = store.start(goal="limit", agent="claude-code").id
        store.link(session_id, [self.head])
        assert sync.push(store, "origin").ok
        return session_id

    def run(self, shell: list[str], script: str, env: Mapping[str, str]) -> tuple[int, str]:
        path = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        done = self.runner.run(*shell, script, env={**path, **env})
        return done.returncode, done.stdout + done.stderr


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def document(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text())


def github(request: Request) -> tuple[int, str]:
    """Run the steps of the job until one fails; GitHub's shell is `bash -e`."""
    known = {"github.event.pull_request.base.sha": request.base, "github.event.pull_request.head.sha": request.head}
    (job,) = document("github.yml")["jobs"].values()
    said = ""
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        for value in map(str, {**step.get("env", {}), **step.get("with", {})}.values()):
            assert all(name in known for name in re.findall(r"\$\{\{ (.*?) \}\}", value))
        if "run" in step:
            assert "${{" not in step["run"], "an expression in a script is where others put their own commands"
            env = {k: re.sub(r"\$\{\{ (.*?) \}\}", lambda m: known[m[1]], v) for k, v in step.get("env", {}).items()}
            code, out = request.run(["bash", "-e", "-c"], step["run"], env)
            said += out
            if code:
                return code, said
    return 0, said


def gitlab(request: Request) -> tuple[int, str]:
    """Run the lines of the job as one script, as GitLab does."""
    job = document("gitlab.yml")["agent-sessions"]
    env = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": request.base, "CI_COMMIT_SHA": request.head}
    return request.run(["sh", "-e", "-c"], "\n".join(job["script"]), {**env, **job["variables"]})


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(tmp_path)


def test_on_github_a_commit_with_its_session_passes(request_: Request) -> None:
    request_.share()
    code, said = github(request_)
    assert code == 0 and "::error" not in said, said


def test_on_github_a_commit_without_a_session_is_annotated_and_fails(request_: Request) -> None:
    code, said = github(request_)
    assert code == 1 and "::error" in said and request_.head[:10] in said, said


@pytest.mark.parametrize("shared", [True, False])
def test_on_gitlab_the_report_says_which_commit_has_no_session(request_: Request, shared: bool) -> None:
    if shared:
        request_.share()
    code, said = gitlab(request_)
    assert code == (0 if shared else 1), said
    (artifact,) = document("gitlab.yml")["agent-sessions"]["artifacts"]["reports"].values()
    report = json.loads((request_.runner.path / artifact).read_text())
    assert [request_.head[:10] in row["description"] for row in report] == ([] if shared else [True])


def test_both_ask_for_the_whole_history_and_no_right_to_write() -> None:
    workflow = document("github.yml")
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["steps"][0]["with"]["fetch-depth"] == 0
    # YAML 1.1 takes the key `on` for true
    assert set(workflow[True]) == {"pull_request"}
    assert document("gitlab.yml")["agent-sessions"]["variables"]["GIT_DEPTH"] == "0"
