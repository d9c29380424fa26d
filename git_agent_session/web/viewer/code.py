"""Code in colours, and what an edit changed, line by line. Pygments escapes; a text that is too long stays plain."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from git_agent_session.agents.edits import made_by as edits_of
from git_agent_session.web.viewer.text import LINE, cut, shown

# characters of code that are coloured at once: who wrote a session chose text and language, and some lexers are slow
COLOURED = 40_000
# lines of a change that are compared
COMPARED = 2_000
AROUND = 3

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="t-")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a change: `sign` is `+`, `-`, ` ` or `@`; `html` is its text, coloured."""

    sign: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Diff:
    """What was done to a file; `left` counts the lines that are not shown."""

    path: str
    lines: tuple[DiffLine, ...]
    added: int
    deleted: int
    left: int = 0


@functools.lru_cache(maxsize=128)
def _lexer(path: str, language: str) -> Lexer | None:
    try:
        if language and language != "text":
            return get_lexer_by_name(language, stripnl=False, ensurenl=True)
        return get_lexer_for_filename(path, stripnl=False, ensurenl=True) if path else None
    except ClassNotFound:
        return None


def lines(text: str, *, path: str = "", language: str = "", limit: int = COLOURED) -> list[Markup]:
    """The lines of a code, coloured for the language, else for what the name of the file says.

    A text of more than `limit` characters stays as it is.
    """
    rows = [row if len(row) <= LINE else f"{row[:LINE]}… ({len(row):,} characters)" for row in shown(text).split("\n")]
    lexer = _lexer(path.rpartition("/")[2][-100:], language[:30].lower())
    whole = "\n".join(rows)
    if lexer is None or len(whole) > limit:
        return [escape(row) for row in rows]
    # Pygments closes every span at the end of its line
    from pygments import highlight

    made = highlight(whole, lexer, _FORMATTER).split("\n")
    coloured = [Markup(row) for row in made[: len(rows)]]
    return coloured if len(made) >= len(rows) else [escape(row) for row in rows]


def block(text: str, *, path: str = "", language: str = "") -> Markup:
    """The same as one text."""
    return Markup("\n").join(lines(text, path=path, language=language))


def changes(given: Mapping[str, Any], most: int = 400) -> list[Diff]:
    """The edits that a tool was asked for, whatever the agent's names for its arguments."""
    return [change(e.path, e.old or "", e.new, most) for e in edits_of(given, "", 0)]


def change(path: str, old: str, new: str, most: int = 400) -> Diff:
    """The lines that differ between two texts, with those around them; at most `most`."""
    before, after = _texts(old), _texts(new)
    signs = list(_compared(before, after))
    added, deleted = sum(s == "+" for s, _ in signs), sum(s == "-" for s, _ in signs)
    return Diff(
        shown(path, newlines=False), tuple(_coloured(path, signs[:most])), added, deleted, max(0, len(signs) - most)
    )


def patch(text: str, path: str, most: int = 400) -> Diff:
    """A file's part of a unified diff as git prints it, the header left out."""
    rows = shown(text).split("\n")
    start = next((n for n, row in enumerate(rows) if row.startswith("@@")), len(rows))
    signs = [("@" if r.startswith("@@") else r[:1] or " ", r if r.startswith("@@") else r[1:]) for r in rows[start:]]
    while signs and signs[-1] == (" ", ""):
        signs.pop()
    signs = [s for s in signs if s[0] in "+- @"]
    added, deleted = sum(s == "+" for s, _ in signs), sum(s == "-" for s, _ in signs)
    return Diff(
        shown(path, newlines=False), tuple(_coloured(path, signs[:most])), added, deleted, max(0, len(signs) - most)
    )


def _texts(text: str) -> list[str]:
    found = cut(text, COMPARED * 100).text.split("\n") if text else []
    return found[:-1] if found and not found[-1] else found


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not before or len(before) + len(after) > COMPARED:
        yield from (("-", row) for row in before)
        yield from (("+", row) for row in after)
        return
    for number, row in enumerate(difflib.unified_diff(before, after, lineterm="", n=AROUND)):
        # the first two name files; where the lines stand is not known of an edit
        if number >= 2 and not (number == 2 and row.startswith("@@")):
            yield ("@", "") if row.startswith("@@") else (row[:1], row[1:])


def _coloured(path: str, signs: Sequence[tuple[str, str]]) -> Iterator[DiffLine]:
    """Both sides are coloured as texts of their own, so that a line of one does not open a string in the other."""
    old = iter(lines("\n".join(row for sign, row in signs if sign in "- "), path=path))
    new = iter(lines("\n".join(row for sign, row in signs if sign in "+ "), path=path))
    for sign, row in signs:
        if sign == "@":
            yield DiffLine("@", escape(row))
        elif sign == "-":
            yield DiffLine("-", next(old))
        else:
            html = next(new)
            if sign == " ":
                next(old)
            yield DiffLine(sign, html)
