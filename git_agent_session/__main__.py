"""The entry point: `git agent-session …`, `python -m git_agent_session …`.

An agent's hook call and its status line are dispatched before click or pygit2 is imported, and always exit 0. `blame`
and `why` are begun before that, so that git is at work meanwhile.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    _fill_streams()
    try:
        return _main()
    except KeyboardInterrupt:
        # while something is loaded: what runs by then sees to itself
        return 0 if sys.argv[1:2] == ["hook"] or sys.argv[1:] == ["status-line"] else 130


def _fill_streams() -> None:
    """Give a standard stream that whoever started us has closed somewhere to lead, as git does."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # the lowest descriptor that is free: its own
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _main() -> int:
    if len(sys.argv) > 1 and sys.argv[1] == "hook":
        from git_agent_session.hooks.agent_entry import main as hook

        return hook(sys.argv[2:])
    if sys.argv[1:] == ["status-line"]:
        from git_agent_session.hooks.status_line import main as status_line

        return status_line()
    if sys.argv[1:2] in (["blame"], ["why"]):
        from git_agent_session.cli.early import main as early

        status = early(sys.argv[1:])
        if status is not None:
            # all is written, and to tear down what was loaded takes longer than to find the answer
            os._exit(status)
    if sys.argv[1:2] == ["push"]:
        return _push()
    from git_agent_session.cli.main import main as command

    return command(sys.argv[1:])


def _push() -> int:
    """Git is started before all else is loaded, where it can be told at once what to send."""
    import os

    from git_agent_session.sync import at_once

    if begun := at_once.begin(sys.argv[2:], os.environ):
        try:
            from git_agent_session.cli.pushed import main as pushed

            status = pushed(begun, sys.argv[2:])
            # all is written, and git has ended: to take the interpreter down would take longer than to print
            os._exit(status)
        finally:
            begun.close()
    from git_agent_session.cli.main import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
