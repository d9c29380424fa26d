"""Says what the redactor would take out of a text or a value, and never shows it: kinds and at most a masked head."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from git_agent_session.redact.configured import Settings, assemble

# characters of a secret that a report shows, and how long a secret must be for that
_HEAD, _LONG = 4, 16


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret: the rule that finds it, and its first characters, "" for one that is short."""

    rule: str
    head: str


class Scanner:
    """Scans with the rules that `settings` describe; `problems` says which of the user's cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._found: list[Finding] = []
        self._redactor, self.problems = assemble(settings, self._note)

    def text(self, text: str) -> list[Finding]:
        """What is in a text."""
        return self.value(text)

    def value(self, value: Any) -> list[Finding]:
        """What is in a nested value, each finding once."""
        self._found = []
        self._redactor.value(value)
        return list(dict.fromkeys(self._found))

    def lines(self, text: str) -> list[Finding]:
        """What is in lines of JSON; a line that is none is taken as text."""
        found: list[Finding] = []
        for line in text.splitlines():
            try:
                found += self.value(json.loads(line))
            except (ValueError, RecursionError):
                found += self.value(line)
        return list(dict.fromkeys(found))

    def _note(self, kind: str, secret: str) -> str:
        head = secret.strip()[:_HEAD] if len(secret) >= _LONG and secret.strip()[:_HEAD].isalnum() else ""
        self._found.append(Finding(kind, f"{head}…" if head else ""))
        return kind
