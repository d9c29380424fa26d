"""The latest commits of the project, with what they say of who made them.

`status` uses this, so nothing is read of a commit before it is asked for, and there is no dataclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_agent_session.git.repository import Repository


class Made:
    """A commit, and what it says of its makers."""

    __slots__ = ("_raw",)

    def __init__(self, raw: pygit2.Commit) -> None:
        self._raw = raw

    @property
    def commit(self) -> str:
        """Its id."""
        return str(self._raw.id)

    @property
    def message(self) -> str:
        """Its message as text."""
        return self._raw.message

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.lstrip("\n").partition("\n")[0]

    @property
    def makers(self) -> tuple[str, str]:
        """Author and committer, each as `Name <mail>`."""
        author, committer = self._raw.author, self._raw.committer
        return f"{author.name} <{author.email}>", f"{committer.name} <{committer.email}>"

    @property
    def mail(self) -> str:
        """The committer's."""
        return self._raw.committer.email


def recent(repo: Repository, *, limit: int, since: float, branch: bool = False) -> Iterator[Made]:
    """At most `limit` commits reachable from HEAD, the latest first, until one was committed before `since` (epoch).

    With `branch` the first parents alone, which costs a tenth. It stops where history is damaged or ends (a shallow
    clone).
    """
    try:
        for number, raw in enumerate(_branch(repo) if branch else _all(repo)):
            # a commit has whole seconds: one in the same second counts
            if number >= limit or raw.commit_time + 1 <= since:
                return
            yield Made(raw)
    except (pygit2.GitError, KeyError, ValueError, UnicodeError):
        return


def _branch(repo: Repository) -> Iterator[pygit2.Commit]:
    tip = repo.head()
    raw = repo.commit_at(tip) if tip else None
    while raw is not None:
        yield raw
        raw = raw.parents[0] if raw.parent_ids else None


def _all(repo: Repository) -> Iterator[pygit2.Commit]:
    from pygit2.enums import SortMode

    tip = repo.head()
    if tip:
        # by date as `git log`; with any other mode libgit2 reads the whole history first
        yield from repo.raw.walk(pygit2.Oid(hex=tip), SortMode.NONE)
