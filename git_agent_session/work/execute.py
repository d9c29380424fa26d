"""Runs any command inside a session: what it wrote, how it ended, how long it took, and the commits it made.

The command finds the session in `GIT_AGENT_SESSION`, which is how git's hooks link its commits. That it began is
recorded before it starts, so a kill loses no more than its end. Its output goes through as it comes and is not kept,
but for a tail: the last lines, without what steers a terminal and without secrets. `Execution` is one run, to be
iterated over; `stream` and `run` are short for it. Where no session is current, one is opened for the command and ended
with it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from git_agent_session import live, term
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.ids import new_event_id
from git_agent_session.model import PAUSED, Doc, Session
from git_agent_session.redact.configured import redactor
from git_agent_session.store import entries, left_open
from git_agent_session.store.lookup import VARIABLE
from git_agent_session.store.store import Store
from git_agent_session.work import signals, tasks

KIND = "exec"
# characters of a recorded command, and of a tail
MAX_COMMAND = 4000
MAX_TAIL = 8000
# bytes of output that are kept while it runs: secrets are looked for in more than the tail
_KEPT = 64 * 1024
_CHUNK = 64 * 1024
# what a command left running may still write: this many seconds of silence end it
_SILENCE = 1.0
_POLL = 0.1
# seconds between being asked to end and being killed
_PATIENCE = 5.0
# as env(1) and the shells have it
NOT_FOUND, NOT_RUNNABLE = 127, 126


@dataclass(frozen=True, slots=True)
class Started:
    """The command is about to start: in which session, under which id of a run; `opened`: for it alone."""

    session: str
    run: str
    command: str
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes as the command wrote them, of `stdout` or `stderr`; unlike what is recorded they may hold secrets."""

    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command went. `exit` is what a shell would say (128+n for signal n, 127 not found, 126 not runnable).

    `seconds` is how long it ran, `tail` the recorded end of its output, `commits` full ids, `error` why it never ran.
    """

    session: str
    run: str
    command: str
    exit: int
    seconds: float
    tail: str = ""
    commits: tuple[str, ...] = ()
    opened: bool = False
    signal: str = ""
    error: str = ""

    def to_dict(self) -> Doc:
        """For `--json` and for a server's answer."""
        row = {key: getattr(self, key) for key in Ran.__slots__}
        return {**row, "commits": list(self.commits)}


Step = Started | Output | Ran


def run(store: Store, argv: Sequence[str], *, on_output: Callable[[Output], None] | None = None, **how: Any) -> Ran:
    """Run a command to its end and return how it went; `how` as for `Execution`.

    `on_output` gets every piece of output; when it raises BrokenPipeError its reader is gone, and the command is told
    so the next time it writes.
    """
    execution = Execution(store, argv, **how)
    for step in execution:
        if isinstance(step, Output) and on_output is not None:
            try:
                on_output(step)
            except BrokenPipeError:
                execution.stop_reading()
    return execution.result()


def stream(store: Store, argv: Sequence[str], **how: Any) -> Iterator[Step]:
    """`Started`, each `Output`, then `Ran`. Closing the iterator early ends the command, and its end is recorded."""
    return iter(Execution(store, argv, **how))


