"""OpenCode's transcripts: a message with its parts is a record.

`DATABASE#SESSION` names a transcript, `FOLDER#SESSION` one of the older form; see `opencode_store`. Messages change
after they are written: a part is finished, a summary is added. So what was read is remembered by the times of change,
and a message that changed comes again. Fields are those of OpenCode 1.18.33, seen live.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import payload as read_
from git_agent_session.agents.opencode import data_folder, database
from git_agent_session.agents.opencode_store import ms, opened, sessions
from git_agent_session.agents.protocol import Found, Item, Source
from git_agent_session.ids import is_event_id, timestamp
from git_agent_session.live import listed
from git_agent_session.model import Doc

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Tally
    from git_agent_session.git.discover import Location

SUBAGENTS = 1000
# ms: a change can come to be seen after a later one
MARGIN = 2000

# parts that OpenCode writes for itself: its snapshots of the files, and sums that the message has too
_OWN = ("step-start", "step-finish", "snapshot", "patch")
# of a message's fields: what it was asked with, whole diffs, and the machine's folders
_DROPPED = ("system", "tools", "summary", "path", "snapshot", "structured")
# of what a tool reports: the rest repeats its output, or holds whole diffs
_METADATA = ("exit", "truncated", "interrupted", "sessionId")
_ABORTED = "MessageAbortedError"
_STOPPED = "User aborted the command"


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`. Raises ValueError for what does not lie in OpenCode's own folder."""
    base, _, session = path.rpartition("#")
    real, home = os.path.realpath(base), os.path.realpath(data_folder(env))
    name = os.path.basename(real)
    own = os.path.dirname(real) == home and (
        name == "storage" or (name.startswith("opencode") and name.endswith(".db"))
    )
    if not (own or real == os.path.realpath(database(env))) or not is_event_id(session):
        raise ValueError("the transcript does not lie in OpenCode's own folder: it is not read")
    known = [session]
    with contextlib.suppress(OSError), opened(real, session) as store:
        for parent in known:
            new = [child for child in store.children(parent) if child not in known and is_event_id(child)]
            known += new[: SUBAGENTS + 1 - len(known)]
    return [Source(id if n else "", f"{real}#{id}") for n, id in enumerate(known)]


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`.

    A place is how far times of change were read (`since`) and what was seen just before that (`seen`), and in the midst
    of a pass the message that was reached (`after`) and how far the pass goes (`upto`).
    """
    base, _, session = source.path.rpartition("#")
    place = place if isinstance(place, dict) else {}
    since, seen = ms(place.get("since")), read_.table(place.get("seen"))
    given = place.get("after")
    after = tuple(given) if isinstance(given, list) and len(given) == 2 else (-1, "")
    with opened(base, session) as store:
        rows = store.rows(session)
        upto = ms(place.get("upto")) or max((row.changed for row in rows), default=0)
        done = {row.id: row.changed for row in rows if upto - MARGIN < row.changed <= upto}
        new = [
            r for r in rows if r.changed > since - MARGIN and seen.get(r.id) != r.changed and (r.created, r.id) > after
        ]
        for n, row in enumerate(new, 1):
            record = store.load(session, row)
            if n < len(new):
                yield record, {"since": since, "seen": seen, "after": [row.created, row.id], "upto": upto}
            else:
                yield record, {"since": upto, "seen": done}


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`: each session once, from a database before the older files."""
    from git_agent_session.agents.history import belongs

    home, ours, known = data_folder(env), dict[str, bool](), set[str]()
    others = [os.path.join(home, n) for n in listed(home) if n.startswith("opencode") and n.endswith(".db")]
    for base in dict.fromkeys([database(env), *others, os.path.join(home, "storage")]):
        for session, directory, changed in sessions(base):
            if directory not in ours:
                ours[directory] = belongs(directory, location)
            if ours[directory] and session not in known and is_event_id(session):
                known.add(session)
                yield Found(session, f"{base}#{session}", changed / 1000)


# -- records


def kept(record: Doc) -> Doc | None:
    """See `protocol.Recorded`."""
    info = read_.table(record.get("info"))
    parts = [_kept_part(part) for part in _parts(record) if not _is_own(part)]
    if not parts and not info.get("error"):
        return None
    summary = {"summary": True} if info.get("summary") is True else {}
    return {**record, "info": {k: v for k, v in info.items() if k not in _DROPPED} | summary, "parts": parts}


def _is_own(part: Mapping[str, Any]) -> bool:
    return part.get("type") in _OWN or part.get("synthetic") is True or part.get("ignored") is True


def _kept_part(part: Mapping[str, Any]) -> Doc:
    state = part.get("state")
    if part.get("type") != "tool" or not isinstance(state, dict):
        return {k: v for k, v in part.items() if k != "metadata"}
    metadata = {k: v for k, v in read_.table(state.get("metadata")).items() if k in _METADATA}
    return {**part, "state": {**state, "metadata": metadata}}


def _parts(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = record.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`. What a subagent was asked is no person's prompt: it stands in the call."""
    info, own_id = read_.table(record.get("info")), read_.word(record.get("id"))
    at = record.get("timestamp")
    at = at if isinstance(at, str) else ""
    parts = [part for part in _parts(record) if not _is_own(part)]
    if info.get("role") == "user":
        said = "\n".join(_said(part) for part in parts if part.get("type") == "text")
        if said.strip() and not source.name:
            yield Item("prompt", own_id, at, said)
        return
    for part in parts:
        yield from _part_items(part, at, "compact" if info.get("summary") is True else "answer")
    error = read_.table(info.get("error"))
    if error:
        reason = read_.table(error.get("data")).get("message")
        kind = "interrupt" if error.get("name") == _ABORTED else "error"
        text = reason if isinstance(reason, str) and reason else read_.word(error.get("name"))
        yield Item(kind, f"{own_id}.error", at, text if kind == "error" else "")


