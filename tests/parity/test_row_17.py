"""Row 17: the phases from initializing to abandoned, the history of the moves, a phase that is none refused."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import UsageError
from git_agent_session.work import workflows
from tests.e2e.cli import Cli
from tests.harness import Repo

PHASES = ("initializing", "investigating", "planning", "approval", "executing", "validating")
FINAL = ("completed", "failed", "abandoned")


def test_row_17_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(store, "investigate", agent="terraform-architect", goal="approval_workflow")
    assert workflows.load(store.repo, "investigate").known() == PHASES + FINAL
    for phase in ("investigating", "approval"):
        work.move_phase(store, session.id, phase)
    with pytest.raises(UsageError, match="no phase 'invalid_phase'"):
        work.move_phase(store, session.id, "invalid_phase")
    moves = work.phase_history(store, session.id)
    assert [m.to_dict() | {"at": ""} for m in moves[1:]] == [
        {"from": "initializing", "to": "investigating", "at": ""},
        {"from": "investigating", "to": "approval", "at": ""},
    ]
    assert all(m.at for m in moves)


@pytest.mark.parametrize("final", FINAL)
def test_row_17_by_command(repo: Repo, final: str) -> None:
    repo.commit("one")
    cli = Cli(repo)
    session = cli.start("--workflow", "investigate")
    for phase in PHASES[1:]:
        cli("phase", phase)
    cli.fails("phase", "invalid_phase", code=2)
    cli("phase", final)
    found = cli("status", session, "--json").json
    assert (found["phase"], found["status"]) == (final, final)
    moves = cli("phase", "--history", "--session", session, "--json").json
    assert [m["to"] for m in moves] == [*PHASES, final]