def _is_word(text: str) -> bool:
    """Whether the system can be given `text` as a word of a command."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


class Execution:
    """One run of `argv`. Iterate over it once, from the thread that owns `store`; `send` may be called from any.

    `session`: which one (default: the current one, else a new one). `task`: the id or title of a task, which is added
    where there is none, started with the command, and done or failed with it. `folder`: where it runs (default: here).
    `env`: its environment (default: ours). `stdin`: as for `subprocess` (default: nothing to read; None: ours).
    `inherit`: those of `stdout` and `stderr` that the command gets from us as they are, a terminal say; of them nothing
    is recorded. `own_group`: the command is a process group of its own, which ends when the iterator is closed.

    Raises UsageError without a command, SessionNotFound, and SessionState for a session that is not active.
    """

    def __init__(
        self,
        store: Store,
        argv: Sequence[str],
        *,
        session: str | None = None,
        task: str = "",
        folder: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        inherit: Collection[str] = (),
        own_group: bool = True,
    ) -> None:
        self.store, self.argv, self.task = store, entries.texts(argv, "argv"), task
        self.folder = os.path.abspath(folder or os.getcwd())
        self._env = dict(os.environ if env is None else env)
        self._stdin, self._inherit, self._own_group = stdin, frozenset(inherit), own_group
        if not self.argv or not self.argv[0]:
            raise UsageError("there is no command to run", hint="give it behind `--`, such as `exec -- make test`")
        if not all(map(_is_word, self.argv)):
            raise UsageError("a word of the command holds a NUL character, or half of one", hint="leave it out")
        # a word may be a path, in whatever encoding: it is run as it is, and recorded as text
        said = shlex.join(self.argv)[:MAX_COMMAND]
        self.command = said.encode("utf-8", "replace").decode()
        self.run = new_event_id()
        self._session = session
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._early: list[int] = []
        self._tail = Tail()
        self._chunks: queue.Queue[tuple[str, bytes]] = queue.Queue(maxsize=64)
        self._deaf = threading.Event()
        self._ran: Ran | None = None

    def __iter__(self) -> Iterator[Step]:
        session, opened = self._find()
        with contextlib.ExitStack() as stack:
            if opened:
                stack.enter_context(left_open.held(self.store.shared, session.id))
            before = {link.commit for link in self.store.commits(session.id)}
            self._record_start(session.id)
            began, finished = time.monotonic(), False
            try:
                yield Started(session.id, self.run, self.command, opened)
                began = time.monotonic()
                self._spawn(session.id)
                yield from self._outputs()
                finished = True
            finally:
                if not finished:
                    self._end_now()
                seconds = time.monotonic() - began
                self._ran = self._record_end(session.id, opened, before, seconds)
        yield self._ran

    def result(self) -> Ran:
        """How it went; raises RuntimeError while it goes on."""
        if self._ran is None:
            raise RuntimeError("the command has not ended")
        return self._ran

    def send(self, number: int) -> None:
        """Send a signal to the command, and to its group where it has one; an early one reaches it at its start."""
        process = self._process
        if process is None:
            self._early.append(number)
        elif process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                self._signal(process, number)

    def stop_reading(self) -> None:
        """Nobody wants the output any more: the command's next writes meet a closed pipe."""
        self._deaf.set()

    # -- the session

    def _find(self) -> tuple[Session, bool]:
        session_id = self.store.resolve(self._session) if self._session else self.store.current_id()
        if session_id is None:
            goal = self.task or f"Run {self.command}"
            made = self.store.start(goal=goal, activate=False)
            # what is asked next is about this one
            live.push_recent(self.store.private, made.id)
            return made, True
        session = self.store.get(session_id)
        if session.ended or session.status == PAUSED:
            raise SessionState(
                f"session {session.id[:8]} is {session.status}, so nothing can be run in it",
                hint=f"`git agent-session resume {session.id[:8]}` reopens it",
            )
        return session, False

    def _record_start(self, session_id: str) -> None:
        data: Doc = {"action": "start", "run": self.run, "command": self.command}
        if self.task:
            self._begin_task(session_id)
            data["task"] = self.task
        if folder := self._relative():
            data["folder"] = folder
        self.store.append(session_id, KIND, data, id=f"exec-{self.run}-start")

    def _begin_task(self, session_id: str) -> None:
        """Start the task: that of the given id, else that of the given title, else a new one of this title."""
        known = tasks.list(self.store, session_id)
        named = [t.id for t in known if t.id == self.task] or [t.id for t in known if t.title == self.task]
        try:
            self.task = named[0] if named else tasks.get(self.store, session_id, self.task).id
        except UsageError:
            self.task = tasks.add(self.store, session_id, self.task).id
        tasks.start(self.store, session_id, self.task)

    def _end_task(self, session_id: str, status: int, number: str, error: str) -> None:
        if not self.task:
            return
        said = error or number or f"exit status {status}"
        if status:
            tasks.fail(self.store, session_id, self.task, outcome=said)
        else:
            tasks.done(self.store, session_id, self.task)

    def _relative(self) -> str:
        """The folder below the worktree, "" for its top and for one that lies elsewhere."""
        top = self.store.repo.location.worktree
        try:
            found = os.path.relpath(os.path.realpath(self.folder), os.path.realpath(top)) if top else "."
        except ValueError:  # another drive
            return ""
        return "" if found == "." or found.split(os.sep)[0] == os.pardir else found.replace(os.sep, "/")

    def _record_end(self, session_id: str, opened: bool, before: set[str], seconds: float) -> Ran:
        code = self._process.returncode if self._process is not None else None
        number = signals.name(code) if code is not None else ""
        status = _status(code, self._failure)
        error = f"{self.argv[0]}: {self._failure.strerror or self._failure}" if self._failure else ""
        tail = self._tail.text(redactor(self.store.repo.location, session_id).text)
        self.store.settle()
        made = tuple(k.commit for k in self.store.commits(session_id) if k.commit not in before)
        outcome = "interrupted" if number or (code is None and not error) else "error" if status else "ok"
        data: Doc = {"action": "stop", "run": self.run, "exit": status, "outcome": outcome}
        data |= {"duration_ms": round(seconds * 1000), "bytes": self._tail.total, "commits": list(made)}
        data |= {k: v for k, v in {"tail": tail, "signal": number, "error": error, "task": self.task}.items() if v}
        self.store.append(session_id, KIND, data, id=f"exec-{self.run}-stop")
        self._end_task(session_id, status, number, error)
        if opened:
            message = f"exit status {status}" if status else ""
            self.store.end(session_id, status="failed" if status else "completed", message=message)
        return Ran(session_id, self.run, self.command, status, seconds, tail, made, opened, number, error)

    # -- the process

    def _spawn(self, session_id: str) -> None:
        piped = [name for name in ("stdout", "stderr") if name not in self._inherit]
        options: dict[str, Any] = dict.fromkeys(piped, subprocess.PIPE)
        if self._own_group and sys.platform == "win32":
            options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        elif self._own_group:
            options["start_new_session"] = True
        env = {**self._env, VARIABLE: session_id}
        try:
            self._process = subprocess.Popen(
                self.argv, cwd=self.folder, env=env, stdin=self._stdin, bufsize=0, **options
            )
        except OSError as e:
            self._failure = e
            return
        for name in piped:
            threading.Thread(target=self._read, args=(name, getattr(self._process, name)), daemon=True).start()
        while self._early:
            self.send(self._early.pop(0))

    def _read(self, name: str, pipe: IO[bytes]) -> None:
        with pipe, contextlib.suppress(OSError, ValueError):
            while not self._deaf.is_set() and (data := os.read(pipe.fileno(), _CHUNK)):
                self._put(name, data)
        self._put(name, b"")

    def _put(self, name: str, data: bytes) -> None:
        while not self._deaf.is_set():
            with contextlib.suppress(queue.Full):
                return self._chunks.put((name, data), timeout=_POLL)

    def _outputs(self) -> Iterator[Output]:
        """The output until it ends, or until the command has ended and what it left behind is silent."""
        if self._process is None:
            return
        still = {"stdout", "stderr"} - self._inherit
        quiet = 0.0
        while still and not self._deaf.is_set():
            try:
                name, data = self._chunks.get(timeout=_POLL)
            except queue.Empty:
                quiet = quiet + _POLL if self._process.poll() is not None else 0.0
                if quiet >= _SILENCE:
                    self._deaf.set()
                continue
            quiet = 0.0
            if data:
                self._tail.add(data)
                yield Output(name, data)
            else:
                still.discard(name)
        self._process.wait()

    def _end_now(self) -> None:
        """Whoever iterated has gone: end the command, with its group where it has one."""
        self._deaf.set()
        process = self._process
        if process is None or process.poll() is not None:
            return
        for how in ("SIGTERM", "SIGKILL"):
            with contextlib.suppress(OSError):
                # Windows has no SIGKILL, and ends a process at once by SIGTERM
                self._signal(process, getattr(signal, how, signal.SIGTERM))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
                return

    def _signal(self, process: subprocess.Popen[bytes], number: int) -> None:
        if sys.platform == "win32" or not self._own_group:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)


