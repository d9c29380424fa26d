"""`--format`: a session, and a commit linked to it, in the words of git's pretty formats (git-log(1), PRETTY FORMATS).

A format is taken apart once and rendered for each row. What a placeholder stands for is cleaned here, so that nothing a
session says steers a terminal; what the format itself says stands as it is, for it is the user's own. A placeholder
that is not known is text, as in git. docs/terminal.md lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from git_agent_session import term
from git_agent_session.model import TOKENS, Session
from git_agent_session.report import view as words
from git_agent_session.report.rows import CommitRow
from git_agent_session.report.view import View
from git_agent_session.store.reader import duration_ms

_RESET = "\033[m"
# one that reads on dark and on light backgrounds, for each agent its own
_AGENT_COLOURS = {
    "claude-code": "magenta",
    "codex": "cyan",
    "gemini": "blue",
    "copilot": "green",
    "cursor": "bold blue",
    "opencode": "bold cyan",
    "droid": "bold magenta",
    "pi": "bold green",
}
_OTHER_COLOURS = tuple(_AGENT_COLOURS.values())


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown: a session, and where there is one the commit that it is linked to."""

    session: Session
    commit: CommitRow | None = None


Field = Callable[[Row, View], str]


def agent_colour(agent_type: str) -> str:
    """The colour of an agent, as git-config(1) writes colours: always the same for the same agent."""
    known = _AGENT_COLOURS.get(agent_type)
    return known or _OTHER_COLOURS[sum(agent_type.encode("utf-8", "replace")) % len(_OTHER_COLOURS)]


def tokens(session: Session) -> int:
    """All tokens of a session: input, output, and those from and to the cache; reasoning is a part of the output."""
    return int(sum(session.usage.get(key, 0) for key in TOKENS if key != "reasoning_tokens"))


def _short_id(row: Row, view: View) -> str:
    return view.shorts.get(row.session.id, row.session.id[: words.SHORT])


def _cost(row: Row, view: View) -> str:
    cost = row.session.usage.get("cost_usd")
    return words.usd(cost).replace("$", "").replace(",", "") if cost else ""


def _tokens(row: Row, view: View) -> str:
    spent = tokens(row.session)
    return term.si(spent) if spent else ""


def _dates(of: Callable[[Row], str]) -> dict[str, Field]:
    """The forms of a moment by the letter that git has for them; a moment that is not known is empty in all."""

    def form(say: Callable[[str, View], str]) -> Field:
        return lambda row, view: say(at, view) if (at := of(row)) else ""

    return {
        "d": form(lambda at, view: words.local_time(at)),
        "r": form(lambda at, view: view.ago(at)),
        "I": form(lambda at, view: at),
        "t": form(lambda at, view: _seconds(at)),
        "s": form(lambda at, view: _day(at)),
    }


def _moment(at: str) -> datetime | None:
    try:
        then = datetime.fromisoformat(at)
        return then if then.tzinfo else then.replace(tzinfo=UTC)
    except ValueError:
        return None


def _seconds(at: str) -> str:
    then = _moment(at)
    return str(int(then.timestamp())) if then else ""


def _day(at: str) -> str:
    then = _moment(at)
    try:
        return f"{then.astimezone():%Y-%m-%d}" if then else ""
    except (OverflowError, OSError, ValueError):
        return ""


def _of_commit(say: Callable[[CommitRow], str]) -> Field:
    return lambda row, view: say(row.commit) if row.commit else ""


