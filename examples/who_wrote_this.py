"""For each of the last commits, the sessions behind it and how that is known.

python examples/who_wrote_this.py [REPOSITORY]
"""

from __future__ import annotations

import subprocess
import sys

import git_agent_session


def main(path: str = ".") -> None:
    """Print a line for each commit."""
    store = git_agent_session.open(path)
    commits = subprocess.run(
        ["git", "rev-list", "--max-count=20", "HEAD"], cwd=path, capture_output=True, text=True, check=True
    ).stdout.split()
    for commit in commits:
        found = [
            f"{w.session.id[:8]} {w.session.agent.type} (via {w.link.via}): {w.session.about}"
            for w in store.which(commit)
        ]
        print(commit[:10], "; ".join(found) or "no session")


if __name__ == "__main__":
    main(*sys.argv[1:2])
