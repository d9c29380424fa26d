"""Context snapshots: what an agent should know of a repository before it starts, under a budget of tokens.

`snapshot` looks and returns plain data; storing it with a session is the store's work. Every text in it has been
cleaned of control characters and of secrets.
"""

from __future__ import annotations

from git_agent_session.context.model import Snapshot
from git_agent_session.context.take import MINIMUM_BUDGET, snapshot

__all__ = ["MINIMUM_BUDGET", "Snapshot", "snapshot"]
