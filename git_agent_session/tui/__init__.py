"""A browser of sessions for the terminal, on Textual: a list that is searched as one types, and all of a session.

`desk` reads, in a thread of its own, and knows no Textual; `app`, `choosing`, `session` and `lines` show. Needs the
extra `[ui]`.
"""

from __future__ import annotations

from git_agent_session import extras


def require() -> None:
    """Raise AgentSessionError with the line that installs what is missing, where the extra `[ui]` is not here."""
    extras.require("ui", "textual")
