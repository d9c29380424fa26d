"""What every tool works with: the store of the repository around the server, and which session is the agent's own."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from functools import cached_property

import git_agent_session
from git_agent_session import live
from git_agent_session.errors import AgentSessionError, SessionNotFound
from git_agent_session.mcp.quoting import Quote
from git_agent_session.model import Session
from git_agent_session.redact.configured import redactor
from git_agent_session.store.lookup import VARIABLE
from git_agent_session.store.store import Store


class Door:
    """One repository as one agent sees it. `write` says whether the tools that record anything are there.

    `start` is the folder to look for a repository from (None: the current one), `env` the agent's environment. The
    repository is looked for when it is first needed: a server may be started where there is none.
    """

    def __init__(self, start: str | None = None, env: Mapping[str, str] | None = None, *, write: bool = False) -> None:
        self.start = start
        self.env = os.environ if env is None else env
        self.write = write
        # what the client calls itself, such as claude-code or gemini-cli-mcp-client
        self.client = ""

    @cached_property
    def store(self) -> Store:
        """The sessions of the repository. Raises NotARepository, UnsupportedRepository; the next call looks again."""
        return git_agent_session.open(self.start, env=self.env)

    def own(self) -> str | None:
        """The id of the agent's own session, None where it is not sure which one that is.

        In this order: what `GIT_AGENT_SESSION` names; what the agent's own id in the environment names, while it is
        open; the one session here that is open and of the client's kind; the worktree's active one; the one session
        that is open here. Agents give their servers no id, and a server outlives a session that is cleared.
        """
        found = self.store.current_id()
        if self.env.get(VARIABLE):
            return found
        shared = self.store.shared
        named = live.of_agent(shared, self.env)
        if named and live.is_open(shared, named):
            return named
        here = self._open_here()
        mine = [s.id for s in here if s.agent.type and s.agent.type.partition("-")[0] in self._client_words()]
        if len(mine) == 1:
            return mine[0]
        active = live.active(self.store.private)
        if active and live.is_open(shared, active):
            return active
        return here[0].id if len(here) == 1 else found if not here else None

    def _open_here(self) -> list[Session]:
        """The sessions that are open, of those that this worktree has had."""
        shared, found = self.store.shared, []
        for session_id in live.recent(self.store.private):
            if live.is_open(shared, session_id):
                with contextlib.suppress(AgentSessionError):
                    found.append(self.store.get(session_id))
        return found

    def _client_words(self) -> set[str]:
        return set(re.split(r"[^a-z]+", self.client.lower()))

    def session(self, given: object = None) -> str:
        """The full id of a session: `given` is an id, a start of one, `@{-1}`; nothing, `@` and `current` are the own.

        Raises SessionNotFound, AmbiguousSession.
        """
        if isinstance(given, str) and given not in ("", "@", "current"):
            return self.store.resolve(given)
        found = self.own()
        if found is None:
            raise SessionNotFound(
                "which session is yours is not known here",
                hint="name one (list_sessions has them), or have the agent's hooks open it: `git agent-session enable`",
            )
        return found

    def quote(self, session_id: str = "") -> Quote:
        """How what was recorded in a session is quoted here."""
        return Quote(redactor(self.store.repo.location, session_id).text)
