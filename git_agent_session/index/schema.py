"""The tables of the index, as data: from it come the SQL that makes them and the tables of docs/sql.md.

What is here is a promise to whoever writes queries: names keep their meaning, and what changes changes VERSION, upon
which every index is built anew. Times are RFC 3339 texts in UTC, ids are texts in full, JSON is text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

# also to be raised when what `bounds.sane` or `rows` make of the same events changes
VERSION = 4


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, SQLite type with constraints, and what it holds."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or, where it has a `select`, a view. `indexes` are lists of columns, `key` a primary key of several."""

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[str, ...] = ()
    select: str = ""

    def statements(self) -> Iterator[str]:
        """The SQL that makes it."""
        if self.select:
            # `at` is a word of DuckDB's SQL, which reads the text of a view
            names = ", ".join(f'"{c.name}"' for c in self.columns)
            yield f"CREATE VIEW IF NOT EXISTS {self.name} ({names}) AS {self.select}"
            return
        lines = [f"{c.name} {c.type}" for c in self.columns]
        if self.key:
            lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        # with its rowid: DuckDB reads no table by anything else
        yield f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(lines)})"
        for columns in (*self.indexes, *([self.unique] if self.unique else [])):
            unique = "UNIQUE " if columns == self.unique else ""
            name = f"{self.name}_{'_'.join(columns)}"
            yield f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {self.name} ({', '.join(columns)})"


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from lines of `name | type | what it holds`."""
    lines = (line.split(" | ") for line in text.splitlines() if line)
    return tuple(Column(name.strip(), kind.strip(), about.strip()) for name, kind, about in lines)


_EVENT = """
event | INTEGER PRIMARY KEY | the event: `events.key`
session | TEXT NOT NULL | the session's id
at | TEXT NOT NULL | when
"""

SESSIONS = Table(
    "sessions",
    "A row for each session: its state, what waits in the journal included.",
    _columns(
        """
id | TEXT PRIMARY KEY | the session's UUID
status | TEXT NOT NULL | `active`, `paused`, `completed`, `failed`, `error`, `aborted` or `abandoned`
goal | TEXT NOT NULL | what it is to achieve
title | TEXT NOT NULL | a short name
type | TEXT NOT NULL | the kind of session
project | TEXT NOT NULL | the project
user | TEXT NOT NULL | who started it: name and mail
parent | TEXT NOT NULL | the id of the session it was forked from
message | TEXT NOT NULL | the closing word
phase | TEXT NOT NULL | where it stands in its workflow
agent | TEXT NOT NULL | the agent's type, such as `claude-code`
agent_version | TEXT NOT NULL | the agent's version
model | TEXT NOT NULL | the model
native_id | TEXT NOT NULL | the agent's own name for the session
started_at | TEXT NOT NULL | when its first event happened
updated_at | TEXT NOT NULL | when its last event happened
ended_at | TEXT NOT NULL | when it ended
duration_ms | INTEGER NOT NULL | from the first to the last that is known of it
events | INTEGER NOT NULL | how many events
messages | INTEGER NOT NULL | how many messages
tools | INTEGER NOT NULL | how many tool calls
commits | INTEGER NOT NULL | how many commits are linked and not replaced
errors | INTEGER NOT NULL | how many errors
input_tokens | INTEGER NOT NULL | tokens that were neither read from nor written to a cache
output_tokens | INTEGER NOT NULL | tokens of answers, reasoning included
cache_read_tokens | INTEGER NOT NULL | tokens read from a cache
cache_write_tokens | INTEGER NOT NULL | tokens written to a cache
cost_usd | REAL NOT NULL | what it cost
tip | TEXT NOT NULL | the commit that its ref, or an archive, points at; empty while all is in the journal
journal | TEXT NOT NULL | what its journal looked like; empty where nothing waits
data | TEXT NOT NULL | the whole state as JSON, with the keys of `session.toml`
"""
    ),
    # the last one holds all that a refresh compares
    indexes=(("started_at",), ("status",), ("agent",), ("id", "tip", "journal")),
)

TAGS = Table(
    "tags",
    "The tags of sessions.",
    _columns("tag | TEXT NOT NULL | the tag\nsession | TEXT NOT NULL | the session's id"),
    key=("tag", "session"),
    indexes=(("session",),),
)

EVENTS = Table(
    "events",
    "All that happened. The order within a session is (`clock`, `id`).",
    _columns(
        """
