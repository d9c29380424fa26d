"""The only reader and writer of TOML documents, and the gate for text: what goes in is clean, bounded and canonical.

Writing goes through tomli-w, one event at a time, so that a batch is nothing but its events one after the other and the
journal can be appended to as text. Strings never span lines here: a line `[[event]]` is always the head of an event, a
line `# end` always its last. tomli, which reads, is imported on first use: agent hooks only write.
"""

from __future__ import annotations

# agent hooks import this: typing and model (with its dataclasses) would cost them 30 ms, tomli_w 5 ms
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Protocol

    from git_agent_session.model import Doc, Event

    class Writable(Protocol):
        """What `event_block` needs of an event."""

        def to_dict(self) -> Doc: ...


HEAD = b"[[event]]"
TAIL = b"# end"

MAX_DOCUMENT = 32 * 1024 * 1024
# of a writer's own: the readers' limit is the document's
MAX_EVENT = 1024 * 1024
MAX_BATCH = 8 * 1024 * 1024
MAX_TEXT = 256 * 1024
MAX_DEPTH = 12
_INFINITY = float("inf")
# what begins a sequence that steers a terminal
_OPENERS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"

# C0 and C1 controls but for tab and newline, the delete character, and halves of surrogate pairs
_DROP: dict[int, int | None] = {
    **dict.fromkeys((*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, *range(0x80, 0xA0))),
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}
# what stands for a character within a string, as tomli_w writes it
_ESCAPES = {
    **{n: f"\\u{n:04x}" for n in (*range(0x09), *range(0x0A, 0x20), 0x7F)},
    **{ord(c): f"\\{name}" for c, name in zip('\b\n\f\r"\\', 'bnfr"\\', strict=True)},
}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Malformed(ValueError):
    """A document that is not TOML, too large, or not of the shape it should be."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` as it may be stored: no control characters or sequences, `\\n` line ends, at most `limit` characters."""
    if not text.isprintable() or not text.isascii():
        if any(opener in text for opener in _OPENERS):
            text = _unsteered(text)
        text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_DROP)
    if len(text) > limit:
        text = f"{text[:limit]}… [cut: {len(text) - limit} characters]"
    return text


def _unsteered(text: str) -> str:
    """`text` without terminals' sequences, of which nothing but noise would be left: `[31m`."""
    import re

    from git_agent_session.term import SEQUENCES

    return re.sub(SEQUENCES, "", text)


def clean_value(value: Any, limit: int = MAX_TEXT, depth: int = 0) -> Any:
    """`value` with every text in it cleaned, what TOML cannot hold made text, and None left out."""
    if isinstance(value, str):
        return clean(value, limit)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else hex(value)[:limit]
    if isinstance(value, float):
        # JSON has no such numbers
        return value if -_INFINITY < value < _INFINITY else str(value)
    if depth >= MAX_DEPTH:
        return clean(str(value), limit)
    if isinstance(value, dict) or _is_mapping(value):
        return {clean(str(k), 200) or "_": clean_value(v, limit, depth + 1) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean_value(v, limit, depth + 1) for v in value if v is not None]
    return clean(str(value), limit)


def _is_mapping(value: object) -> bool:
    from collections.abc import Mapping

    return isinstance(value, Mapping)


def event_block(event: Writable) -> bytes:
    """The event as a TOML table of the array `event`, closed by a comment, so that a torn one is known as such.

    The caller has cleaned the event's data.
    """
    doc = event.to_dict()
    nested = {k: v for k, v in doc.items() if _is_table(v)}
    flat = {k: v for k, v in doc.items() if k not in nested}
    text = _lines(flat)
    if nested:
        import tomli_w

        text += tomli_w.dumps({"event": nested})
    return b"%s\n%s%s\n" % (HEAD, text.encode("utf-8", "replace"), TAIL)


def _lines(flat: Mapping[str, Any]) -> str:
    """The keys of a table without tables in it, as tomli_w writes them: most events are no more."""
    found = []
    for key, value in flat.items():
        name = key if key and _BARE.issuperset(key) else _plain(key)
        if (text := _plain(value)) is None:
            import tomli_w

            return tomli_w.dumps(flat)
        found.append(f"{name} = {text}\n")
    return "".join(found)


def _plain(value: object) -> str | None:
    """A text, a number or a list of these as a TOML value; None for anything else."""
    if type(value) is str:
        return f'"{value.translate(_ESCAPES)}"'
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return str(value)
    if type(value) is list:
        items = [None if type(v) is list else _plain(v) for v in value]
        if None not in items:
            return "".join(["[\n", *(f"    {i},\n" for i in items), "]"]) if items else "[]"
    return None


def _is_table(value: object) -> bool:
    if not isinstance(value, list) or not any(isinstance(v, dict) for v in value):
        return isinstance(value, dict)
    import tomli_w

    # tomli-w writes a list of larger tables under heads of its own, which must then be below the event's
    return tomli_w.dumps({"_": value}).startswith("[[")


def dumps(doc: Doc) -> bytes:
    """A document as canonical TOML bytes."""
    import tomli_w

    return tomli_w.dumps(doc).encode("utf-8", "replace")


def loads(data: bytes) -> Doc:
    """The document in `data`; raises Malformed when it is too large, not UTF-8 or not TOML."""
    if len(data) > MAX_DOCUMENT:
        raise Malformed(f"larger than {MAX_DOCUMENT // 1024 // 1024} MiB")
    try:
        return _loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise Malformed(str(e).splitlines()[0] if str(e) else type(e).__name__) from e


def _loads(text: str) -> Doc:
    import tomli

    return tomli.loads(text)


def events_in(data: bytes) -> list[Event]:
    """The events of an `events.toml`, in order; raises Malformed when any of it cannot be read."""
    from git_agent_session.model import Event

    try:
        return [Event.from_dict(row) for row in event_rows(data)]
    except (ValueError, TypeError, AttributeError) as e:
        raise Malformed(str(e)) from e


def event_rows(data: bytes) -> list[Doc]:
    """The tables of an `events.toml`, as they stand there and not looked at; raises Malformed."""
    from git_agent_session import plain_toml

    if len(data) <= MAX_DOCUMENT and (found := plain_toml.events(data, _loads)) is not None:
        return found
    rows = loads(data).get("event", [])
    if not isinstance(rows, list):
        raise Malformed("event is not an array of tables")
    return rows


def split_blocks(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The pieces of a journal, each from one head to the next, and whether it has its end line."""
    start = 0
    while start < len(data):
        cut = data.find(b"\n" + HEAD + b"\n", start + 1)
        piece = data[start:] if cut < 0 else data[start:cut]
        start += len(piece)
        # what follows an end line without a head of its own is torn, and no part of the event before it
        end = (piece + b"\n").find(b"\n" + TAIL + b"\n") if piece.lstrip(b"\n").startswith(HEAD + b"\n") else -1
        if end >= 0:
            cut = end + len(TAIL) + 1
            yield piece[:cut].lstrip(b"\n"), True
            piece = piece[cut:]
        if piece := piece.strip(b"\n"):
            yield piece, False


def join(events: Iterable[Writable]) -> bytes:
    """An `events.toml`: the events one after the other."""
    return b"".join(event_block(e) for e in events)
