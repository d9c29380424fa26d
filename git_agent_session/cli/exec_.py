"""`exec`: run a command inside a session; its output and its exit status are ours."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, pass_env, session_option

if TYPE_CHECKING:
    from typing import TextIO

    from git_agent_session.work.execute import Output


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--task", metavar="TASK", type=TEXT, default="", help="The task it is for: started, then done or failed.")
@session_option
@click.option("-v", "--verbose", is_flag=True, help="Say at the end in which session it ran, and the commits it made.")
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@pass_env
def command(env: Env, task: str, session: str | None, verbose: bool, words: tuple[str, ...]) -> None:
    """Run a command inside a session.

    It runs in the current session, or in one that is opened for it and ended with it. GIT_AGENT_SESSION names the
    session to it, so that its commits are linked. What it writes goes through, its exit status is ours (128+n when
    signal n ended it, 127 when there is no such command), and signals go on to it. Recorded are the command, its exit
    status, how long it took, its commits, and the last lines of its output without secrets. Output that goes to a
    terminal is the command's own and not recorded.
    """
    from git_agent_session.work.execute import Execution, Output
    from git_agent_session.work.signals import Forwarding

    if not words:
        refuse("there is no command to run", "give it behind `--`, such as `git agent-session exec -- make test`")
    if env.is_off():
        raise click.exceptions.Exit(_unrecorded(env, words))
    streams = {"stdout": env.out, "stderr": env.err}
    kept = [name for name, stream in streams.items() if _is_own_terminal(stream)]
    execution = Execution(
        env.store,
        words,
        session=session,
        task=task,
        folder=env.start,
        env=env.environ,
        stdin=None,
        inherit=kept,
        own_group=False,
    )
    with Forwarding(execution.send):
        for step in execution:
            if isinstance(step, Output) and not _passed_on(streams[step.stream], step):
                execution.stop_reading()
    ran = execution.result()
    if ran.error:
        env.say(f"error: {ran.error}")
    if verbose:
        made = f", commits {', '.join(c[:10] for c in ran.commits)}" if ran.commits else ""
        env.say(f"session {ran.session[:8]}: exit status {ran.exit} after {ran.seconds:.1f} s{made}")
    raise click.exceptions.Exit(ran.exit)


def _unrecorded(env: Env, words: tuple[str, ...]) -> int:
    """Run the command as it is, where nothing is to be recorded; returns its exit status as a shell has it."""
    import subprocess

    env.out.flush()
    try:
        code = subprocess.run(words, cwd=env.start, env=dict(env.environ), check=False).returncode
    except OSError as e:
        env.say(f"error: {words[0]}: {e.strerror or e}")
        return 127 if isinstance(e, FileNotFoundError) else 126
    return 128 - code if code < 0 else code


def _is_own_terminal(stream: TextIO) -> bool:
    """True for a terminal that a child process can be given."""
    return stream in (sys.__stdout__, sys.__stderr__) and stream.isatty()


def _passed_on(stream: TextIO, output: Output) -> bool:
    """Write on what the command wrote; False when nobody reads it any more."""
    raw: BinaryIO | None = getattr(stream, "buffer", None)
    try:
        if raw is None:
            stream.write(output.data.decode("utf-8", "replace"))
        else:
            raw.write(output.data)
        stream.flush()
    except BrokenPipeError:
        return False
    return True
