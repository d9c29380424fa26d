"""Reads the batches of many sessions by one `git cat-file --batch` (git-cat-file(1), BATCH OUTPUT).

Sessions that others have packed lie in long chains of differences, one session's on another's. Git keeps what it has
put together, and is several times as fast there as libgit2, which does each chain anew. Nothing is judged here: what is
not quite a batch of ours comes back as None, for `joining.read_batch` to say what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from git_agent_session.errors import GitError
from git_agent_session.git.environment import clean_env, of_objects
from git_agent_session.git.joining import MAX_COMMIT, MAX_TREE, Batch
from git_agent_session.git.running import Running

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository, Tip

# bytes of questions ahead of their answers: git has read them all before it writes more than a pipe holds
_AHEAD = 4000
_CHUNK = 1 << 16


class _Odd(Exception):
    """An answer that is none, or of something else than was asked for."""


class Batches:
    """Use it in a `with`. `limits` are the files of each batch that are read: name -> bytes at most."""

    def __init__(self, repo: Repository, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._git: Running | None = None
        env = of_objects(repo.location)
        try:
            self._git = Running(["cat-file", "--batch"], repo.location.git_dir, clean_env(env), stdin=True)
        except GitError:
            pass  # all is left to others

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def read(self, commits: Sequence[Tip]) -> Iterator[Batch | None]:
        """The batches of these commits, in their order, each read when it is asked for; None for what is no batch with
        all of its files within their limits.
        """
        questions = [self._question(commit) for commit in commits]
        asked = 0
        for n, commit in enumerate(commits):
            if n == asked:
                asked = self._ask(questions, n)
            yield self._batch(commit) if self._git is not None else None

    def _question(self, commit: Tip) -> bytes:
        names = (commit, f"{commit}^{{tree}}", *(f"{commit}:{name}" for name in self._limits))
        return "".join(f"{name}\n" for name in names).encode()

    def _ask(self, questions: Sequence[bytes], first: int) -> int:
        """Ask as many as may be ahead, one at least; returns the number of the next."""
        part = bytearray()
        upto = first
        while upto < len(questions) and (not part or len(part) + len(questions[upto]) <= _AHEAD):
            part += questions[upto]
            upto += 1
        if self._git is not None:
            assert self._git.stdin is not None
            try:
                self._git.stdin.write(part)
                self._git.stdin.flush()
            except OSError:
                self._end()
        return upto

    def _batch(self, commit: Tip) -> Batch | None:
        kinds = [("commit", MAX_COMMIT), ("tree", MAX_TREE), *(("blob", limit) for limit in self._limits.values())]
        found = [self._answer(kind, limit) for kind, limit in kinds]
        if None in found:
            return None
        head, _, *files = (data or b"" for data in found)
        lines = head.partition(b"\n\n")[0].split(b"\n")
        parents = tuple(line[7:].decode("ascii", "replace") for line in lines if line.startswith(b"parent "))
        return Batch(commit, parents, dict(zip(self._limits, files, strict=True)))

    def _answer(self, kind: str, limit: int) -> bytes | None:
        """The next object, None where it is another one or larger; nothing of it is kept then."""
        if self._git is None:
            return None
        try:
            head = self._git.stdout.readline(_CHUNK).split()
            if not head:
                raise _Odd
            if len(head) != 3 or not head[2].isdigit():
                return None  # it is missing, and nothing follows
            size = int(head[2])
            if head[1] != kind.encode() or size > limit:
                self._skip(size + 1)
                return None
            data = self._git.stdout.read(size + 1)
            if len(data) != size + 1:
                raise _Odd
            return data[:-1]
        except (OSError, _Odd):
            self._end()
            return None

    def _skip(self, size: int) -> None:
        assert self._git is not None
        while size > 0:
            size -= len(chunk := self._git.stdout.read(min(size, _CHUNK)))
            if not chunk:
                raise _Odd

    def _end(self) -> None:
        if self._git is not None:
            self._git.close()
            self._git = None
