"""What a terminal sees: text made safe, measured and aligned, git's words for dates, git's rules for colour and pager.

It takes text and a config mapping (lower-cased key to value) and knows nothing of sessions, of click or of the
repository. What costs time (subprocess, datetime, unicodedata, regular expressions) loads where it is used.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Container, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self, TextIO

    Style = Callable[[int, int, str], str]

# ECMA-48 5.3-5.6: string commands (OSC, DCS, SOS, PM, APC) with their end, control sequences, other escapes. A string
# that does not end loses its opener alone, so that nothing a user should see is swallowed.
SEQUENCES = (
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0, DEL, C1; bidirectional overrides and isolates; tag characters, which hide text in what looks empty
_CONTROLS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0001\U000e0020-\U000e007f]"
_LINE_ENDS = "\r\n?|[\x85\u2028\u2029]"
_SURROGATES = "[\ud800-\udfff]"


def clean(text: str, *, newlines: bool = False) -> str:
    """`text` without anything that steers a terminal: no control characters, escape sequences or bidi overrides.

    A tab becomes a space, a lone surrogate U+FFFD. Line ends become `\\n` with `newlines`, otherwise a space.
    """
    if text.isprintable():
        return text
    import re

    text = re.sub(_LINE_ENDS, "\n", text)
    text = re.sub(_CONTROLS, "", re.sub(SEQUENCES, "", text))
    text = re.sub(_SURROGATES, "\ufffd", text).replace("\t", " ")
    return text if newlines else text.replace("\n", " ")


def width(text: str) -> int:
    """How many columns `text` takes: wide East Asian characters two, combining and format characters none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def fit(text: str, n: int) -> str:
    """`text` cut to at most `n` columns; what was cut ends in `…`."""
    if width(text) <= n:
        return text
    used, kept = 1, []
    for char in text:
        used += _char_width(char)
        if used > n:
            break
        kept.append(char)
    return "".join(kept) + "…" if n > 0 else ""


