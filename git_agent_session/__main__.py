"""The entry point: `git agent-session …`, `python -m git_agent_session …`.

An agent's hook call and its status line are dispatched before click or pygit2 is imported, and always exit 0.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    if len(sys.argv) > 1 and sys.argv[1] == "hook":
        from git_agent_session.hooks.agent_entry import main as hook

        return hook(sys.argv[2:])
    if sys.argv[1:] == ["status-line"]:
        from git_agent_session.hooks.status_line import main as status_line

        return status_line()
    from git_agent_session.cli.main import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
