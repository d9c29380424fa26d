"""Commits and documents as `--json` prints them: plain values, safe to send to a terminal, documented in docs/json.md.

The keys are those of `session.toml`, of the events and of links; a row of `commits` or `which` adds what git knows of
the commit. It reads the repository and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session.ids import timestamp
from git_agent_session.model import Doc, Link

Facts = Callable[[str], Mapping[str, object]]

# what JSON lets stand and a terminal would obey: DEL, C1, line separators, bidi overrides; and lone surrogates
_ESCAPED = "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


def dump(value: Any, *, ascii_only: bool = False, indent: int | None = 2) -> str:
    """`value` as JSON, a line end added; `ascii_only` for a stream that is not UTF-8, `indent` None for one line."""
    import json
    import re

    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=str)
    return re.sub(_ESCAPED, lambda m: f"\\u{ord(m[0]):04x}", text) + "\n"


@dataclass(frozen=True, slots=True)
class CommitRow:
    """A link and what git knows of its commit: the subject, the author's name, the author date (RFC 3339, UTC)."""

    session: str
    link: Link
    subject: str = ""
    author: str = ""
    date: str = ""

    def to_dict(self) -> Doc:
        """The keys of the link, and `session`, `subject`, `author`, `date`, those without a value left out."""
        out: Doc = {"session": self.session, **self.link.to_dict()}
        if not self.link.at:
            del out["at"]
        out.update({k: v for k in ("subject", "author", "date") if (v := getattr(self, k))})
        return out


def commit_row(session_id: str, link: Link, facts: Facts) -> CommitRow:
    """The row for a link; `facts` gives what the repository knows of a commit, nothing when it is gone."""
    known = facts(link.commit)
    at = known.get("authored_at", known.get("at"))
    date = timestamp(at * 1_000_000_000) if isinstance(at, int) else ""
    return CommitRow(session_id, link, str(known.get("subject", "")), str(known.get("author", "")), date)
