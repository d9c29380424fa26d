"""What a session did to files, as far as it is recorded: the edits its agent's tools made, and what else may have run.

Edits are the calls of tools in the stored transcript; of it only the parts are read in which an edit of the wanted
files lies, by the `tool` events. What else the agent ran (a shell) may have written files in ways nobody recorded.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from git_agent_session.agents import payload
from git_agent_session.agents.authorship import Edit
from git_agent_session.agents.importing_writes import CONTENT, Folders, command, edits_in, patches_in, paths_named
from git_agent_session.agents.prompts import is_prompt as is_prompt
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.agents.transcripts import items_of
from git_agent_session.model import Event, Session
from git_agent_session.store import transcript as stored
from git_agent_session.store.reader import Reader
from git_agent_session.store.transcript import Chunk

# seconds from a call in a transcript to the hook that tells of its end
SLACK = 3600
# characters of edits that are held at once
MOST = 64 * 1024 * 1024

# parts of the names of tools that write nothing in the worktree
_HARMLESS = (
    *("read", "view", "grep", "glob", "search", "find", "list", "fetch", "todo", "plan", "think", "ask", "skill"),
    *("agent", "task", "memory", "websearch", "toolsearch", "diagnostic", "status", "update_topic"),
)
# programs that leave the files of a worktree alone, whatever their arguments
_QUIET = frozenset(
    {"cat", "cd", "date", "echo", "env", "grep", "head", "ls", "pwd", "rg", "tail", "true", "wc", "which"}
)
_QUIET_GIT = frozenset(
    {"add", "blame", "branch", "commit", "config", "diff", "fetch", "log", "push", "rev-parse", "show", "status", "tag"}
)


@dataclass(slots=True)
class Work:
    """What a session did: its edits by path, in their order; `prompts` counts what was asked.

    `writes` are the moments at which something ran that may have written any file; `hidden` the files with an edit
    whose text is not there. `recorded` is False for a session that says nothing of its tools.
    """

    edits: dict[str, list[Edit]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    recorded: bool = False
    prompts: list[Event] = field(default_factory=list)

    def certain(self, path: str, since: str, until: str) -> bool:
        """True when all that the agent may have done to a file between two moments is in its edits."""
        if not self.recorded or path in self.hidden:
            return False
        ran = bisect_right(self.writes, until) - bisect_left(self.writes, since)
        return ran == 0 and not (self.writes and self.writes[0] == "")


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a tool: when it was over, and the number of the prompt before it."""

    at: str
    prompt: int
    paths: tuple[str, ...]


class Past:
    """All that is recorded of a session, read once for many questions. Raises BrokenSession, SessionNotFound."""

    def __init__(self, reader: Reader, session: Session) -> None:
        self.reader = reader
        self.session = session
        self.events = reader.history(session.id, kinds=("message", "interaction", "tool"))
        self.chunks = stored.held(reader, session.id)

    def work(self, paths: Collection[str], since: str = "") -> Work:
        """What the session did to `paths` from `since` on (RFC 3339)."""
        return _Gathering(self, frozenset(paths), since).work()


