"""Full text search in the index: what a person types, the events that fit, the best first.

Without FTS5 in this Python's SQLite every word is looked for as it is, which is slower and ranks by time.
"""

from __future__ import annotations

import heapq
import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from git_agent_session.errors import UsageError
from git_agent_session.model import Doc

# of more events than these that fit, the younger ones are ranked
CANDIDATES = 2_000
# sessions; among more, the younger events that fit are found soon
FEW = 500
# sessions that the youngest events are looked for in at first
SOME = 50
# around a hit in a snippet; control characters, which no text of ours holds
BEGIN, END = "\x02", "\x03"
SNIPPET_WORDS, SNIPPET_LENGTH = 16, 120
MAX_WORDS = 32

_WORD = re.compile(r'"[^"]*"|\S+')


@dataclass(frozen=True, slots=True)
class Where:
    """What a search asks for besides words; what is empty is not asked. Times are RFC 3339, those of the events.

    `path` is a file, a folder or a pattern with `*`, `?` or `[…]`, `user` a part of name or mail; texts with one of the
    words or phrases of `without` do not fit. `among` are the sessions in question, None for all.
    """

    session: str = ""
    agent: str = ""
    project: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    commit: str = ""
    path: str = ""
    user: str = ""
    statuses: Sequence[str] = ()
    kinds: Sequence[str] = ()
    without: Sequence[str] = ()
    among: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that fits: `score` is higher for a better one; `snippet` has hits between BEGIN and END."""

    session: str
    event: str
    kind: str
    at: str
    goal: str
    snippet: str
    score: float = 0.0
    key: int = field(default=0, repr=False)

    def to_dict(self) -> Doc:
        """As `--json` prints it, hits between square brackets."""
        plain = self.snippet.replace(BEGIN, "[").replace(END, "]")
        told = {"session": self.session, "event": self.event, "kind": self.kind, "at": self.at, "goal": self.goal}
        return {k: v for k, v in told.items() if v} | {"snippet": plain, "score": round(self.score, 3)}


def search(db: sqlite3.Connection, text: str, where: Where, limit: int, *, full: bool) -> list[Hit]:
    """The events that hold all the words of `text`, the best first; `"…"` is a phrase, `word*` a beginning.

    `full` is False where there is no full text index. Raises UsageError for a text without words.
    """
    words = _words(text)
    conditions, values = _conditions(where)
    if not full:
        return _plain(db, words, where, limit)
    query = _query(words, where.without)
    if _is_few(db, where):
        keys = f"SELECT e.key FROM sessions s JOIN events e ON e.session = s.id WHERE 1{conditions}"
        # the plus keeps SQLite from asking the full text index once for each key
        return _ranked(db, query, f"WHERE f.search MATCH ? AND +f.rowid IN ({keys})", values, limit)
    joined = "JOIN events e ON e.key = f.rowid JOIN sessions s ON s.id = e.session " if conditions else ""
    return _ranked(db, query, f"{joined}WHERE f.search MATCH ?{conditions}", values, limit)


def youngest(db: sqlite3.Connection, where: Where, limit: int) -> list[Hit]:
    """The events that fit `where`, whatever they say, the youngest first; snippets are the beginnings of texts."""
    conditions, values = _conditions(_of_sessions(where))
    order = "ORDER BY s.updated_at DESC, s.id"
    # no event of a session is younger than its last one
    query = f"SELECT s.id, s.updated_at FROM sessions s WHERE s.updated_at >= ?{conditions} {order}"
    sessions = db.execute(query, (where.since, *values)).fetchall()
    most = SOME
    while True:
        some = [session_id for session_id, _ in sessions[:most]]
        found = _latest(db, replace(where, among=some), limit)
        if most >= len(sessions) or (len(found) == limit and found[-1].at > sessions[most][1]):
            return found
        most *= 8


def _of_sessions(where: Where) -> Where:
    """What is asked of sessions alone."""
    return replace(where, since="", until="", kinds=(), without=())


def _latest(db: sqlite3.Connection, where: Where, limit: int) -> list[Hit]:
    conditions, values = _conditions(where)
    unwanted = [_like(bare) for w in where.without if (bare := w.strip('"').rstrip("*"))]
    # which ones first: the texts of all would be put together to be sorted
    keys = (
        "SELECT e.key FROM sessions s CROSS JOIN events e ON e.session = s.id JOIN texts t ON t.event = e.key "
        f"WHERE 1{conditions}{_NOT_LIKE * len(unwanted)} ORDER BY e.at DESC, e.key DESC LIMIT ?"
    )
    found = db.execute(
        "SELECT e.session, e.id, e.kind, e.at, s.goal, t.text, e.key FROM events e JOIN sessions s ON s.id = e.session "
        f"JOIN texts t ON t.event = e.key WHERE e.key IN ({keys}) ORDER BY e.at DESC, e.key DESC",
        (*values, *unwanted, limit),
    ).fetchall()
    return [
        Hit(session, event, kind, at, goal, text.strip()[:SNIPPET_LENGTH], 0.0, key)
        for session, event, kind, at, goal, text, key in found
    ]


_NOT_LIKE = " AND t.text NOT LIKE ? ESCAPE '\\'"


def _is_few(db: sqlite3.Connection, where: Where) -> bool:
    """Whether the sessions that may fit are so few that their events are better listed first."""
    conditions, values = _conditions(_of_sessions(where))
    if not conditions:
        return False
    found = db.execute(f"SELECT 1 FROM sessions s WHERE 1{conditions} LIMIT ?", (*values, FEW + 1)).fetchall()
    return len(found) <= FEW


def _words(text: str) -> list[str]:
    words = [w for w in _WORD.findall(text.replace("\0", " ")) if any(c.isalnum() for c in w)]
    if not words:
        raise UsageError("there is no word to search for", hint='give words, "a phrase" or begin*')
    return words[:MAX_WORDS]


def _query(words: Sequence[str], without: Sequence[str] = ()) -> str:
    """The words in the language of FTS5 (sqlite.org/fts5.html), none of them read as an operator."""
    wanted = " ".join(map(_quoted, words))
    # one that has nothing to look for would be an empty phrase, which no text has
    unwanted = [_quoted(w) for w in without if any(c.isalnum() for c in w)]
    return f"({wanted}) NOT ({' OR '.join(unwanted)})" if unwanted else wanted


def _quoted(word: str) -> str:
    bare = word.strip('"').rstrip("*").replace('"', '""')
    return f'"{bare}"' + ("*" if word.endswith("*") else "")


def _conditions(where: Where) -> tuple[str, list[str]]:
    found: list[tuple[str, list[str]]] = []
    for column, value in (("s.id", where.session), ("s.agent", where.agent), ("s.project", where.project)):
        if value:
            found.append((f"{column} = ?", [value]))
    if where.among is not None:
        # as one value: SQLite takes a limited number of them
        found.append(("s.id IN (SELECT value FROM json_each(?))", [json.dumps(list(where.among))]))
    if where.since:
        found.append(("e.at >= ?", [where.since]))
    if where.until:
        found.append(("e.at <= ?", [where.until]))
    if where.kinds:
        found.append((f"e.kind IN ({','.join('?' * len(where.kinds))})", list(where.kinds)))
    if where.tag:
        found.append(("s.id IN (SELECT session FROM tags WHERE tag = ?)", [where.tag]))
    if where.commit:
        found.append(("s.id IN (SELECT session FROM commits WHERE commit_id = ?)", [where.commit]))
    if where.statuses:
        found.append((f"s.status IN ({','.join('?' * len(where.statuses))})", list(where.statuses)))
    if where.user:
        found.append(("s.user LIKE ? ESCAPE '\\'", [_like(where.user)]))
    if where.path:
        condition, values = at(where.path)
        found.append((f"s.id IN (SELECT session FROM files WHERE {condition})", values))
    return "".join(f" AND {c}" for c, _ in found), [v for _, values in found for v in values]


# a path itself, or all below it: a range, so that an index serves
UNDER = "(path = ? OR (path > ? AND path < ?))"


def under(path: str) -> list[str]:
    """The values of UNDER for a path."""
    bare = path.strip().rstrip("/").removeprefix("./")
    return [bare, f"{bare}/", f"{bare}0"]


def at(path: str) -> tuple[str, list[str]]:
    """The condition on a row of `files` that a path, a folder or a pattern makes, and its values."""
    if any(c in path for c in "*?["):
        return "path GLOB ?", [path.removeprefix("./")]
    return UNDER, under(path)


def _like(text: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


def _ranked(db: sqlite3.Connection, query: str, where: str, values: list[str], limit: int) -> list[Hit]:
    # to rank a word that a million events hold takes a second: of those only the younger are ranked. `bm25` is asked
    # for by name, since an order by `rank` would rank what the conditions leave out too
    youngest = f"SELECT f.rowid, bm25(search) FROM search f {where} ORDER BY f.rowid DESC LIMIT {CANDIDATES}"
    ranks = db.execute(youngest, (query, *values)).fetchall()
    best = heapq.nsmallest(limit, ranks, key=lambda row: (row[1], -row[0]))
    event = "SELECT e.session, e.id, e.kind, e.at, s.goal FROM events e JOIN sessions s ON s.id = e.session"
    snippet = f"SELECT snippet(search, 0, '{BEGIN}', '{END}', '…', {SNIPPET_WORDS}) FROM search"
    out = []
    for key, rank in best:
        told = db.execute(f"{event} WHERE e.key = ?", (key,)).fetchone()
        text = db.execute(f"{snippet} WHERE search MATCH ? AND rowid = ?", (query, key)).fetchone()
        if told is not None:
            session, event_id, kind, when, goal = told
            shown = str(text[0]).strip() if text else ""
            out.append(Hit(session, event_id, kind, when, goal, shown, -float(rank), key))
    return out


def _plain(db: sqlite3.Connection, words: Sequence[str], where: Where, limit: int) -> list[Hit]:
    conditions, values = _conditions(where)
    bare = [w.strip('"').rstrip("*") for w in words]
    unwanted = [w.strip('"').rstrip("*") for w in where.without]
    fits = " AND t.text LIKE ? ESCAPE '\\'" * len(bare) + _NOT_LIKE * len(unwanted)
    query = (
        "SELECT e.session, e.id, e.kind, e.at, s.goal, t.text, e.key FROM texts t JOIN events e ON e.key = t.event "
        f"JOIN sessions s ON s.id = e.session WHERE 1{conditions}{fits} ORDER BY e.key DESC LIMIT ?"
    )
    found = db.execute(query, (*values, *map(_like, (*bare, *unwanted)), limit)).fetchall()
    return [
        Hit(session, event, kind, at, goal, _around(text, bare[0]), 0.0, key)
        for session, event, kind, at, goal, text, key in found
    ]


def _around(text: str, word: str) -> str:
    at = max(0, text.lower().find(word.lower()))
    start, end = max(0, at - 60), at + len(word)
    return f"{text[start:at]}{BEGIN}{text[at:end]}{END}{text[end : end + 60]}".strip()
