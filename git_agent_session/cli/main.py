"""The edge of the command line: runs a command and turns whatever goes wrong into one line and an exit status.

Exit status: 0 done, 1 what a user can mend, 2 a wrong call, 3 a bug (its traceback goes to a file), 130 after ^C, 141
when the reader of the output is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence

import click

from git_agent_session import term
from git_agent_session.cli.commands import PROGRAM, program
from git_agent_session.cli.env import Env
from git_agent_session.errors import AgentSessionError, StorageError, UsageError

COMPLETE = "_GIT_AGENT_SESSION_COMPLETE"
_MAX_LOG = 1024 * 1024


def main(argv: Sequence[str], env: Env | None = None, action: Callable[[], int] | None = None) -> int:
    """Run `git agent-session ARGV` and return the exit status; nothing is raised.

    `action` stands in for the command, where somebody has already begun with it.
    """
    if instruction := os.environ.get(COMPLETE):
        from git_agent_session.cli.completion import complete

        return complete(instruction)
    for stream in (sys.stdout, sys.stderr):
        # a locale without UTF-8 must not turn an accent into a crash; what cannot be written is said below
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    env = env or Env()
    try:
        try:
            return _run(list(argv), env, action)
        finally:
            env.err.flush()
            env.out.flush()
    except (AgentSessionError, OSError, KeyboardInterrupt) as e:
        return ended(e, env, argv)


def ended(error: AgentSessionError | OSError | KeyboardInterrupt, env: Env, argv: Sequence[str]) -> int:
    """Say what ended a command; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    _silence(env)
    if isinstance(error, BrokenPipeError):
        return 141
    return _said(env, argv, _as_storage(error, env) if isinstance(error, OSError) else error)


def _run(argv: list[str], env: Env, action: Callable[[], int] | None) -> int:
    try:
        if action is not None:
            return action()
        status = program.main(argv, prog_name=PROGRAM, standalone_mode=False, obj=env)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as e:
        return e.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as e:
        return _said(env, argv, _as_usage(e))
    except AgentSessionError as e:
        return _said(env, argv, e)
    except SystemExit as e:
        # click's own way to meet a reader that is gone
        raise BrokenPipeError from e
    except OSError:
        raise
    except Exception as e:
        return _bug(env, argv, e)


def _said(env: Env, argv: Sequence[str], error: AgentSessionError) -> int:
    """Print an error, as JSON where the call asked for JSON; returns its exit status."""
    given = list(argv)
    if "--json" in given[: given.index("--") if "--" in given else None]:
        from git_agent_session.report.rows import dump

        env.err.write(dump(error.to_dict(), ascii_only=True, indent=None))
    else:
        env.err.write(f"error: {term.clean(error.line())}\n")
    env.err.flush()
    return error.exit_code


def _as_usage(error: click.ClickException) -> UsageError:
    message = " ".join(error.format_message().split()).rstrip(".")
    message = message[:1].lower() + message[1:]
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = ctx.command_path if ctx is not None else PROGRAM
    return UsageError(message, hint=f"see `{path} {'-h' if path == PROGRAM else '--help'}`")


def _as_storage(error: OSError, env: Env) -> StorageError:
    where = error.filename if isinstance(error.filename, str) else "the output"
    reason = error.strerror or str(error) or type(error).__name__
    missing = isinstance(error, FileNotFoundError)
    hint = "give a name that there is" if missing else "free disk space or make the place readable and writable"
    return StorageError(f"cannot read or write {where}: {reason}", hint=hint)


def _silence(env: Env) -> None:
    """Give up standard output: the interpreter would flush it once more at its end, and complain."""
    if env.out is sys.__stdout__:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())


def _bug(env: Env, argv: Sequence[str], error: Exception) -> int:
    """Keep the traceback in a file and name it; returns 3."""
    what = f"{type(error).__name__}: {error}"
    try:
        place = _write_log(env, argv)
        hint = f"this is a bug, please report it with {place}"
    except OSError:
        hint = "this is a bug, please report it"
    said = AgentSessionError(f"unexpected {what[:300]}", hint=hint)
    said.code = "bug"
    said.exit_code = 3
    return _said(env, argv, said)


def _write_log(env: Env, argv: Sequence[str]) -> str:
    import tempfile
    import traceback

    from git_agent_session.git.discover import discover
    from git_agent_session.ids import timestamp

    location = discover(env.start, env.environ)
    # the command's name alone: what else was typed may be private
    name = argv[0] if argv else ""
    text = f"{timestamp()} {PROGRAM} {name} python {sys.version.split()[0]}\n{traceback.format_exc()}\n"
    data = text.encode("utf-8", "backslashreplace")
    if location is not None and os.path.isdir(location.shared):
        path = os.path.join(location.shared, "error.log")
        with contextlib.suppress(OSError):
            over = os.path.exists(path) and os.path.getsize(path) > _MAX_LOG
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if over else os.O_APPEND)
            with open(os.open(path, flags, 0o600), "wb") as f:
                f.write(data)
            return path
    fd, path = tempfile.mkstemp(prefix="git-agent-session-", suffix=".log")
    with open(fd, "wb") as f:
        f.write(data)
    return path