class Tail:
    """The end of a command's output, and how many bytes there were in all."""

    def __init__(self) -> None:
        self.total = 0
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take in what came last."""
        self.total += len(data)
        self._data += data
        if len(self._data) > 2 * _KEPT:
            del self._data[:-_KEPT]

    def text(self, redact: Callable[[str], str]) -> str:
        """The last lines, at most MAX_TAIL characters, as one would have seen them, through `redact`."""
        kept = bytes(self._data[-_KEPT:])
        if len(kept) < self.total:
            # a line that is cut could be the rest of a secret
            kept = kept.partition(b"\n")[2] or kept[_KEPT // 4 :]
        lines = kept.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        # of a line that was drawn over again and again the last drawing counts
        shown = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
        text = redact(term.clean(shown, newlines=True).strip("\n"))
        return text if len(text) <= MAX_TAIL else _last_lines(text)


def _last_lines(text: str) -> str:
    tail = text[-MAX_TAIL:]
    return tail.partition("\n")[2] or tail


def _status(code: int | None, failure: OSError | None) -> int:
    """The exit status as a shell gives it; `code` is that of `subprocess`, None where nothing ran."""
    if code is not None:
        return 128 - code if code < 0 else code
    if failure is None:
        return 128 + 15
    return NOT_FOUND if isinstance(failure, FileNotFoundError) else NOT_RUNNABLE
