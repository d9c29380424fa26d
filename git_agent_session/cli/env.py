"""What every command works with: the store, opened when first needed, and the streams it reads and writes.

A command takes one of these, so that tests run commands without a process. Colour, pager and width follow git's
configuration; nothing here knows what a command does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from git_agent_session import term
from git_agent_session.errors import AgentSessionError, SessionNotFound, UsageError

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository
    from git_agent_session.model import Session
    from git_agent_session.progress import Bar
    from git_agent_session.report.view import View
    from git_agent_session.store.store import Store

# bytes of standard input that one text may hold
MAX_INPUT = 16 * 1024 * 1024

_CONFIG_KEYS = (
    "color.ui",
    "color.pager",
    "color.agentSession",
    *(f"color.agentSession.{s}" for s in ("id", "status-active", "status-ended", "status-failed", "heading", "dim")),
    "core.pager",
    "pager.agent-session",
)


class Env:
    """The world of one command. `start` is the folder to look for a repository from (None: the current one)."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        start: str | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
        input: TextIO | None = None,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self.start = start
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.input = input or sys.stdin

    @cached_property
    def store(self) -> Store:
        """The sessions of this repository. Raises NotARepository or UnsupportedRepository."""
        import git_agent_session

        return git_agent_session.open(self.start, env=self.environ)

    @cached_property
    def repo(self) -> Repository:
        """The repository; a command that only reads may set a light one here first."""
        return self.store.repo

    @property
    def folder(self) -> str:
        """A folder of the repository to run git in: the worktree, or the git directory where there is none."""
        location = self.repo.location
        return location.worktree or location.git_dir

    def remark_hooks(self) -> None:
        """Say on stderr when the git hooks are not installed here: then no commit will be linked."""
        from git_agent_session.hooks.glance import COMMAND, in_place

        repo = self.store.repo
        if not in_place(repo.location, repo.config("core.hooksPath"), repo.config(COMMAND)):
            self.warn("hooks are not installed here, so commits will not be linked; run `git agent-session install`")

    def is_off(self) -> bool:
        """True where `agentSession.enabled` says that nothing is to be recorded in this repository."""
        try:
            return self.store.is_off()
        except AgentSessionError:
            return False

    # -- which session

    def target(self, *given: str | None) -> str:
        """The id of the session to write to: the one of `given` that is there, else the current one.

        Raises SessionNotFound, AmbiguousSession, and UsageError when two of `given` name different sessions.
        """
        from git_agent_session.store.lookup import VARIABLE

        named = self._one(given)
        session_id = self.store.resolve(named)
        if named is None and self.environ.get(VARIABLE):
            try:
                self.store.get(session_id)
            except SessionNotFound as e:
                raise SessionNotFound(
                    f"{VARIABLE} is {session_id}, and there is no such session here",
                    hint=f"unset {VARIABLE}, or see `git agent-session list`",
                ) from e
        return session_id

    def reading(self, *given: str | None, said: bool = True) -> str:
        """The id of a session that can be read: as `target`, else the last one of this worktree, `said` on stderr.

        Raises as `target` does, and BrokenSession.
        """
        return self.read(*given, said=said).id

    def read(self, *given: str | None, said: bool = True) -> Session:
        """The state of the session that `reading` names."""
        return self.store.get(self._reading(given, said))

    def _reading(self, given: Iterable[str | None], said: bool) -> str:
        named = self._one(given)
        if named is not None or self.store.current_id() is not None:
            return self.target(named)
        last = self.last()
        if last is None:
            raise SessionNotFound(
                "there is no session here yet", hint="`git agent-session start` opens one, `list` shows all"
            )
        if said:
            self.say(f"no current session; this is the last one here, {last[:8]}")
        return last

    def last(self) -> str | None:
        """The id of the session that this worktree had last and that still exists."""
        from git_agent_session import live

        for session_id in live.recent(self.store.private):
            try:
                self.store.get(session_id)
            except SessionNotFound:
                continue
            return session_id
        return None

    def facts(self, commit: str) -> Mapping[str, object]:
        """What git knows of a commit, nothing when it is gone or when an event of another's holds what is no id."""
        try:
            return self.repo.commit_facts(commit)
        except ValueError:
            return {}

    def _one(self, given: Iterable[str | None]) -> str | None:
        named = list(dict.fromkeys("@{-1}" if g == "-" else g for g in given if g is not None))
        for text in named:
            if not text:
                raise UsageError("the session's id is empty", hint="leave it out for the current session")
        if len(named) > 1 and len({self.store.resolve(n) for n in named}) > 1:
            raise UsageError(f"two sessions are named, {named[0]} and {named[1]}", hint="name one")
        return named[0] if named else None

    # -- writing

    def write(self, text: str) -> None:
        """Write cleaned text to standard output, a line end added."""
        self.out.write(text + "\n")

    def say(self, text: str) -> None:
        """A remark to the person at the terminal, on standard error."""
        self.err.write(term.clean(text) + "\n")

    def warn(self, text: str) -> None:
        """A warning, on standard error."""
        self.say(f"warning: {text}")

    def json(self, value: Any) -> None:
        """`value` as JSON on standard output."""
        from git_agent_session.report.rows import dump

        self.out.write(dump(value, ascii_only=not is_utf8(self.out)))

    def report_broken(self) -> None:
        """Name the sessions that the last list had to skip."""
        for error in self.store.broken:
            self.warn(error.line())

    def busy(self, what: str, unit: str = "") -> Bar:
        """A bar for work of more than a second: `with env.busy("Checking") as bar`."""
        from git_agent_session.progress import Bar

        return Bar(self.err, what, unit)

    def view(self, *, paged: bool = False, shorts: Iterable[str] | None = None) -> View:
        """How output looks here; `paged` for a command that may run a pager, `shorts` the ids to tell apart."""
        from git_agent_session.report.view import View, abbreviations

        isatty = self.out.isatty()
        pager = bool(paged and term.pager_command(self.config, self.environ, isatty))
        palette = term.Palette(self.config, isatty=isatty, paged=pager, env=self.environ)
        width = term.terminal_width() if isatty or self.environ.get("GIT_PAGER_IN_USE") else 0
        return View(palette, width, None, abbreviations(shorts) if shorts is not None else {})

    def lines(self, lines: Iterable[str], *, paged: bool = False) -> None:
        """Write lines that a report made, through git's pager where `paged` and on a terminal."""
        config = self.config if paged and self.out.isatty() else {}
        with term.Pager(config, out=self.out, isatty=None if paged else False, env=self.environ) as out:
            for line in lines:
                if not out.write(line + "\n"):
                    break

    @cached_property
    def config(self) -> dict[str, str]:
        """The keys of git's configuration that colour and pager need, lower-cased."""
        if "GIT_CONFIG_PARAMETERS" in self.environ or "GIT_CONFIG_COUNT" in self.environ:
            return self._config_of_git()
        found = {key.lower(): self.repo.config(key) for key in _CONFIG_KEYS}
        return {key: value for key, value in found.items() if value is not None}

    def _config_of_git(self) -> dict[str, str]:
        """The same from git itself: `git -c` reaches libgit2 in no other way."""
        from git_agent_session.git.run import git

        mine = {k: v for k, v in self.environ.items() if k.startswith("GIT_CONFIG")}
        listed = git("config", "--list", "-z", cwd=self.folder, env=mine).decode("utf-8", "replace")
        rows = (entry.partition("\n") for entry in listed.split("\0") if entry)
        wanted = {key.lower() for key in _CONFIG_KEYS}
        return {key.lower(): value if sep else "true" for key, sep, value in rows if key.lower() in wanted}

    # -- asking

    def can_ask(self) -> bool:
        """True when there is a person to ask: standard input and error are both a terminal."""
        return self.input.isatty() and self.err.isatty()

    def ask(self, question: str) -> str | None:
        """What a person answers to `question`, None at the end of input. Only where `can_ask`."""
        self.err.write(question)
        self.err.flush()
        answer = self.input.readline()
        if not answer:
            self.err.write("\n")
            return None
        return answer.strip()

    def read_text(self) -> str:
        """All of standard input as text. Raises AgentSessionError when it is not UTF-8 or larger than 16 MB."""
        stream = getattr(self.input, "buffer", None)
        data = stream.read(MAX_INPUT + 1) if stream is not None else self.input.read(MAX_INPUT + 1).encode()
        if len(data) > MAX_INPUT:
            raise AgentSessionError(
                f"standard input holds more than {MAX_INPUT // 1024 // 1024} MB", hint="nothing was recorded; give less"
            )
        try:
            text: str = data.decode("utf-8")
        except UnicodeDecodeError as e:
            raise not_utf8("standard input", f"byte {e.start + 1} is wrong") from e
        return text.removesuffix("\n").removesuffix("\r")

    def describe(self, session: Session) -> str:
        """A session in a few words, for a sentence: its short id, and what it is about."""
        about = f" ({term.fit(term.clean(session.about), 60)})" if session.about else ""
        return f"{session.id[:8]}{about}"


def not_utf8(what: str, where: str = "") -> AgentSessionError:
    """The error for text that is not UTF-8."""
    more = f" ({where})" if where else ""
    return AgentSessionError(f"{what} is not UTF-8 text{more}", hint="nothing was recorded; convert it, see iconv(1)")


def is_utf8(stream: TextIO) -> bool:
    """True when what is written to `stream` leaves as UTF-8."""
    return (stream.encoding or "utf-8").lower().replace("-", "").replace("_", "") == "utf8"


def refuse(message: str, hint: str) -> NoReturn:
    """Raise the error for a call that is wrong in itself."""
    raise UsageError(message, hint=hint)
