"""The derived index: all sessions of a repository as documented SQLite, for lists, search and anybody's queries.

    from git_agent_session import index

    found = index.open(store)
    found.refresh()
    found.query("SELECT name, count(*) FROM tools GROUP BY name ORDER BY 2 DESC")

Nothing needs it: delete the file and all works as before, slower once. docs/sql.md has the tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from git_agent_session.index.derived import Index
    from git_agent_session.store.reader import Reader


def open(store: Reader) -> Index:
    """The index of a store's repository; nothing is read or written yet."""
    from git_agent_session.index.derived import Index

    return Index(store)
