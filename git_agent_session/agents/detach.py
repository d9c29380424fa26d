"""Starts the settle step in a process that nothing waits for: not the agent, not its hook runner, not a pipe.

Claude Code kills what a hook leaves behind when it ends, and `git commit | cat` waits for every holder of the pipe
(measured); a process in a session of its own, with all three streams on the null device, meets neither.
"""

from __future__ import annotations

import os

from git_agent_session import own_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Capture
    from git_agent_session.git.discover import Location


def settle(location: Location, agent: str, session_id: str, capture: Capture) -> None:
    """Start the settle step for a session and come back at once. Raises OSError when no process can be started."""
    place = (location.git_dir, location.common_dir, location.worktree or "")
    notes = [f"{key}={value}" for key, value in capture.notes.items()]
    folders = [os.path.abspath(p) if p else "" for p in place]
    argv = own_process.argv(__name__, "child", agent, session_id, *folders, *notes)
    # not the worktree: it may be removed while this runs
    cwd = location.common_dir
    if hasattr(os, "fork"):
        _fork(argv, cwd)
    else:
        _spawn(argv, cwd)


def child(argv: list[str]) -> None:
    """What the started process does: AGENT ID GIT_DIR COMMON_DIR WORKTREE [KEY=VALUE…]. Errors go to hook.log."""
    from git_agent_session.agents.recorder import log
    from git_agent_session.git.discover import Location

    name, session_id, git_dir, common_dir, worktree, *rest = argv
    location = Location(git_dir, common_dir, worktree or None)
    try:
        from git_agent_session.agents.settle import settle

        settle(name, session_id, location, dict(note.split("=", 1) for note in rest if "=" in note))
    except BaseException as e:
        log(location.shared, f"settle {session_id[:8]}: {type(e).__name__}: {e}")


def look(argv: list[str]) -> None:
    """What post-commit starts: GIT_DIR COMMON_DIR WORKTREE. Looks at the commits it left; errors go to hook.log."""
    from git_agent_session.agents.recorder import log
    from git_agent_session.git.discover import Location

    git_dir, common_dir, worktree = map(os.path.abspath, argv)
    location = Location(git_dir, common_dir, worktree)
    try:
        from git_agent_session.git.repository import Repository
        from git_agent_session.store import evidence

        evidence.settle(Repository(location))
    except BaseException as e:
        log(location.shared, f"post-commit: {type(e).__name__}: {e}")


def _fork(argv: list[str], cwd: str) -> None:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.closerange(3, 256)
        os.chdir(cwd)
        os.execv(argv[0], argv)
    finally:
        os._exit(127)


def _spawn(argv: list[str], cwd: str) -> None:
    import subprocess

    flags = getattr(subprocess, "DETACHED_PROCESS", 0x8) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)
    null = subprocess.DEVNULL
    subprocess.Popen(argv, cwd=cwd, stdin=null, stdout=null, stderr=null, creationflags=flags, close_fds=True)
