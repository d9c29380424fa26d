"""Ids and times: what a session, an event and a moment are called.

Standard library only, and as little of it as possible: agent hooks import this on every call, so neither `uuid` nor
`datetime` is loaded.
"""

from __future__ import annotations

import os
import time

# the namespace of session ids that are made from an agent's own; fixed for ever, see docs/format.md
NAMESPACE = bytes.fromhex("6a9f7f2e5b1c4d0a9e3d8c41b7f05a62")

MIN_ABBREVIATION = 4
_HEX = frozenset("0123456789abcdef")
_EVENT_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_KIND = _EVENT_ID | {"/"}


def new_session_id() -> str:
    """A random UUID (version 4, RFC 9562): its first digits make a usable abbreviation."""
    return _uuid(os.urandom(16), 4)


def native_session_id(agent_type: str, native_id: str) -> str:
    """The session id for an agent's own session: UUIDv5 of `agent_type:native_id`, the same on every machine."""
    import hashlib

    name = f"{agent_type}:{native_id}".encode("utf-8", "surrogatepass")
    return _uuid(hashlib.sha1(NAMESPACE + name, usedforsecurity=False).digest()[:16], 5)


def new_event_id() -> str:
    """A random event id, 20 hex digits."""
    return os.urandom(10).hex()


def is_session_id(text: object) -> bool:
    """True for a lower-case UUID in its canonical form, and nothing else: such a text is safe as a file name."""
    return (
        isinstance(text, str)
        and len(text) == 36
        and text[8] == text[13] == text[18] == text[23] == "-"
        and _HEX.issuperset(text.replace("-", ""))
        and text.count("-") == 4
    )


def is_abbreviation(text: str) -> bool:
    """True for what may be the start of a session id: at least 4 hex digits, dashes where a UUID has them."""
    return MIN_ABBREVIATION <= len(text) <= 36 and _is_start_of_id(text)


def _is_start_of_id(text: str) -> bool:
    parts = text.split("-")
    lengths = (8, 4, 4, 4, 12)
    whole = all(len(p) == n for p, n in zip(parts[:-1], lengths, strict=False))
    return len(parts) <= 5 and whole and len(parts[-1]) <= lengths[len(parts) - 1] and _HEX.issuperset("".join(parts))


def is_event_id(text: object) -> bool:
    """True for 1 to 200 letters, digits, `.`, `_` and `-`, not starting with a dot: safe as a file name."""
    return isinstance(text, str) and 0 < len(text) <= 200 and text[0] != "." and _EVENT_ID.issuperset(text)


def is_kind(text: object) -> bool:
    """True for what an event's kind may be: 1 to 64 letters, digits, `.`, `_`, `-` and `/`, the first no sign."""
    return isinstance(text, str) and 0 < len(text) <= 64 and text[0].isalnum() and _KIND.issuperset(text)


def is_object_id(text: str) -> bool:
    """True for the full hexadecimal id of a git object, SHA-1 or SHA-256."""
    return len(text) in (40, 64) and _HEX.issuperset(text)


def event_id_from(*parts: str) -> str:
    """An event id made of an agent's own ids, so that a second delivery of the same thing has the same id."""
    text = "-".join(parts)
    if is_event_id(text):
        return text
    import hashlib

    digest = hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return f"{parts[0][:40] if is_event_id(parts[0]) else 'event'}-{digest[:24]}"


def timestamp(ns: int | None = None) -> str:
    """A moment (nanoseconds since the epoch; default: now) as RFC 3339, UTC, milliseconds."""
    ns = time.time_ns() if ns is None else ns
    seconds, rest = divmod(ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1_000_000:03d}Z"


def is_timestamp(text: object) -> bool:
    """True for the one form `timestamp` writes; such texts sort as the moments do."""
    if not isinstance(text, str) or len(text) != 24 or text[23] != "Z":
        return False
    signs = text[4] + text[7] + text[10] + text[13] + text[16] + text[19]
    digits = text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19] + text[20:23]
    return signs == "--T::." and digits.isascii() and digits.isdigit()


def moment(text: object, *, strict: bool = False) -> str:
    """A time of RFC 3339 as `timestamp` writes it; "" for what is none, or before 1970. A day alone is its beginning,
    and what names no offset is in UTC, unless `strict`: then neither is a time.
    """
    if not isinstance(text, str) or not (len("2026-01-31T12:00:00Z") if strict else 10) <= len(text) <= 64:
        return ""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
        if strict and not at.tzinfo:
            return ""
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        since = at - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return ""
    if since.days < 0:
        return ""
    return timestamp((since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000)


def _uuid(raw: bytes, version: int) -> str:
    b = bytearray(raw)
    b[6] = b[6] & 0x0F | version << 4
    b[8] = b[8] & 0x3F | 0x80
    h = b.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