def _part_items(part: Mapping[str, Any], at: str, says: str) -> Iterator[Item]:
    kind, own_id = part.get("type"), read_.word(part.get("id"))
    start, _ = _times(part)
    at = timestamp(start * 1_000_000) if start else at
    if kind == "text" and _said(part).strip():
        yield Item(says, own_id, at, _said(part))
    elif kind == "reasoning" and _said(part).strip():
        yield Item("thinking", own_id, at, _said(part))
    elif kind == "tool":
        yield from _call(part, own_id, at)


def _call(part: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    state = read_.table(part.get("state"))
    start, end = _times(state)
    at = timestamp(start * 1_000_000) if start else at
    yield Item("call", own_id, at, name=read_.word(part.get("tool")), input=read_.table(state.get("input")))
    if state.get("status") not in ("completed", "error", "success"):
        return
    metadata, said = read_.table(state.get("metadata")), state.get("output") or state.get("error")
    code = metadata.get("exit")
    said = said if isinstance(said, str) else ""
    failed = state["status"] == "error" or (isinstance(code, int) and code != 0)
    # a command that was stopped counts as completed, and says so at the end of its output
    tail = said[-200:].rstrip()
    stopped = metadata.get("interrupted") is True or (tail.endswith("_metadata>") and _STOPPED in tail)
    yield Item(
        "result",
        own_id,
        timestamp(end * 1_000_000) if end else at,
        said,
        outcome="interrupted" if stopped else "error" if failed else "ok",
        duration_ms=end - start if end >= start > 0 else None,
    )


def _said(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _times(of: Mapping[str, Any]) -> tuple[int, int]:
    time = read_.table(of.get("time"))
    return ms(time.get("start")), ms(time.get("end"))


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`: input is without the cache, output without reasoning.

    A request is known by the time that its message was made: a fork copies messages under new ids, with their times.
    """
    info = read_.table(record.get("info"))
    tokens, model = read_.table(info.get("tokens")), read_.word(info.get("modelID"))
    if info.get("role") != "assistant":
        return
    cache, created = read_.table(tokens.get("cache")), ms(read_.table(info.get("time")).get("created"))
    reasoning = read_.whole(tokens.get("reasoning")) or 0
    amounts = {
        "input_tokens": read_.whole(tokens.get("input")) or 0,
        "output_tokens": (read_.whole(tokens.get("output")) or 0) + reasoning,
        "cache_read_tokens": read_.whole(cache.get("read")) or 0,
        "cache_write_tokens": read_.whole(cache.get("write")) or 0,
        "reasoning_tokens": reasoning,
    }
    key = f"{source.name}:{created or read_.word(record.get('id'))}:{model}"
    at = timestamp(created * 1_000_000) if created else ""
    if any(amounts.values()):
        tally.message(key, at, model, amounts)
        cost = info.get("cost")
        # 0 where OpenCode knows no price
        if isinstance(cost, int | float) and cost > 0:
            tally.cost(key, at, float(cost))
    if not source.name:
        tally.name(model=model)