class _Gathering:
    def __init__(self, past: Past, paths: frozenset[str], since: str) -> None:
        self.past = past
        self.reader = past.reader
        self.session = past.session
        self.paths = paths
        self.since = since
        self.found = Work()
        self.calls: dict[str, _Call] = {}
        self.size = 0
        self.folders = Folders(self.reader.repo.location, "")

    def work(self) -> Work:
        """See the function."""
        failed = self._events(self.past.events)
        wanted = {i: c for i, c in self.calls.items() if self.paths.intersection(c.paths)}
        read = self._transcript(wanted, failed)
        for event_id, call in wanted.items():
            if event_id not in read:
                self.found.hidden.update(self.paths.intersection(call.paths))
        for edits in self.found.edits.values():
            edits.sort(key=lambda e: e.at)
        self.found.writes.sort()
        return self.found

    def _events(self, events: Sequence[Event]) -> set[str]:
        """Take in what the session's events say; returns the ids of calls that did nothing."""
        failed = set()
        for event in events:
            data = event.data
            if event.kind != "tool":
                if is_prompt(event):
                    self.found.prompts.append(event)
                continue
            self.found.recorded = True
            if data.get("outcome") not in ("ok", None):
                failed.add(event.id)
            name, named = str(data.get("name", "")).lower(), data.get("paths")
            paths = tuple(p for p in named if isinstance(p, str)) if isinstance(named, list) else ()
            if event.at < self.since or any(part in name for part in _HARMLESS):
                continue
            if paths:
                if event.id not in failed:
                    self.calls[event.id] = _Call(event.at, len(self.found.prompts), paths)
            elif not is_quiet(str(data.get("summary", ""))):
                self.found.writes.append(event.at)
        return failed

    # -- the transcript

    def _transcript(self, wanted: Mapping[str, _Call], failed: Collection[str]) -> set[str]:
        """Take the edits out of the transcript; returns the ids of the events whose calls it has."""
        read: set[str] = set()
        calls: dict[str, Item] = {}
        for chunk in self._chunks(wanted):
            for item in self._items(chunk):
                if item.kind == "call" and self.size < MOST:
                    # a record may be there twice: the last counts
                    calls[item.id or f"{chunk.event.id}.{len(calls)}"] = item
                    self.size += len(repr(item.input))
                elif item.kind == "result" and item.outcome not in ("ok", ""):
                    calls.pop(item.id, None)
        for call_id, item in calls.items():
            event_id = payload.tool_id(call_id)
            if event_id not in failed:
                read.add(event_id)
                self._take(item, self.calls.get(event_id))
        return read

    def _chunks(self, wanted: Mapping[str, _Call]) -> Iterator[Chunk]:
        times = sorted(call.at for call in wanted.values())
        for chunk in self.past.chunks:
            last = str(chunk.event.data.get("last", ""))
            n = bisect_left(times, chunk.first)
            if not chunk.first or not last or not self.calls or (n < len(times) and times[n] <= _later(last)):
                yield chunk

    def _items(self, chunk: Chunk) -> Iterator[Item]:
        data = stored.load(self.reader, self.session.id, chunk)
        for record in stored.records(data) if data else ():
            if record is not None:
                yield from items_of(self.session.agent.type, record, Source(chunk.source, ""))

    def _take(self, item: Item, call: _Call | None) -> None:
        at = call.at if call else item.at
        if at and at < self.since:
            return
        number = call.prompt if call else sum(p.at <= at for p in self.found.prompts) if at else 0
        made = list(made_by(payload.table(item.input), at, number))
        for edit in made:
            path = self._place(edit.path, call)
            if path in self.paths:
                self.found.edits.setdefault(path, []).append(replace(edit, path=path))
        if call is None and not made and not self.calls and not is_quiet(command(item.input)):
            # no hook told of its tools
            self.found.recorded = True
            if not any(part in item.name.lower() for part in _HARMLESS):
                self.found.writes.append(at)
        elif call is not None and not made:
            self.found.hidden.update(self.paths.intersection(call.paths))

    def _place(self, path: str, call: _Call | None) -> str:
        """A path of the transcript's as the repository has it; the worktree may lie on another machine."""
        slashed = path.replace("\\", "/")
        for known in call.paths if call is not None else self.paths:
            if slashed == known or slashed.endswith(f"/{known}"):
                return known
        return self.folders.relative(path)


def _later(at: str) -> str:
    from datetime import datetime, timedelta

    from git_agent_session.ids import timestamp

    try:
        then = datetime.fromisoformat(at) + timedelta(seconds=SLACK)
        return timestamp(int(then.timestamp()) * 1_000_000_000)
    except (ValueError, OverflowError):
        return "~"


def is_quiet(text: str) -> bool:
    """True for a command of the shell that changes no file of the worktree for sure."""
    if not text.strip() or any(sign in text for sign in ("`", "$(", "<(", "\\\n")):
        return False
    for nothing in ("2>&1", ">/dev/null", "> /dev/null"):
        text = text.replace(nothing, " ")
    if ">" in text:
        return False
    for sign in ("&&", "||", ";", "|", "&"):
        text = text.replace(sign, "\n")
    return all(_is_quiet_part(line.split()) for line in text.splitlines() if line.strip())


def _is_quiet_part(words: Sequence[str]) -> bool:
    if words[:1] == ["git"]:
        return len(words) > 1 and words[1] in _QUIET_GIT and "--output" not in " ".join(words)
    return words[0] in _QUIET and (words[0] != "env" or len(words) == 1)


# -- the forms of edits


def made_by(given: Mapping[str, Any], at: str, prompt: int) -> Iterator[Edit]:
    """The edits that a tool was asked for, whatever the agent's names for its arguments."""
    patches = patches_in(given)
    for patch in patches:
        yield from (Edit(path, new, old, whole=True, at=at, prompt=prompt) for path, old, new in patched(patch))
    named = paths_named(given)
    if patches or not named:
        return
    content = next((c for k in CONTENT if isinstance(c := given.get(k), str)), None)
    if content is not None:
        yield Edit(named[0], content, at=at, prompt=prompt)
        return
    for old, new, everywhere in edits_in(given):
        yield Edit(named[0], new, old, everywhere, at=at, prompt=prompt)


# the name that the viewer took it by before it was public


def patched(patch: str) -> Iterator[tuple[str, str | None, str]]:
    """The hunks of a patch in `apply_patch`'s form: path, old text (None for a new file), new text."""
    path, adds = "", False
    old: list[str] = []
    new: list[str] = []
    for line in [*patch.splitlines(), "*** End Patch"]:
        if line.startswith(("*** ", "@@")) and not line.startswith("*** End of File"):
            if path and (old or new):
                yield path, None if adds else "".join(old), "".join(new)
            old, new = [], []
        head, _, rest = line.partition(": ")
        if line.startswith("*** "):
            if head == "*** Move to":
                path = rest.strip()
            elif head in ("*** Add File", "*** Update File"):
                path, adds = rest.strip(), head == "*** Add File"
            elif not line.startswith("*** End of File"):
                path = ""
        elif path and not line.startswith("@@"):
            sign, text = line[:1], f"{line[1:]}\n"
            old += [text] if sign in ("-", " ", "") else []
            new += [text] if sign in ("+", " ", "") else []
