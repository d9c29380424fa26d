"""Who wrote each line that a commit changed: the agent, a person, both, or nobody knows. Texts in, verdicts out.

The agent's recorded edits are done again, one after the other, on the file as it was before the commit. A line of the
commit that comes out of this as the agent's is the agent's; what an edit says that finds no place any more (a person
had changed the file in between) counts by its whole lines. Nothing here reads git, sessions or files.

What a person had typed into a file before the agent wrote all of it anew stands in the agent's text, and counts so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

AGENT, HUMAN, MIXED, UNKNOWN = "agent", "human", "mixed", "unknown"
KINDS = (AGENT, HUMAN, MIXED, UNKNOWN)

# lines of a file; of a longer one nothing is said
MOST_LINES = 50_000
# lines on both sides, multiplied, that are compared one with another
MOST_COMPARED = 4_000_000
# beyond so many, what is found everywhere is no sign of where a line belongs
MOST_EXACT = 250_000
# the last so many edits of a file, and beginnings and ends of lines, are looked at; of a long file fewer
MOST_EDITS = 2_000
MOST_REPLAYED = 20_000_000
MOST_PARTS = 200
# lines of the agent's around a place that a person's line is compared with, and comparisons in all
NEAR = 15
MOST_LIKENED = 20_000
# the part of their words that a person's line must share with the agent's that stood there before
ALIKE = 0.6
# what is left of texts from which something was taken out before they were stored
_WORDS = re.compile(r"\w+|[^\w\s]")
_GAPS = ("[redacted: ", "… [cut: ")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file by an agent's tool.

    `old` is None where `new` is the whole file; `whole` says that `old` starts with a line, as in a patch. `prompt` is
    the number of the user's message that came last before, 0 where none did. `at` is RFC 3339, "" where not known.
    """

    path: str
    new: str
    old: str | None = None
    everywhere: bool = False
    whole: bool = False
    at: str = ""
    prompt: int = 0

    @property
    def has_gaps(self) -> bool:
        """True where the text is not all that the agent wrote."""
        return any(gap in self.new or gap in (self.old or "") for gap in _GAPS)


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on a line: one of KINDS, and the number of the prompt that led to it, 0 where that is not known."""

    kind: str
    prompt: int = 0


@dataclass(slots=True)
class _Row:
    """A line of the file in the making; `edit` made it, None for one that was there before."""

    text: str
    edit: Edit | None = None


def lines_of(text: str) -> list[str]:
    """The lines of a text as git counts them, without the carriage return of CRLF."""
    rows = text.split("\n")
    if rows and rows[-1] == "":
        rows.pop()
    return [row.removesuffix("\r") for row in rows]


def attribute(before: Sequence[str], after: Sequence[str], edits: Sequence[Edit], *, certain: bool) -> dict[int, Line]:
    """The verdict on each line of `after`, by its number from 1 on, that is not in `before`.

    `edits` are those of one file in their order. `certain`: nothing but these edits can be the agent's, so that what
    is not in them is a person's; else it is unknown. No line is AGENT whose text does not come from an edit.
    """
    if max(len(before), len(after)) > MOST_LINES:
        return {}
    changed = _only_in_second(before, after)
    if not changed:
        return {}
    most = min(MOST_EDITS, MOST_REPLAYED // max(len(before), len(after)))
    taken = [e for e in edits[-most:] if e.new.count("\n") <= MOST_LINES]
    certain = certain and len(taken) == len(edits) and not any(e.has_gaps for e in taken)
    return _Judge(before, after, taken, certain).verdicts(changed)


class _Judge:
    def __init__(self, before: Sequence[str], after: Sequence[str], edits: Sequence[Edit], certain: bool) -> None:
        self.after = after
        self.certain = certain
        self.gaps = any(e.has_gaps for e in edits)
        replay = _Replay(before)
        for edit in edits:
            replay.apply(edit)
        self.rows, self.loose = replay.rows, replay.loose
        self.parts = dict(list(replay.parts.items())[-MOST_PARTS:])
        self.likened = 0
        self.same: dict[int, _Row] = {}
        # lines of the commit that stand where the agent had put other ones
        self.instead: dict[int, list[_Row]] = {}
        self._align()

    def _align(self) -> None:
        for tag, a, b, c, d in opcodes([row.text for row in self.rows], self.after):
            if tag == "equal":
                self.same.update(zip(range(c, d), self.rows[a:b], strict=True))
            elif tag == "replace":
                for n in range(c, d):
                    near = range(max(a, a + n - c - NEAR), min(b, a + n - c + NEAR))
                    self.instead[n] = [row for k in near if (row := self.rows[k]).edit is not None]

    def verdicts(self, changed: Iterable[int]) -> dict[int, Line]:
        return {n + 1: self._verdict(n) for n in changed}

    def _verdict(self, n: int) -> Line:
        text, row = self.after[n], self.same.get(n)
        if row is not None:
            # a line that was there before, and that git and we find at different places
            return Line(AGENT, row.edit.prompt) if row.edit is not None else Line(UNKNOWN)
        if (edit := self.loose.get(text)) is not None:
            return Line(AGENT, edit.prompt) if _says_something(text) else Line(UNKNOWN)
        if self.gaps:
            return Line(UNKNOWN)
        for own in self.instead.get(n, ()):
            self.likened += 1
            if self.likened > MOST_LIKENED:
                return Line(UNKNOWN)
            if own.edit is not None and _alike(own.text, text):
                return Line(MIXED, own.edit.prompt)
        for part, edit in self.parts.items():
            if part in text:
                return Line(MIXED, edit.prompt)
        return Line(HUMAN if self.certain else UNKNOWN)


class _Replay:
    """A file that edits are done on.

    `loose` are whole lines, and `parts` beginnings and ends of lines, of edits that found no place.
    """

    def __init__(self, before: Iterable[str]) -> None:
        self.rows = [_Row(text) for text in before]
        self.loose: dict[str, Edit] = {}
        self.parts: dict[str, Edit] = {}

    def apply(self, edit: Edit) -> None:
        new = edit.new.replace("\r\n", "\n")
        if edit.old is None:
            self._splice(0, len(self.rows), lines_of(new), edit)
            return
        old = edit.old.replace("\r\n", "\n")
        text = "".join(f"{row.text}\n" for row in self.rows)
        if not old:
            if not self.rows:
                self._splice(0, 0, lines_of(new), edit)
            else:
                self._keep(old, new, edit)
            return
        places = list(_places(text, old, edit))
        # an edit that is in the file already was committed before
        if not places and not (new and next(_places(text, new, edit), None) is not None):
            self._keep(old, new, edit)
        # from behind, so that places stay where they were found
        for start in reversed(places):
            self._replace(text, start, start + len(old), new, edit)

    def _replace(self, text: str, start: int, end: int, new: str, edit: Edit) -> None:
        first = text.count("\n", 0, start)
        head = text[text.rfind("\n", 0, start) + 1 : start]
        if end > 0 and text[end - 1] == "\n" and (not new or new.endswith("\n")) and not head:
            last, tail = text.count("\n", 0, end), ""
        else:
            stop = text.find("\n", end)
            stop = stop if stop >= 0 else len(text)
            last, tail = text.count("\n", 0, stop) + 1, text[end:stop] + "\n"
        self._splice(first, min(last, len(self.rows)), lines_of(head + new + tail), edit)

    def _splice(self, first: int, last: int, lines: Sequence[str], edit: Edit) -> None:
        """Put `lines` in the place of some rows; those that are the same keep who made them."""
        before, after = self.rows[first:last], []
        for tag, a, b, c, d in opcodes([row.text for row in before], lines):
            after += before[a:b] if tag == "equal" else [_Row(text, edit) for text in lines[c:d]]
        self.rows[first:last] = after

    def _keep(self, old: str, new: str, edit: Edit) -> None:
        was, now = lines_of(old), lines_of(new)
        for n in _only_in_second(was, now):
            begins = n > 0 or edit.whole
            ends = n < len(now) - 1 or edit.whole or new.endswith("\n")
            if begins and ends:
                self.loose[now[n]] = edit
            elif _says_something(now[n]):
                self.parts[now[n].strip()] = edit


def _places(text: str, old: str, edit: Edit) -> Iterator[int]:
    start = 0
    while (found := text.find(old, start)) >= 0:
        start = found + 1
        if not edit.whole or found == 0 or text[found - 1] == "\n":
            yield found
            if not edit.everywhere:
                return
            start = found + len(old)


def _says_something(text: str) -> bool:
    """False for lines that anybody writes: a bracket, nothing."""
    return sum(map(str.isalnum, text)) >= 3


def _alike(one: str, other: str) -> bool:
    if max(len(one), len(other)) > 1000 or not one.strip() or not other.strip():
        return False
    from collections import Counter

    words, others = Counter(_WORDS.findall(one)), Counter(_WORDS.findall(other))
    total = words.total() + others.total()
    return total > 0 and 2 * (words & others).total() >= ALIKE * total


def _only_in_second(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """The lines of `after`, from 0 on, that a comparison finds to be new."""
    return [n for tag, _, _, c, d in opcodes(before, after) if tag != "equal" for n in range(c, d)]


def opcodes(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """As of `SequenceMatcher.get_opcodes`, in bounded time: equal beginnings and ends are found first."""
    least = min(len(before), len(after))
    head = _common(least, lambda n: before[n] == after[n])
    tail = _common(least - head, lambda n: before[-1 - n] == after[-1 - n])
    a, b, c, d = head, len(before) - tail, head, len(after) - tail
    middle: list[tuple[str, int, int, int, int]] = []
    if a < b and c < d and (b - a) * (d - c) <= MOST_COMPARED:
        many = (b - a) * (d - c) > MOST_EXACT
        from difflib import SequenceMatcher

        found = SequenceMatcher(None, before[a:b], after[c:d], autojunk=many).get_opcodes()
        middle = [(tag, a + i, a + j, c + k, c + m) for tag, i, j, k, m in found]
    elif a < b or c < d:
        middle = [("replace" if a < b and c < d else "delete" if a < b else "insert", a, b, c, d)]
    ends = [("equal", 0, head, 0, head)] if head else []
    rest = [("equal", b, len(before), d, len(after))] if tail else []
    return [*ends, *middle, *rest]


def _common(most: int, same: Callable[[int], bool]) -> int:
    n = 0
    while n < most and same(n):
        n += 1
    return n
