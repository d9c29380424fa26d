"""Takes secrets out of text before anything is stored: `redact(text)` and `redact_value(nested)`."""

from __future__ import annotations

from git_agent_session.redact.engine import redact, redact_value

__all__ = ["redact", "redact_value"]
