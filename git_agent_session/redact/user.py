"""Rules and exceptions that a user writes in git's configuration: `name=regex`, and values that stay.

A user's pattern may be careless, so it is refused where it could run away (a repeat within a repeat, too many open
ends), and it sees a line at a time, in pieces of a bounded length. Loaded only where there is one.
"""

from __future__ import annotations

import re

from git_agent_session.redact.judge import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

# characters of a line that a pattern sees at once, and how many of them again with the next piece
WINDOW = 1000
_OVERLAP = 200
# a repeat that can take more than this is open-ended
_OPEN = 64
_NAME = re.compile(r"[a-z0-9-]{1,40}")


class Refused(ValueError):
    """A rule that cannot be used; the text says which and why."""


class UserRules:
    """The user's own rules. `stays` says of a value that it is not taken out."""

    def __init__(self, rules: Sequence[tuple[str, re.Pattern[str]]], stays: Callable[[str], bool] | None) -> None:
        self._rules = rules
        self._stays = stays

    def __call__(self, text: str, put: Callable[[str, str], str]) -> str:
        """`text` with `put(name, secret)` in place of what the rules find; a mark that stands there stays."""
        for name, pattern in self._rules:
            text = self._apply(name, pattern, text, put)
        return text

    def _apply(self, name: str, pattern: re.Pattern[str], text: str, put: Callable[[str, str], str]) -> str:
        group = 1 if pattern.groups else 0
        out: list[str] = []
        done = 0
        marks = [mark.span() for mark in MARK.finditer(text)] if "[redacted: " in text else []
        for found in _matches(pattern, text):
            begin, end = found.span(group)
            marked = any(begin < b and a < end for a, b in marks)
            if begin >= done and end > begin and not marked and not (self._stays and self._stays(found[group])):
                out += (text[done:begin], put(name, found[group]))
                done = end
        return "".join([*out, text[done:]]) if out else text


class Allowed:
    """The values that stay: a text that is the whole value, or a pattern between slashes that fits all of it."""

    def __init__(self, values: Iterable[str]) -> None:
        """Raises Refused for a pattern that cannot be used."""
        self._texts = {value for value in values if not _is_pattern(value)}
        self._patterns = [compiled(value[1:-1]) for value in values if _is_pattern(value)]

    def __call__(self, value: str) -> bool:
        """Whether `value` stays."""
        return value in self._texts or any(p.fullmatch(value[:WINDOW]) for p in self._patterns)


def rule(text: str) -> tuple[str, re.Pattern[str]]:
    """The rule that `name=regex` describes. Raises Refused."""
    name, sep, pattern = text.partition("=")
    name = name.strip()
    if not sep or not _NAME.fullmatch(name):
        raise Refused(f"{name[:40]!r} names no rule: write name=regex, the name of a-z, 0-9 and -")
    try:
        found = compiled(pattern.strip())
    except Refused as e:
        raise Refused(f"rule {name}: {e}") from None
    if found.groups > 1:
        raise Refused(f"rule {name}: it has {found.groups} groups; mark the secret with one, make the others (?:…)")
    return name, found


def compiled(pattern: str) -> re.Pattern[str]:
    """A user's pattern. Raises Refused when it is none, fits nothing at all, or could take for ever."""
    try:
        found = re.compile(pattern, re.MULTILINE)
        parser: Any = __import__("re._parser", fromlist=["parse"])
        tree = parser.parse(pattern, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as e:
        raise Refused(f"not a regular expression: {e}") from None
    if found.match(""):
        raise Refused("it fits an empty text")
    ends = _open_ends(tree)
    first = tree[0] if len(tree) else None
    # where nothing says where to begin, an open end is tried at every character
    if ends + (first is not None and str(first[0]).endswith("REPEAT") and first[1][1] > _OPEN) > 2:
        raise Refused(f"it has too many open ends; give repeats an upper limit of {_OPEN}, such as {{1,{_OPEN}}}")
    return found


def _open_ends(tree: Any) -> int:
    """How many repeats have no small limit. Raises Refused for one whose body has no fixed form: `(a+)+`, `(a|ab)*`."""
    count = 0
    for operation, given in tree:
        kind = str(operation)
        if kind.endswith("REPEAT"):
            _, most, body = given
            if most > 1 and not _is_fixed(body):
                raise Refused("a repeat within a repeat, or a choice within one, can take for ever; write it without")
            count += (most > _OPEN) + _open_ends(body)
        elif kind == "BRANCH":
            count += max(_open_ends(branch) for branch in given[1])
        elif kind == "GROUPREF_EXISTS":
            raise Refused("a condition within a pattern is not supported")
        elif kind in ("SUBPATTERN", "ATOMIC_GROUP", "ASSERT", "ASSERT_NOT"):
            count += _open_ends(given if kind == "ATOMIC_GROUP" else given[-1])
    return count


def _is_fixed(body: Any) -> bool:
    """Whether what is repeated has one length and no choice in it."""
    for operation, given in body:
        kind = str(operation)
        if kind in ("BRANCH", "GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT"):
            return False
        if kind.endswith("REPEAT") and (given[0] != given[1] or not _is_fixed(given[2])):
            return False
        if kind in ("SUBPATTERN", "ATOMIC_GROUP") and not _is_fixed(given if kind == "ATOMIC_GROUP" else given[-1]):
            return False
    return True


def _matches(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    """The matches, line by line, in pieces of a long line."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        place = begin
        while place < end:
            stop = min(place + WINDOW, end)
            found = pattern.search(text, place, stop)
            if found is None:
                place = end if stop == end else stop - _OVERLAP
            elif found.end() == stop != end and found.start() > place:
                place = found.start()  # cut by the window: look again from where it begins
            else:
                yield found
                place = max(found.end(), place + 1)
        begin = end + 1


def _is_pattern(value: str) -> bool:
    return len(value) > 2 and value[0] == "/" == value[-1]
