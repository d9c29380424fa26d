"""Takes secrets out of text before anything is stored: `redact(text)`, `redact_value(nested)` and `Redactor`.

`configured.redactor(location, session_id)` is the one for a repository, with what git's configuration adds.
"""

from __future__ import annotations

from git_agent_session.redact.engine import Redactor, redact, redact_value

__all__ = ["Redactor", "redact", "redact_value"]
