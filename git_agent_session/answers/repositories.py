"""The repositories of a user that have sessions, as far as anybody has written down where they are.

git keeps no list of repositories. Looked at are those where the plugin was put to use (`store.register`), and those
that the user's git configuration names: `agentSession.repository` (a folder or a pattern, any number of times), and the
lists of git's own background maintenance and of Scalar (git-maintenance(1), git-scalar(1)). Sessions are in those that
have the plugin's folder.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from git_agent_session.errors import AgentSessionError
from git_agent_session.git.discover import discover
from git_agent_session.git.repository import Repository
from git_agent_session.git.run import git
from git_agent_session.store import register

KEYS = ("agentSession.repository", "maintenance.repo", "scalar.repo")
# matches of one pattern
MOST = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """Where sessions are: an open repository each; `broken` are those that cannot be opened, with the reason.

    `gone` are those where the plugin was in use and where there is no repository any more.
    """

    repositories: tuple[Repository, ...]
    broken: tuple[str, ...]
    gone: tuple[str, ...] = ()


def known(here: Repository | None = None, env: Mapping[str, str] | None = None) -> Known:
    """The repositories that have sessions, `here` first, each once. Raises GitError where git cannot be run.

    What was deleted goes off the list of those where the plugin is in use; what lies on a disk that is not there stays.
    """
    env = env or {}
    found: dict[str, Repository] = {}
    broken: list[str] = []
    if here is not None:
        found[os.path.realpath(here.location.common_dir)] = here
    used = {_top(path): path for path in register.listed(env)}
    gone = [path for path in used.values() if not os.path.isdir(path)]
    for path in gone:
        if os.path.isdir(os.path.dirname(_top(path))):
            register.forget(path, env)
    cwd = os.getcwd() if here is None else here.location.common_dir
    for path in (*used, *_named(cwd, env)):
        location = discover(path)
        if location is None or not os.path.isdir(location.shared):
            continue
        key = os.path.realpath(location.common_dir)
        if key not in found:
            try:
                found[key] = Repository(location)
            except AgentSessionError as e:
                broken.append(f"{path}: {e.message}")
    return Known(tuple(found.values()), tuple(broken), tuple(map(_top, gone)))


def _top(common_dir: str) -> str:
    """The main worktree of a repository; a bare one is its own."""
    return os.path.dirname(common_dir) if os.path.basename(common_dir) == ".git" else common_dir


def _named(cwd: str, env: Mapping[str, str]) -> Iterator[str]:
    given = {k: v for k, v in env.items() if k in ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")}
    for key in KEYS:
        said = git("config", "--global", "--type=path", "-z", "--get-all", key, cwd=cwd, env=given, check=False)
        for value in said.decode("utf-8", "surrogateescape").split("\0"):
            if value and os.path.isabs(value):
                yield from sorted(glob.glob(value))[:MOST]
