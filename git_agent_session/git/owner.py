"""Whose a repository is: nothing is run that another user's repository names, unless safe.directory allows it, nor what
a bare one does that lies in a folder, where safe.bareRepository forbids it.

Git looks for that itself where it finds a repository, but not where `GIT_DIR` names one. Standard library only.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.git.discover import Location


def check(location: Location) -> None:
    """Raise UnsupportedRepository for another user's repository, unless safe.directory allows it, and for a bare one
    that git wants to be named; NotARepository.
    """
    if location.met or not _is_own(location):
        # libgit2 knows what is allowed, and takes a while to load
        from git_agent_session.git.opening import opened

        opened(location)


def _is_own(location: Location) -> bool:
    """Whether all of it is this user's for sure."""
    if not hasattr(os, "geteuid"):
        return False
    places = (location.git_dir, location.common_dir, location.worktree or location.git_dir)
    try:
        return all(os.stat(place).st_uid == os.geteuid() for place in places)
    except OSError:
        return False
