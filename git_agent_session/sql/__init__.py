"""Copies of the index elsewhere: one database for many repositories, JSON lines, Parquet.

    from git_agent_session import index, sql

    sql.copy(index.open(store), "postgresql://reports@db.example.org/sessions")

A copy is kept up to date: what is copied again is what changed, and what is gone here goes there. docs/sql.md has the
tables. The libraries are those of the extras `[sql]` and `[parquet]`, imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from git_agent_session.errors import UsageError

if TYPE_CHECKING:
    from git_agent_session.index.derived import Index
    from git_agent_session.index.refresh import Progress
    from git_agent_session.sql.target import Copied


def copy(
    index: Index,
    to: str,
    *,
    name: str = "",
    reset: bool = False,
    progress: Progress | None = None,
    base: str = "",
    out: TextIO | None = None,
) -> Copied:
    """Bring the copy at `to` in line with the index, which the caller has refreshed.

    `to` is `sqlite:FILE`, `postgresql://…`, `jsonl:FILE`, `jsonl:-` or `parquet:DIR`, relative to the folder `base`.
    `name` is what the repository is called there (default: where it comes from, see `target.identity`). With `reset`
    all that a copy holds, of other repositories too, is deleted first. `out` is where `jsonl:-` goes (default: standard
    output). Raises AgentSessionError.
    """
    from git_agent_session.sql.target import Place, identity

    place = Place.parse(to, base)
    who = identity(index.store, name)
    if place.kind in ("sqlite", "postgresql"):
        from git_agent_session.sql import replicate

        return replicate.copy(index, place, who, reset=reset, progress=progress)
    if place.kind == "jsonl":
        from git_agent_session.sql import lines

        return lines.copy(index, place, who, out)
    from git_agent_session.sql import parquet

    return parquet.copy(index, place, who, reset=reset)


def migrate(to: str, revision: str, *, up: bool, base: str = "") -> str:
    """Bring the tables of the database at `to` up or down to a revision; returns the one they are at then.

    Raises UsageError for a place that is no database and for a revision that is none.
    """
    from git_agent_session.sql import database
    from git_agent_session.sql.target import Place

    place = Place.parse(to, base)
    if place.kind not in ("sqlite", "postgresql"):
        raise UsageError(f"{place} has no migrations", hint="only databases do: sqlite:FILE and postgresql://…")
    with database.opened(place) as engine:
        return database.upgrade(engine, revision) if up else database.downgrade(engine, revision)
