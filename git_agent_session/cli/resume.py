"""`resume`: go on with a session: by the agent that it is of, or by opening it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option
from git_agent_session.errors import AgentSessionError, SessionState
from git_agent_session.model import PAUSED

if TYPE_CHECKING:
    from git_agent_session.model import Session


@click.command()
@id_argument
@session_option
@click.option("--exec", "run", is_flag=True, help="Run the agent's command instead of printing it.")
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, run: bool, as_json: bool) -> None:
    """Go on with a session, in the agent it is of.

    Of a session that an agent's hooks opened it prints the agent's own command, which opens it again when it runs;
    --exec runs that. One that was paused goes on at once. Any other session, paused or ended, becomes the current one
    again. Without an ID it is the current session or, where there is none, the last one of this worktree.
    """
    if run and as_json:
        refuse("--exec and --json do not go together", "without --exec the command is printed")
    found = env.read(id, session, said=False)
    argv = command_of(found)
    if argv is None:
        if run:
            raise SessionState(
                f"session {found.id[:8]} is of no agent that can be resumed",
                hint=f"`git agent-session resume {found.id[:8]}` makes it the current one",
            )
        _reopen(env, found, as_json)
        return
    if found.status == PAUSED:
        # by hand, while the agent may still run: only by hand it goes on
        env.store.resume(found.id, activate=False)
    folder = worktree_of(env, found.id)
    if run:
        execute(env, argv, folder)
    here = env.store.repo.location.worktree
    elsewhere = folder if folder and not (here and os.path.realpath(here) == os.path.realpath(folder)) else None
    text = shell(argv, elsewhere)
    if as_json:
        env.json({"id": found.id, "command": text, "argv": argv, **({"folder": folder} if folder else {})})
    else:
        env.write(text)


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


def _reopen(env: Env, session: Session, as_json: bool) -> None:
    from git_agent_session.store.lookup import VARIABLE

    resumed = env.store.resume(session.id)
    if as_json:
        env.json(resumed.to_dict())
    else:
        env.write(f"Resumed session {env.describe(resumed)}")
    named = env.environ.get(VARIABLE)
    if named and not resumed.id.startswith(named.lower()):
        env.warn(f"{VARIABLE} names another session, which stays current in this shell; `unset {VARIABLE}` mends that")
