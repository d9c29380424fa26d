"""What the sessions of the last seven days did, as a table on standard output.

python examples/sessions_of_the_week.py [REPOSITORY]
"""

from __future__ import annotations

import sys
import time

import git_agent_session
from git_agent_session import Filter
from git_agent_session.ids import timestamp


def main(path: str | None = None) -> None:
    """Print id, status, commits, tokens and goal of each session."""
    store = git_agent_session.open(path)
    week_ago = timestamp(time.time_ns() - 7 * 24 * 3600 * 10**9)
    for session in store.list(Filter(since=week_ago)):
        tokens = session.usage.get("input_tokens", 0) + session.usage.get("output_tokens", 0)
        print(f"{session.id[:8]}  {session.status:<10} {session.counts['commits']:>3}  {tokens:>8.0f}  {session.about}")
    for error in store.broken:
        print(f"left out: {error.line()}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:2])
