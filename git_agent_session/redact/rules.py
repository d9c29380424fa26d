"""The rules as a list to show: their names, their groups, and whether they are used."""

from __future__ import annotations

from dataclasses import dataclass

from git_agent_session.redact.configured import Settings
from git_agent_session.redact.table import RULES


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule's name and group (`user` for one of git's configuration), and whether it is used."""

    name: str
    group: str
    used: bool


def names() -> frozenset[str]:
    """The names of the built-in rules."""
    return frozenset(rule[0] for rule in RULES)


def rules(settings: Settings) -> list[Shown]:
    """The rules in their order, each name once in a group, then the user's."""
    from git_agent_session.redact import user

    found = dict.fromkeys((rule[0], rule[1]) for rule in RULES)
    shown = [Shown(n, g, n not in settings.disable and (settings.pii or g != "pii")) for n, g in found]
    for text in settings.rules:
        try:
            shown.append(Shown(user.rule(text)[0], "user", True))
        except user.Refused:
            shown.append(Shown(text.partition("=")[0].strip()[:40], "user", False))
    return shown
