"""Writing git objects by libgit2, in processes that were forked too, and what to say where it cannot.

libgit2 names a temporary file by a pseudo-random sequence that begins when the library is loaded, and gives up after
32 names that are taken (git_futils_mktmp). Processes forked from one share that sequence: where some of them were
killed as they wrote, what they left takes the names of all others. Asking again goes on to the next 32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from git_agent_session.errors import StorageError
from git_agent_session.git.opening import one_line

if TYPE_CHECKING:
    import pygit2
else:
    from git_agent_session.git.lazily import pygit2

P = ParamSpec("P")
T = TypeVar("T")

# 32,000 names: git removes what was left after two weeks (git-prune(1)), or when it is told to
_TRIES = 1000


def written(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `write`, a function of libgit2 that writes an object, returns. Raises what it raises."""
    for _ in range(_TRIES):
        try:
            return write(*args, **kwargs)
        except (pygit2.GitError, OSError, ValueError) as e:
            if "tmp_object" not in str(e) or "exists" not in str(e):
                raise
    return write(*args, **kwargs)


def unwritable(error: Exception, what: str = "git objects") -> StorageError:
    """What to say when objects could not be written."""
    hint = "free disk space or make the repository writable"
    return StorageError(f"cannot write {what}: {one_line(error)}", hint=hint)