_SESSION: Mapping[str, Field] = {
    "H": lambda row, view: row.session.id,
    "h": _short_id,
    "g": lambda row, view: row.session.about,
    "an": lambda row, view: row.session.agent.type,
    "av": lambda row, view: row.session.agent.version,
    "m": lambda row, view: row.session.agent.model,
    "s": lambda row, view: row.session.status,
    "u": lambda row, view: row.session.user,
    "p": lambda row, view: row.session.project,
    "P": lambda row, view: row.session.phase,
    "y": lambda row, view: row.session.type,
    "b": lambda row, view: row.session.message,
    "t": lambda row, view: ", ".join(row.session.tags),
    "c": lambda row, view: str(row.session.counts.get("commits", 0)),
    "T": _tokens,
    "$": _cost,
    "d": lambda row, view: term.duration(duration_ms(row.session)),
    **{f"a{k}": say for k, say in _dates(lambda row: row.session.started_at).items()},
    **{f"e{k}": say for k, say in _dates(lambda row: row.session.ended_at).items()},
}
_COMMIT: Mapping[str, Field] = {
    "lH": _of_commit(lambda c: c.link.commit),
    "lh": _of_commit(lambda c: c.link.commit[: words.SHORT_COMMIT]),
    "lf": _of_commit(lambda c: c.subject),
    "ln": _of_commit(lambda c: c.author),
    "lv": _of_commit(lambda c: c.link.via),
    "lp": _of_commit(lambda c: "primary" if c.link.primary else ""),
    **{f"l{k}": say for k, say in _dates(lambda row: row.commit.date if row.commit else "").items()},
}
_FIELDS = {**_SESSION, **_COMMIT}
# the slot of the palette that `%C(auto)` gives a field
_AUTO = {"H": "id", "h": "id", "lH": "id", "lh": "id"}

_PLACEHOLDER = re.compile(
    r"%(?P<sign>[+\- ]?)(?:"
    r"(?P<field>[ael][A-Za-z]|[HhgmsupPybtcTd$])"
    r"|(?P<plain>[n%]|x[0-7][0-9A-Fa-f])"
    r"|C(?:\((?P<colour>[^)]*)\)|(?P<named>red|green|blue|reset))"
    r"|(?P<pad><\||>\||><|<|>)\( *(?P<columns>[0-9]{1,4}) *(?:, *(?P<cut>trunc|ltrunc|mtrunc) *)?\)"
    r")"
)