key | INTEGER PRIMARY KEY | a number for joins, of this index alone
session | TEXT NOT NULL | the session's id
id | TEXT NOT NULL | the event's id, unique within the session
at | TEXT NOT NULL | when
kind | TEXT NOT NULL | `message`, `tool`, `commit` …: see format.md
clock | INTEGER NOT NULL | the Lamport clock
waits | INTEGER NOT NULL | 1 while it stands in the journal only
data | TEXT NOT NULL | its other keys as JSON, those that are not known too
"""
    ),
    indexes=(("kind", "session"),),
    unique=("session", "id"),
)

COMMITS = Table(
    "commits",
    "The links in force: which session made which commit, and how that is known.",
    _columns(
        """
commit_id | TEXT NOT NULL | the commit's full id
session | TEXT NOT NULL | the session's id
at | TEXT NOT NULL | when it was linked
via | TEXT NOT NULL | the evidence: see format.md
is_primary | INTEGER NOT NULL | 1 where somebody chose this session as the commit's main one
tree | TEXT NOT NULL | the commit's tree
patch_id | TEXT NOT NULL | as of `git patch-id --stable`
rewritten_from | TEXT NOT NULL | the commit it is a copy or a rewriting of
replaced_by | TEXT NOT NULL | the commit that an amend or a rebase put in its place
"""
    ),
    key=("commit_id", "session"),
    indexes=(("session",),),
)

TOOLS = Table(
    "tools",
    "The tool calls.",
    _columns(
        f"""{_EVENT}
name | TEXT NOT NULL | the tool's name
outcome | TEXT NOT NULL | `ok`, `error`, `interrupted` or empty
duration_ms | REAL | how long it took, where that is known
summary | TEXT NOT NULL | what it was about
"""
    ),
    indexes=(("name", "session"), ("session",)),
)

FILES = Table(
    "files",
    "The files of sessions: those that tools were given, and those of linked commits.",
    _columns(
        """
path | TEXT NOT NULL | relative to the worktree's top
session | TEXT NOT NULL | the session's id
event | INTEGER | the tool call: `events.key`; NULL for a commit's
commit_id | TEXT NOT NULL | the commit; empty for a tool call's
"""
    ),
    indexes=(("path", "session"), ("session",)),
)

AGENTS = Table(
    "agents",
    "The agents that worked inside a session: subagents, and those that `agent start` names.",
    _columns(
        """
session | TEXT NOT NULL | the session's id
agent_id | TEXT NOT NULL | its name in the session
type | TEXT NOT NULL | what it is for
model | TEXT NOT NULL | its model
alias | TEXT NOT NULL | the model's short name
native_id | TEXT NOT NULL | the agent's own name for its session
status | TEXT NOT NULL | `pending`, `executing`, `complete` or `failed`
checkpoint | TEXT NOT NULL | where it can go on
started_at | TEXT NOT NULL | when it started
ended_at | TEXT NOT NULL | when it stopped
data | TEXT NOT NULL | all that its events say, as JSON
"""
    ),
    key=("session", "agent_id"),
)

SNAPSHOTS = Table(
    "snapshots",
    "The context snapshots. What is in one stands on the session's ref: `git agent-session context`.",
    _columns(
        f"""{_EVENT}
type | TEXT NOT NULL | `initial`, `update` or `refresh`
file_count | INTEGER | how many files
token_estimate | INTEGER | how many tokens it takes
"""
    ),
    indexes=(("session",),),
)

USAGE = Table(
    "usage",
    "Tokens and costs, to be added up.",
    _columns(
        f"""{_EVENT}
