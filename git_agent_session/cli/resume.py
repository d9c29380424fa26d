"""`resume`: go on with a session: open it again with a brief of it, or in the agent that it is of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option
from git_agent_session.errors import AgentSessionError, SessionState
from git_agent_session.model import ACTIVE, PAUSED

if TYPE_CHECKING:
    from git_agent_session.model import Doc, Session


@click.command()
@id_argument
@session_option
@click.option("--tokens", metavar="N", type=int, help="The brief has at most N tokens, estimated. Default: 2000.")
@click.option("--agent", "--exec", "run", is_flag=True, help="Run the agent's own command that opens it again.")
@click.option("-n", "--dry-run", is_flag=True, help="Reopen and run nothing: print the brief, or the agent's command.")
@json_option
@pass_env
def command(
    env: Env, id: str | None, session: str | None, tokens: int | None, run: bool, dry_run: bool, as_json: bool
) -> None:
    """Go on with a session: reopen it, and print what to know of it.

    The brief is fit to paste into any agent: goal, where it stood, decisions, open tasks, last messages, commits and
    changed files. The session becomes the current one again. --agent runs the command with which the agent that it is
    of opens it itself. Without an ID it is the current session or, where there is none, the last one of this worktree.
    """
    if run and as_json and not dry_run:
        refuse("--agent and --json do not go together", "with --dry-run the command is printed")
    found = env.read(id, session, said=False)
    if run:
        _in_agent(env, found, dry_run, as_json)
        return
    from git_agent_session.work import brief

    # before it is reopened: where it stood is how it was left
    told = brief.of_session(env.store, found.id, budget=brief.DEFAULT_TOKENS if tokens is None else tokens)
    opened = found if dry_run else _reopen(env, found)
    if as_json:
        more = {"brief": told.text, "token_estimate": told.token_estimate}
        env.json({**opened.to_dict(), **more, **_command(env, found)})
    else:
        env.out.write(told.text)
    if not dry_run:
        _warn_of_variable(env, opened.id)


def _in_agent(env: Env, session: Session, dry_run: bool, as_json: bool) -> None:
    argv = command_of(session)
    if argv is None:
        raise SessionState(
            f"session {session.id[:8]} is of no agent that can be resumed",
            hint=f"`git agent-session resume {session.id[:8]}` makes it the current one",
        )
    folder = worktree_of(env, session.id)
    if not dry_run:
        if session.status == PAUSED:
            # by hand, while the agent may still run: only by hand it goes on
            env.store.resume(session.id, activate=False)
        execute(env, argv, folder)
    parts = _parts(env, argv, folder)
    if as_json:
        env.json({"id": session.id, **parts})
    else:
        env.write(str(parts["command"]))


def _command(env: Env, session: Session) -> Doc:
    """The agent's own command for `--json`; nothing where there is none, or none that can be trusted."""
    try:
        argv = command_of(session)
    except AgentSessionError:
        return {}
    return _parts(env, argv, worktree_of(env, session.id)) if argv else {}


def _parts(env: Env, argv: list[str], folder: str | None) -> Doc:
    here = env.store.repo.location.worktree
    elsewhere = folder if folder and not (here and os.path.realpath(here) == os.path.realpath(folder)) else None
    return {"command": shell(argv, elsewhere), "argv": argv, **({"folder": folder} if folder else {})}


def command_of(session: Session) -> list[str] | None:
    """The agent's own command for a session, None where there is none.

    Raises AgentSessionError for an id of the agent's that is no plain word: sessions come from others, and this one
    is given to a shell.
    """
    from git_agent_session.agents import registry
    from git_agent_session.ids import is_event_id

    native_id = session.agent.native_id
    agent = registry.load(session.agent.type) if native_id else None
    resume = getattr(agent, "resume", None)
    if resume is None:
        return None
    if not is_event_id(native_id) or native_id.startswith("-"):
        raise AgentSessionError(
            f"the agent's own id in session {session.id[:8]} is no plain word, so no command is made of it",
            hint=f"`git agent-session show {session.id[:8]}` shows it",
        )
    return [str(word) for word in resume(native_id)]


def worktree_of(env: Env, session_id: str) -> str | None:
    """The worktree to go on in: this one where it has had the session, or none has; else the one that had it."""
    from git_agent_session import live
    from git_agent_session.git.discover import discover

    location = env.store.repo.location
    if session_id in live.recent(location.private):
        return location.worktree
    others = [location.common_dir]
    try:
        linked = os.path.join(location.common_dir, "worktrees")
        others += [os.path.join(linked, name) for name in sorted(os.listdir(linked))]
    except OSError:
        pass  # no other worktrees
    for git_dir in others:
        there = discover(git_dir, {"GIT_DIR": git_dir})
        if there and there.worktree and os.path.isdir(there.worktree) and session_id in live.recent(there.private):
            return there.worktree
    return location.worktree


def shell(argv: list[str], folder: str | None) -> str:
    """A command line to copy: in the words of `sh`, on Windows in those of cmd; first to `folder`, where given."""
    if os.name == "nt":
        import subprocess

        line = subprocess.list2cmdline(argv)
        return f"cd /d {subprocess.list2cmdline([folder])} && {line}" if folder else line
    import shlex

    line = shlex.join(argv)
    return f"cd {shlex.quote(folder)} && {line}" if folder else line


def execute(env: Env, argv: list[str], folder: str | None) -> NoReturn:
    """Become the agent, in `folder`. Raises AgentSessionError where its program cannot be run."""
    import shutil

    program = shutil.which(argv[0], path=env.environ.get("PATH"))
    if program is None:
        raise AgentSessionError(
            f"{argv[0]} is not installed, or not in PATH", hint=f"the command is: {shell(argv, folder)}"
        )
    env.out.flush()
    env.err.flush()
    if os.name == "nt":
        # there a process cannot become another: the shell would go on while the agent runs
        import subprocess

        raise click.exceptions.Exit(subprocess.run([program, *argv[1:]], cwd=folder, check=False).returncode)
    try:
        if folder:
            os.chdir(folder)
        os.execve(program, argv, dict(env.environ))
    except OSError as e:
        raise AgentSessionError(
            f"cannot run {program}: {e.strerror or e}", hint=f"the command is: {shell(argv, folder)}"
        ) from e


def _reopen(env: Env, session: Session) -> Session:
    from git_agent_session import live
    from git_agent_session.store import left_open

    # whoever a crash took it from, it goes on here
    left_open.forget(env.store.shared, session.id)
    here = live.active(env.store.private) == session.id
    if session.status == ACTIVE and live.is_open(env.store.shared, session.id) and here:
        env.say(f"Session {env.describe(session)} is active already")
        return session
    resumed = env.store.resume(session.id)
    env.say(f"Resumed session {env.describe(resumed)}")
    return resumed


def _warn_of_variable(env: Env, session_id: str) -> None:
    from git_agent_session.store.lookup import VARIABLE

    named = env.environ.get(VARIABLE)
    if named and not session_id.startswith(named.lower()):
        env.warn(f"{VARIABLE} names another session, which stays current in this shell; `unset {VARIABLE}` mends that")