@dataclass(frozen=True, slots=True)
class _Pad:
    """How the next field is set: `side` is one of git's `<`, `>`, `><`, `<|`, `>|`, `cut` which end gives way."""

    side: str
    columns: int
    cut: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a format: `text` as it is, or a field by `name`, a `colour`, a `pad`."""

    text: str = ""
    name: str = ""
    sign: str = ""
    colour: str | None = None
    pad: _Pad | None = None


class Format:
    """A format taken apart. The placeholders of commits (`%l…`) are empty for a row that has none."""

    def __init__(self, text: str) -> None:
        self._parts: list[_Part] = []
        end = 0
        for found in _PLACEHOLDER.finditer(text):
            self._add_text(text[end : found.start()])
            self._parts.append(self._part(found))
            end = found.end()
        self._add_text(text[end:])

    def _add_text(self, text: str) -> None:
        if text:
            self._parts.append(_Part(text))

    def _part(self, found: re.Match[str]) -> _Part:
        name, plain = found["field"], found["plain"]
        if name in _FIELDS:
            return _Part(name=name, sign=found["sign"])
        if plain and not found["sign"]:
            return _Part({"n": "\n", "%": "%"}.get(plain) or chr(int(plain[1:], 16)))
        if found["pad"] and not found["sign"]:
            return _Part(pad=_Pad(found["pad"], int(found["columns"]), found["cut"] or ""))
        colour = found["colour"] if found["colour"] is not None else found["named"]
        if colour is not None and not found["sign"] and _is_colour(colour):
            return _Part(colour=colour)
        # a field of another kind of row, or nothing at all: text, as git leaves it
        return _Part(found[0])

    def render(self, row: Row, view: View) -> str:
        """The row as text, a line or several, without a line end; the colours only where the view has them."""
        line = _Line(row, view)
        for part in self._parts:
            if part.pad:
                line.pad = part.pad
            elif part.colour is not None:
                line.paint(part.colour)
            elif part.name:
                line.put(part, term.clean(_FIELDS[part.name](row, view)))
            else:
                line.write(part.text)
        return line.end()


class _Line:
    """The text of one row as it grows: where the line stands, which colour is on, how the next field is set."""

    def __init__(self, row: Row, view: View) -> None:
        self._row, self._view = row, view
        self._out: list[str] = []
        self._column = 0
        self._open = False
        self._auto = False
        self.pad: _Pad | None = None

    def write(self, text: str) -> None:
        self._out.append(text)
        last = text.rpartition("\n")
        self._column = term.width(last[2]) + (0 if last[1] else self._column)

    def paint(self, colour: str) -> None:
        """Turn a colour on; git's `auto` gives each field its own from here on."""
        always, _, spec = colour.rpartition(",")
        self._auto = spec.strip() == "auto"
        if not (self._view.palette.enabled or always.strip() == "always"):
            return
        if spec.strip() == "agent":
            spec = agent_colour(self._row.session.agent.type)
        code = _RESET if self._auto or spec.strip() == "reset" else term.ansi(spec)
        if code and (code != _RESET or self._open):
            self._out.append(code)
            self._open = code != _RESET

    def put(self, part: _Part, text: str) -> None:
        pad, self.pad = self.pad, None
        if part.sign and text:
            self.write("\n" if part.sign == "+" else " " if part.sign == " " else "")
        elif part.sign == "-" and not text:
            self._drop_line_ends()
        before, text, after = _set(pad, text, self._column)
        self.write(before)
        self._out.append(self._coloured(part.name, text))
        self._column += term.width(text)
        self.write(after)

    def _drop_line_ends(self) -> None:
        while self._out and self._out[-1].endswith("\n"):
            self._out[-1] = self._out[-1].rstrip("\n")
            if not self._out[-1]:
                self._out.pop()

    def _coloured(self, name: str, text: str) -> str:
        if not self._auto:
            return text
        return self._view.status(text, text) if name == "s" else self._view.palette.paint(_AUTO.get(name, ""), text)

    def end(self) -> str:
        return "".join(self._out) + (_RESET if self._open else "")


def _is_colour(text: str) -> bool:
    always, comma, spec = text.rpartition(",")
    if comma and always.strip() not in ("always", "auto"):
        return False
    return spec.strip() in ("auto", "agent", "reset") or term.ansi(spec) is not None


def _set(pad: _Pad | None, text: str, column: int) -> tuple[str, str, str]:
    """What stands before a field, the field, and what stands behind it."""
    if pad is None:
        return "", text, ""
    size = max(0, pad.columns - column) if pad.side.endswith("|") else pad.columns
    if pad.cut and term.width(text) > size:
        text = _cut(text, size, pad.cut)
    room = max(0, size - term.width(text))
    if pad.side == "><":
        return " " * (room // 2), text, " " * (room - room // 2)
    return (" " * room, text, "") if pad.side.startswith(">") else ("", text, " " * room)


def _cut(text: str, size: int, cut: str) -> str:
    """`text` in `size` columns, two dots for what gives way: its end, its beginning (`ltrunc`), its middle (`mtrunc`).

    The places are those of git's pretty.c, format_and_pad_commit.
    """
    kept = max(0, size - 2)
    before = {"trunc": kept, "ltrunc": 0}.get(cut, max(0, size // 2 - 1))
    return f"{_first(text, before)}..{_last(text, kept - before)}"[: max(size, 0)]


def _first(text: str, size: int) -> str:
    """The beginning of a text, in at most `size` columns."""
    while text and term.width(text) > size:
        text = text[: max(0, len(text) - max(1, (term.width(text) - size) // 2))]
    return text


def _last(text: str, size: int) -> str:
    """The end of a text, in at most `size` columns."""
    while text and term.width(text) > size:
        text = text[max(1, (term.width(text) - size) // 2) :]
    return text
