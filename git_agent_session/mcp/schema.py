"""The few shapes that the tools' JSON Schemas (draft 2020-12) are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from git_agent_session.model import Doc

MAX_LIMIT = 200


def text(about: str, most: int = 4_000, *, choices: Sequence[str] = (), pattern: str = "") -> Doc:
    """A text of at most `most` characters, or one of `choices`."""
    if choices:
        return {"type": "string", "description": about, "enum": list(choices)}
    return {"type": "string", "description": about, "maxLength": most, **({"pattern": pattern} if pattern else {})}


def texts(about: str, *, choices: Sequence[str] = (), most: int = 50) -> Doc:
    """A list of texts."""
    item: Doc = {"type": "string", "enum": list(choices)} if choices else {"type": "string", "maxLength": 1_000}
    return {"type": "array", "items": item, "maxItems": most, "description": about}


def whole(about: str, *, least: int = 0, most: int = 1_000_000_000, default: int | None = None) -> Doc:
    """A whole number."""
    more = {} if default is None else {"default": default}
    return {"type": "integer", "description": about, "minimum": least, "maximum": most, **more}


def table(properties: Mapping[str, Doc], required: Sequence[str] = (), *, closed: bool = False) -> Doc:
    """An object; a closed one has no other keys."""
    out: Doc = {"type": "object", "properties": dict(properties)}
    return (
        out | ({"required": list(required)} if required else {}) | ({"additionalProperties": False} if closed else {})
    )


def rows(about: str, properties: Mapping[str, Doc] | None = None) -> Doc:
    """A list of objects."""
    return {"type": "array", "items": table(properties or {}), "description": about}


def said(about: str, kind: str = "string") -> Doc:
    """A value of an answer."""
    return {"type": kind, "description": about}


SESSION: Doc = {
    "session": text("Id of the session, or a start of it; your own one when left out.", 64),
}
PAGE: Doc = {
    "offset": whole("How many to leave out: the `next` of the answer before.", default=0),
    "limit": whole("How many at most.", least=1, most=MAX_LIMIT, default=20),
}
MOMENT = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$"
SINCE: Doc = {
    "since": text("Not before this day or moment, RFC 3339, such as 2026-01-31.", 40, pattern=MOMENT),
    "until": text("Not after this day (its end) or moment.", 40, pattern=MOMENT),
}
NEXT: Doc = {
    "total": said("How many there are.", "integer"),
    "next": said("The `offset` to go on with; missing when there is no more.", "integer"),
}
PART: Doc = {
    "text": said("The text, or a part of it."),
    "total_chars": said("How long the whole text is.", "integer"),
    "next": said("The `offset` of the next part; missing after the last.", "integer"),
}
STATE: Doc = {
    "id": said("The session's id."),
    "status": said("active, paused, completed, failed, abandoned …"),
    "goal": said("What it is to do."),
    "started_at": said("RFC 3339, UTC."),
    "updated_at": said("RFC 3339, UTC."),
}
