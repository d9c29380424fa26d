"""The workflow files of docs/ci that post the report: their steps run in a real shell, the host's API is a recorder."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.e2e.test_ci_files import Request, document, program

_RECORDER = """#!{python}
import json, os, sys
with open(os.environ["CALLS"], "a") as f:
    body = next((open(a.partition("@")[2]).read() for a in sys.argv if "body" in a and "@" in a), "")
    f.write(json.dumps([sys.argv[1:], body]) + "\\n")
print(os.environ.get("SAYS", "") if not body else "")
"""


class Host:
    """Commands that write down how they were called and say what `says` is to a call without a body."""

    def __init__(self, request: Request, name: str) -> None:
        self.calls = request.runner.path.parent / "calls"
        (request.bin / name).write_text(_RECORDER.format(python=sys.executable))
        (request.bin / name).chmod(0o755)
        program(request.bin / "python", f'exec {sys.executable} "$@"')
        self.env = {"CALLS": str(self.calls)}

    def bodies(self) -> list[tuple[list[str], str]]:
        rows = [json.loads(line) for line in self.calls.read_text().splitlines()]
        return [(args, body) for args, body in rows if body]


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(tmp_path)


def github(request: Request, host: Host, says: str) -> None:
    known = {
        "github.event.pull_request.base.sha": request.base,
        "github.event.pull_request.head.sha": request.head,
        "github.event.pull_request.number": "7",
        "github.token": "token",
    }
    (job,) = document("github-report.yml")["jobs"].values()
    summary = request.runner.path.parent / "summary"
    for step in job["steps"]:
        if "run" in step:
            assert "${{" not in step["run"], "an expression in a script is where others put their own commands"
            env = {k: re.sub(r"\$\{\{ (.*?) \}\}", lambda m: known[m[1]], v) for k, v in step.get("env", {}).items()}
            env |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_REPOSITORY": "o/r", "SAYS": says, **host.env}
            code, said = request.run(["bash", "-e", "-c"], step["run"], env)
            assert code == 0, said
    assert "agent session made 1 of 1 commit" in summary.read_text()


@pytest.mark.parametrize("before", ["", "42"])
def test_on_github_one_comment_is_made_and_then_brought_up_to_date(request_: Request, before: str) -> None:
    request_.share()
    host = Host(request_, "gh")
    github(request_, host, before)
    ((args, body),) = host.bodies()
    assert body.startswith("## Agent sessions\n") and "### limit" in body
    assert ("repos/o/r/issues/comments/42" in args) == bool(before) and ("PATCH" in args) == bool(before)


@pytest.mark.parametrize("before", [[], [{"id": 42, "body": "## Agent sessions\n\nold"}, {"id": 1, "body": "x"}]])
def test_on_gitlab_one_note_is_made_and_then_brought_up_to_date(
    request_: Request, before: list[dict[str, object]]
) -> None:
    request_.share()
    host = Host(request_, "curl")
    job = document("gitlab-report.yml")["agent-report"]
    env = {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": request_.base,
        "CI_COMMIT_SHA": request_.head,
        "REPORT_TOKEN": "t",
        "CI_API_V4_URL": "https://host/api/v4",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "SAYS": json.dumps(before),
        **host.env,
        **job["variables"],
    }
    code, said = request_.run(["sh", "-e", "-c"], "\n".join(job["script"]), env)
    assert code == 0, said
    ((args, body),) = host.bodies()
    assert "### limit" in body and ("PUT" in args) == bool(before)
    assert args[-1].endswith("/merge_requests/7/notes" + ("/42" if before else ""))


def test_a_fork_gets_no_comment_and_the_token_can_do_no_more(request_: Request) -> None:
    workflow = document("github-report.yml")
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    # never with the rights of the base on the code of a fork
    assert set(workflow[True]) == {"pull_request"}
    (job,) = workflow["jobs"].values()
    assert "head.repo.full_name == github.repository" in job["steps"][-1]["if"]
