"""pygit2, loaded when it is first used: what reads a few objects goes without (`git.light`).

if TYPE_CHECKING:
    import pygit2
else:
    from git_agent_session.git.lazily import pygit2
"""

from __future__ import annotations


class _Lazy:
    def __getattr__(self, name: str) -> object:
        import pygit2

        # found at once the next time
        self.__dict__[name] = found = getattr(pygit2, name)
        return found


pygit2 = _Lazy()
