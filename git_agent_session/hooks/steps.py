"""What an install or uninstall is going to do, as data, and the one function that does it: all of it or nothing.

A plan is a list of steps; a dry run prints them, `apply` carries them out in order and, when one fails, takes back
those before it. It knows files and renames, and nothing about hooks or git.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from git_agent_session.errors import StorageError

NOTES = frozenset({"keep", "warn", "unchanged"})
STAGED = ".agent-session-"
REMOVED = ".removed-"


@dataclass(frozen=True, slots=True)
class Action:
    """One line of a report: the `kind` of change, the `path` (or configuration key) it is about, and why."""

    kind: str
    path: str
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {"kind": self.kind, "path": self.path, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Step:
    """One change to the disk.

    `mkdir`, `rmdir` and `remove` act on `path`; `write` puts `data` there with the permissions `mode`; `aside`
    renames the file at `path` to `to`, which must be free, and puts `data` in its place; `restore` renames `to`
    over `path`; `discard` removes the folder `path` with all it holds, `prune` removes it only if it is empty in
    the end; `config` replaces a locked git configuration file, in which `says` names what changed. `keep`, `warn`
    and `unchanged` do nothing. A step with `internal` set is the plugin's own bookkeeping and no part of a report.
    """

    kind: str
    path: str
    detail: str = ""
    data: bytes = field(default=b"", repr=False)
    mode: int = 0o644
    to: str = ""
    says: tuple[Action, ...] = ()
    internal: bool = False

    def actions(self) -> tuple[Action, ...]:
        """What a report says about this step."""
        if self.says or self.internal:
            return self.says
        return (Action(self.kind, self.path, self.detail),)


def apply(steps: Sequence[Step], verify: Callable[[], None]) -> None:
    """Carry out `steps`, then call `verify`; on any error undo what was done, last first, and raise.

    Raises StorageError where the disk refuses, and whatever `verify` raises.
    """
    undo: list[Callable[[], None]] = []
    path = ""
    try:
        for step in steps:
            path = step.path
            if step.kind in _DO:
                undo.append(_DO[step.kind](step))
        verify()
    except BaseException as e:
        for back in reversed(undo):
            with contextlib.suppress(OSError):
                back()
        if isinstance(e, OSError):
            raise denied(e, path) from e
        raise
    for step in steps:
        if step.kind == "discard":
            shutil.rmtree(_doomed(step), ignore_errors=True)
        elif step.kind == "prune":
            with contextlib.suppress(OSError):
                os.rmdir(step.path)


def denied(e: OSError, path: str) -> StorageError:
    """The error for a disk that refused to write `path`."""
    return StorageError(
        f"cannot write {e.filename if isinstance(e.filename, str) else path}: {e.strerror or e}; nothing was changed",
        hint="make it writable and run the command again",
    )


@contextlib.contextmanager
def locked(files: Sequence[str]) -> Iterator[None]:
    """Hold git's own lock (`<file>.lock`) on each configuration file, which keeps other installs out too.

    Raises StorageError when one is taken or cannot be made.
    """
    held: list[str] = []
    try:
        for name in sorted({lock_of(f) for f in files}):
            try:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                raise StorageError(
                    f"{name} exists: another command is changing the configuration",
                    hint="run the command again; when no git command is running, remove that file",
                ) from None
            except OSError as e:
                raise denied(e, name) from e
            held.append(name)
        yield
    finally:
        for name in held:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


def lock_of(path: str) -> str:
    """The name of git's lock on the configuration file `path`, which git puts beside the file a link points to."""
    return os.path.realpath(path) + ".lock"


def _mkdir(step: Step) -> Callable[[], None]:
    os.mkdir(step.path)
    return lambda: os.rmdir(step.path)


def _rmdir(step: Step) -> Callable[[], None]:
    mode = stat.S_IMODE(os.stat(step.path).st_mode)
    os.rmdir(step.path)

    def back() -> None:
        os.mkdir(step.path)
        os.chmod(step.path, mode)

    return back


def _write(step: Step) -> Callable[[], None]:
    back = _remembered(step.path)
    put(step.path, step.data, step.mode)
    return back


def _remove(step: Step) -> Callable[[], None]:
    back = _remembered(step.path)
    os.unlink(step.path)
    return back


def _aside(step: Step) -> Callable[[], None]:
    # a link first: there is no moment without the hook, and a name that is taken is never written over
    try:
        os.link(step.path, step.to, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        if os.path.lexists(step.to):
            raise
        os.rename(step.path, step.to)

    def back() -> None:
        os.replace(step.to, step.path)

    try:
        put(step.path, step.data, step.mode)
    except OSError:
        back()
        raise
    return back


def _restore(step: Step) -> Callable[[], None]:
    put_back = _remembered(step.path)
    os.replace(step.to, step.path)

    def back() -> None:
        os.replace(step.path, step.to)
        put_back()

    return back


def _discard(step: Step) -> Callable[[], None]:
    os.rename(step.path, _doomed(step))
    return lambda: os.rename(_doomed(step), step.path)


def _doomed(step: Step) -> str:
    return f"{step.path}{REMOVED}{os.getpid()}"


def _config(step: Step) -> Callable[[], None]:
    target = os.path.realpath(step.path)
    back = _remembered(target)
    mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else 0o644
    _fill(lock_of(step.path), step.data, mode)
    os.replace(lock_of(step.path), target)
    return back


def _remembered(path: str) -> Callable[[], None]:
    if os.path.islink(path):
        target = os.readlink(path)

        def link() -> None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.symlink(target, path)

        return link
    if not os.path.lexists(path):
        return lambda: os.unlink(path)
    with open(path, "rb") as f:
        data = f.read()
    mode = stat.S_IMODE(os.stat(path).st_mode)
    return lambda: put(path, data, mode)


def put(path: str, data: bytes, mode: int) -> None:
    """Write `data` beside `path` and rename it into place, so that no reader sees a part of it."""
    staged = f"{path}{STAGED}{os.getpid()}"
    try:
        _fill(staged, data, mode)
        os.replace(staged, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise


def _fill(path: str, data: bytes, mode: int) -> None:
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


_DO: dict[str, Callable[[Step], Callable[[], None]]] = {
    "mkdir": _mkdir,
    "rmdir": _rmdir,
    "write": _write,
    "remove": _remove,
    "aside": _aside,
    "restore": _restore,
    "discard": _discard,
    "config": _config,
}