def _char_width(char: str) -> int:
    if char < "\u0300":
        return 1
    import unicodedata

    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def columns(
    rows: Sequence[Sequence[str]],
    *,
    header: Sequence[str] | None = None,
    total: int,
    flexible: int,
    right: Container[int] = (),
    fixed: Sequence[int] = (),
    style: Style | None = None,
) -> list[str]:
    """`rows` as aligned lines of at most `total` columns (0: no limit), two spaces between cells.

    Column `flexible` is cut first, and the widest of the others when that is not enough. Those in `fixed` are never
    cut: rather the last ones are left out. Columns in `right` are set flush right. Cells are cleaned here.
    `style(row, column, cell)`, row -1 for the header, paints a cell that was measured and cut before, so escape
    sequences never count.
    """
    cells = [[clean(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    if not cells:
        return []
    widths = [max(width(row[i]) for row in cells) for i in range(len(cells[0]))]
    if total:
        _shrink(widths, total, flexible, fixed)
    first = -1 if header else 0
    return [_line(row, widths, right, style, number) for number, row in enumerate(cells, first)]


def _shrink(widths: list[int], total: int, flexible: int, fixed: Sequence[int]) -> None:
    over = sum(widths) + 2 * (len(widths) - 1) - total
    cut = max(0, min(over, widths[flexible] - 8))
    widths[flexible] -= cut
    over -= cut
    loose = [i for i in range(len(widths)) if i not in fixed]
    while over > 0 and loose:
        widest = max(loose, key=widths.__getitem__)
        if widths[widest] > 1:
            widths[widest] -= 1
            over -= 1
        else:
            over -= widths[loose[-1]] + 2
            widths[loose.pop()] = -1


def _line(row: Sequence[str], widths: Sequence[int], right: Container[int], style: Style | None, number: int) -> str:
    out = []
    for i, cell in ((i, row[i]) for i in range(len(row)) if widths[i] >= 0):
        text = fit(cell, widths[i])
        space = " " * (widths[i] - width(text))
        shown = style(number, i, text) if style else text
        out.append(space + shown if i in right else shown + space)
    return "  ".join(out).rstrip(" ")


def relative(then: str, now: datetime | None = None) -> str:
    """The RFC 3339 time `then` in the words of `git log --date=relative` (git's date.c, show_date_relative).

    `now` defaults to the clock. Text that is no time comes back cleaned, as it is.
    """
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(then)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = int((now or datetime.now(UTC)).timestamp()) - int(at.timestamp())
    except (ValueError, OverflowError):
        return clean(then)
    if seconds < 0:
        return "in the future"
    if seconds < 90:
        return f"{count(seconds, 'second')} ago"
    minutes = (seconds + 30) // 60
    if minutes < 90:
        return f"{count(minutes, 'minute')} ago"
    hours = (minutes + 30) // 60
    if hours < 36:
        return f"{count(hours, 'hour')} ago"
    return _days_ago((hours + 12) // 24)


def _days_ago(days: int) -> str:
    if days < 14:
        return f"{count(days, 'day')} ago"
    if days < 70:
        return f"{count((days + 3) // 7, 'week')} ago"
    if days < 365:
        return f"{count((days + 15) // 30, 'month')} ago"
    if days >= 1825:
        return f"{count((days + 183) // 365, 'year')} ago"
    years, months = divmod((days * 24 + 365) // 730, 12)
    rest = f", {count(months, 'month')}" if months else ""
    return f"{count(years, 'year')}{rest} ago"


def duration(ms: float) -> str:
    """Milliseconds in at most two units: `850ms`, `2.5s`, `12s`, `1m 12s`, `3h 5m`, `2d 4h`."""
    if ms < 1000:
        return f"{max(0, int(ms))}ms"
    seconds = int(ms / 1000)
    if seconds < 10:
        return f"{int(ms / 100) / 10:g}s"
    for size, unit, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit} {rest}{smaller}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 commit`, `3 commits`; `plural` for nouns that do more than take an s."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"


def si(n: int) -> str:
    """A number in three digits or so: `999`, `12.3k`, `123k`, `4M`."""
    size = abs(n)
    for unit, factor in (("", 1), ("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        digits = 1 if size < 99.95 * factor and unit else 0
        value = round(n / factor, digits)
        if abs(value) < 1000:
            break
    return f"{int(value) if value == int(value) else value}{unit}"


def terminal_width(default: int = 80) -> int:
    """The terminal's columns by git's rule (pager.c, term_columns): `COLUMNS`, then the terminal, then `default`."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    for descriptor in (1, 2):
        try:
            return os.get_terminal_size(descriptor).columns or default
        except OSError:
            continue
    return default


_FALSE = frozenset({"false", "no", "off", "0", ""})
_TRUE = frozenset({"true", "yes", "on", "1"})
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_ATTRIBUTES = {"bold": 1, "dim": 2, "italic": 3, "ul": 4, "blink": 5, "reverse": 7, "strike": 9}
_SLOTS = {
    "id": "yellow",
    "status-active": "green",
    "status-ended": "cyan",
    "status-failed": "bold red",
    "heading": "bold",
    "dim": "dim",
}


def ansi(value: str) -> str | None:
    """The escape sequence for a colour as git-config(1) writes it ("bold red", "#ff8800 blue ul"), None if it is none.

    The order of the parameters is git's own, so it is what `git config --get-color` prints.
    """
    attributes: set[int] = set()
    colours: list[str] = []
    reset = False
    for word in value.lower().split():
        plain = word.removeprefix("no").removeprefix("-") if word.startswith("no") else word
        if word == "reset":
            reset = True
        elif word in _ATTRIBUTES:
            attributes.add(_ATTRIBUTES[word])
        elif plain in _ATTRIBUTES:
            attributes.add(22 if plain == "bold" else 20 + _ATTRIBUTES[plain])
        else:
            colour = _colour(word, background=bool(colours))
            if colour is None or len(colours) == 2:
                return None
            colours.append(colour)
    codes = [str(a) for a in sorted(attributes)] + [c for c in colours if c]
    if reset:
        codes.insert(0, "")
    return f"\033[{';'.join(codes)}m" if codes else ""


def _colour(word: str, *, background: bool) -> str | None:
    base = 40 if background else 30
    if word in ("normal", "-1"):
        return ""
    if word == "default":
        return str(base + 9)
    if word in _COLOURS:
        return str(base + _COLOURS.index(word))
    if word.startswith("bright") and word[6:] in _COLOURS:
        return str(base + 60 + _COLOURS.index(word[6:]))
    if word.isascii() and word.isdigit() and int(word) < 256:
        number = int(word)
        return (
            str(base + number) if number < 8 else str(base + 52 + number) if number < 16 else f"{base + 8};5;{number}"
        )
    if word.startswith("#") and len(word) in (4, 7) and not word[1:].strip("0123456789abcdef"):
        hexes = [c * 2 for c in word[1:]] if len(word) == 4 else [word[1:3], word[3:5], word[5:]]
        return f"{base + 8};2;" + ";".join(str(int(h, 16)) for h in hexes)
    return None


class Palette:
    """Which text gets which colour, by git's own config: `color.agentSession`, else `color.ui`, and a slot's key.

    `true` means `auto`, as in git: colour on a terminal, or in a pager unless `color.pager` is false, and never when
    `TERM` is dumb. `NO_COLOR` turns `auto` off; a config that says `always` wins over it (no-color.org). A colour that
    git would not know leaves the slot at its default.
    """

    __slots__ = ("_codes", "enabled")

    def __init__(
        self, config: Mapping[str, str], *, isatty: bool, paged: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        env = os.environ if env is None else env
        wanted = config.get("color.agentsession", config.get("color.ui", "auto")).lower()
        paged = paged or env.get("GIT_PAGER_IN_USE", "").lower() in _TRUE
        able = config.get("color.pager", "true").lower() not in _FALSE if paged else isatty
        auto = able and env.get("TERM", "dumb") != "dumb" and not env.get("NO_COLOR")
        self.enabled = wanted == "always" or (auto and wanted != "never" and wanted not in _FALSE)
        self._codes = {}
        for slot, default in _SLOTS.items() if self.enabled else ():
            code = ansi(config.get(f"color.agentsession.{slot}", default))
            self._codes[slot] = code if code is not None else ansi(default)

    def paint(self, slot: str, text: str) -> str:
        """`text` in the colour of `slot`, line by line; as it is when colour is off or the slot unknown."""
        code = self._codes.get(slot)
        if not code or not text:
            return text
        return "\n".join(f"{code}{line}\033[m" if line else line for line in text.split("\n"))


class Pager:
    """Writes text through the user's pager: `with Pager(config) as out: out.write(text)`.

    The command is chosen as git does (git-var(1), GIT_PAGER; git-config(1), pager.<cmd>): none unless stdout is a
    terminal, `pager.agent-session`, then `GIT_PAGER`, `core.pager`, `PAGER`, `less`; empty and `cat` mean none. A pager
    that cannot be started is as good as none. It never changes the exit status: a reader that quits only makes `write`
    return False, and ^C in the pager is the pager's own.
    """

    __slots__ = ("_env", "_open", "_out", "_process", "command")

    def __init__(
        self,
        config: Mapping[str, str],
        *,
        out: TextIO | None = None,
        isatty: bool | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._env = os.environ if env is None else env
        self._process: subprocess.Popen[bytes] | None = None
        self._open = True
        self.command = pager_command(config, self._env, self._out.isatty() if isatty is None else isatty)

    def __enter__(self) -> Self:
        if self.command:
            self._out.flush()
            self._process = self._start(self.command)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is None:
            self._guard(self._out.flush)
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._process.returncode is None:
            try:
                self._process.wait()
            except KeyboardInterrupt:
                # ^C is typed at the pager, which stays; git waits for it likewise
                continue

    def write(self, text: str) -> bool:
        """Write `text`; False once the reader is gone and further output is pointless."""
        if self._open and text:
            self._guard(lambda: self._send(text))
        return self._open

    def _send(self, text: str) -> None:
        if self._process is None:
            self._out.write(text)
            return
        assert self._process.stdin is not None
        rest = memoryview(text.encode(self._out.encoding or "utf-8", "replace"))
        while rest:
            rest = rest[self._process.stdin.write(rest) :]

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (BrokenPipeError, ConnectionResetError):
            self._open = False
            if self._process is None and self._out is sys.stdout:
                # the interpreter flushes stdout once more at its end and would complain
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def _start(self, command: str) -> subprocess.Popen[bytes] | None:
        import subprocess

        env = {"LESS": "FRX", "LV": "-c", **self._env, "GIT_PAGER_IN_USE": "true"}
        # run-command.c, prepare_shell_cmd: a shell only where the command needs one
        argv = ["sh", "-c", command] if set(command) & set("|&;<>()$`\\\"' \t\n*?[#~=%") else [command]
        try:
            return subprocess.Popen(argv, stdin=subprocess.PIPE, env=env, bufsize=0)
        except OSError:
            return None


def pager_command(config: Mapping[str, str], env: Mapping[str, str], isatty: bool) -> str:
    """The command that output goes through, empty for none (pager.c, git_pager and check_pager_config)."""
    own = config.get("pager.agent-session", "true")
    if not isatty or own.lower() in _FALSE:
        return ""
    configured = config.get("core.pager") if own.lower() in _TRUE else own
    for command in (env.get("GIT_PAGER"), configured, env.get("PAGER"), "less"):
        if command is not None:
            return "" if command == "cat" else command
    return ""