model | TEXT NOT NULL | whose tokens these are
input_tokens | INTEGER NOT NULL | as in `sessions`
output_tokens | INTEGER NOT NULL | as in `sessions`
cache_read_tokens | INTEGER NOT NULL | as in `sessions`
cache_write_tokens | INTEGER NOT NULL | as in `sessions`
reasoning_tokens | INTEGER NOT NULL | the part of the output's that was reasoning
cost_usd | REAL NOT NULL | what it cost
duration_ms | REAL NOT NULL | how long it took
"""
    ),
    indexes=(("session",), ("model",)),
)


def _of(key: str) -> str:
    """SQL for a key of an event's data, NULL where there is none.

    SQLite has `->>` since 3.38; DuckDB, which reads these texts too, has no other way to a text without quotes.
    """
    return f"data ->> '$.{key}'" if sqlite3.sqlite_version_info >= (3, 38) else f"json_extract(data, '$.{key}')"


def _told(key: str) -> str:
    """The same, with "" for NULL."""
    return f"coalesce({_of(key)}, '')"


MESSAGES = Table(
    "messages",
    "A view: what was said, messages and what `log` recorded.",
    _columns(
        """
event | INTEGER | the event: `events.key`
session | TEXT | the session's id
at | TEXT | when
role | TEXT | `user`, `assistant`, `tool`, `system`, or empty
type | TEXT | the user's own word for what `log` recorded, or empty
text | TEXT | what was said
"""
    ),
    select=f"""SELECT key, session, "at", {_told("role")}, {_told("type")}, {_told("text")} """
    "FROM events WHERE kind IN ('message', 'interaction')",
)

METRICS = Table(
    "metrics",
    "A view: numbers under a name.",
    _columns(
        """
event | INTEGER | the event: `events.key`
session | TEXT | the session's id
at | TEXT | when
name | TEXT | the metric's name
value | REAL | the number
"""
    ),
    select=f"""SELECT key, session, "at", {_of("name")}, CAST({_of("value")} AS DOUBLE) """
    "FROM events WHERE kind = 'metric'",
)

_TEXT_KEYS = ("goal", "title", "text", "name", "summary", "message", "reason", "paths", "file", "path")
_TEXT = " || ' ' || ".join(_told(key) for key in _TEXT_KEYS)

TEXTS = Table(
    "texts",
    "A view: the text of an event that a search looks at. The full text index `search` is made from it, with the same "
    "`event` as `rowid`; a Python whose SQLite has no FTS5 makes none.",
    _columns("event | INTEGER | the event: `events.key`\ntext | TEXT | goals, prompts, answers, tool calls, files"),
    select=f"SELECT key, substr({_TEXT}, 1, 32768) FROM events "
    "WHERE kind NOT IN ('usage', 'commit', 'unlink', 'rewrite', 'transcript', 'model', 'metric', 'context')",
)

META = Table(
    "meta",
    "What the index knows of itself.",
    _columns("name | TEXT PRIMARY KEY | the name\nvalue | TEXT NOT NULL | the value"),
)

TABLES = (*(SESSIONS, TAGS, EVENTS, MESSAGES, TOOLS, FILES, COMMITS, AGENTS, SNAPSHOTS, USAGE, METRICS, TEXTS, META),)

# deleted with the session that they belong to
OF_SESSION = (TAGS, TOOLS, FILES, COMMITS, AGENTS, SNAPSHOTS, USAGE, EVENTS)

SEARCH = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(text, content='texts', content_rowid='event', "
    'tokenize="unicode61 remove_diacritics 2")'
)


def document() -> str:
    """The tables as Markdown: the part of docs/sql.md that is generated."""
    parts = []
    for table in TABLES:
        rows = "".join(f"| `{c.name}` | {_type(c)} | {c.about} |\n" for c in table.columns)
        parts.append(f"### {table.name}\n\n{table.about}\n\n| column | type | |\n|---|---|---|\n{rows}")
    return "\n".join(parts)


def _type(column: Column) -> str:
    return column.type.partition(" ")[0].lower()
