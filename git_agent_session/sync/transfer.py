"""The two conversations with a remote, both held by the git command: fetch into tracking refs, push without force.

Tracking refs (`refs/agent-sessions-remotes/<remote>/…`, `refs/notes/remotes/<remote>/…`) are a cache of what the remote
had, so fetch may force those; what it never does is touch a session. A push moves each ref by itself: one that the
server refuses does not hinder the others (git-push(1): without --atomic).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from git_agent_session.git import joining, notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.git.transport import Progress, Said, talk
from git_agent_session.ids import is_session_id
from git_agent_session.store import purged
from git_agent_session.sync import words
from git_agent_session.sync.heard import Sent, failed, pushed
from git_agent_session.sync.remote import Remote, folder, git_dir

# bytes of refspecs in one command: Windows takes 32 Ki characters for all of it
_ARGV_BYTES = 24 * 1024 if os.name == "nt" else 96 * 1024

# with fewer tracking refs a fetch of them all takes no longer than asking what there is
_MANY = 500
# refspecs of sessions that must not come, 57 bytes each
_MOST_BARRED = 300


class Connection:
    """One remote, seen from one repository. `deadline` is of time.monotonic; `progress` is given what git says."""

    def __init__(
        self, repo: Repository, remote: Remote, *, deadline: float | None = None, progress: Progress | None = None
    ) -> None:
        self.repo = repo
        self.remote = remote
        self.deadline = deadline
        self.progress = progress

    def refresh(self, known: Mapping[str, str]) -> list[str] | None:
        """`fetch`, or only what moved, where `known` (the tracking refs as they are) are none or many; None if nothing
        has.

        Where many refs are known, git takes long to find out that there is nothing to fetch: each is looked up, and
        offered to the remote. Where many are new, it takes long to make a file of each. So what there is is asked for,
        then the objects of what moved are brought, and the tracking refs are written here.
        """
        if 0 < len(known) < _MANY:
            return self.fetch()
        listed = self.listed()
        barred = {SESSIONS + i for i in purged.ids(self.repo.location.shared)}
        moved = {ref: tip for ref, tip in listed.items() if known.get(self.tracking(ref)) != tip and ref not in barred}
        if not moved:
            return None
        # where it does not work, git does it all, and says of each ref what there is to say
        return [] if self._brought(moved.values()) and self._tracked(moved) else self.fetch()

    def _brought(self, tips: Iterable[str]) -> bool:
        """Fetch the objects of `tips`, as the remote has just named them, and no refs; False where git does not.

        On the wire that is what any fetch is: after the list git, too, asks for ids (gitprotocol-v2(5), `want`).
        """
        wanted = "".join(f"{tip}\n" for tip in dict.fromkeys(tips))
        said = self._fetched(["--stdin", "--", self.remote.given], input=wanted.encode())
        return said.status == 0 and not said.late

    def _tracked(self, moved: Mapping[str, str]) -> bool:
        """Write the tracking refs of what was brought (the remote's ref -> tip); False where any could not be."""
        repo, refs = self.repo, {self.tracking(ref): tip for ref, tip in moved.items()}
        if len(refs) >= joining.MANY:
            plain = {self.tracking(r): t for r, t in moved.items() if is_session_id(r[len(SESSIONS) :])}
            made = joining.make_refs(repo, plain, over=True) if joining.are_commits(repo, plain.values()) else set()
            refs = {ref: tip for ref, tip in refs.items() if ref not in made}
        return joining.remember(repo, refs)

    def tracking(self, ref: str) -> str:
        """Where what the remote has at `ref` is kept here."""
        return self.remote.notes if ref == notes.REF else self.remote.tracking + ref[len(SESSIONS) :]

    def fetch(self) -> list[str]:
        """Bring the tracking refs up to date; returns what git could not do for single refs, a line each.

        Raises GitError when the remote cannot be talked to.
        """
        # what was purged here is not even brought; the longest of such lists are looked through afterwards
        barred = [f"^{SESSIONS}{i}" for i in sorted(purged.ids(self.repo.location.shared))[:_MOST_BARRED]]
        wanted = [f"+{SESSIONS}*:{self.remote.tracking}*", f"+{_notes_pattern()}:{self.remote.notes}*"]
        said = self._fetched(["--", self.remote.given, *wanted, *barred])
        if said.status in (0, 1) and not said.late:
            return [line for line in said.lines if line.startswith("error:")] if said.status else []
        raise failed("fetch from", self.remote, said)

    def _fetched(self, what: Iterable[str], input: bytes = b"") -> Said:
        joining.break_stale_locks(self.repo, self.remote.tracking, f"{os.path.dirname(self.remote.notes)}/")
        return self._talk(
            # tracking refs can be had again: waiting for the disk at each of them takes as long as all the rest
            *("-c", "core.fsync=-reference"),
            *("fetch", "--no-tags", "--no-write-fetch-head", "--no-prune", "--no-recurse-submodules", "--no-auto-gc"),
            # a mirror's own refspecs would move sessions by force, and a partial clone would fetch text by text
            *("--refmap=", "--no-filter", "--progress" if self.progress else "--quiet"),
            *what,
            input=input,
        )

    def listed(self) -> dict[str, str]:
        """What the remote has, without fetching it: ref -> tip, sessions and notes. Raises GitError."""
        said = self._talk("ls-remote", "--refs", "--quiet", "--", self.remote.given, f"{SESSIONS}*", notes.REF)
        if said.status != 0 or said.late:
            raise failed("ask", self.remote, said)
        rows = (line.partition("\t") for line in said.out.splitlines())
        return {name: tip for tip, _, name in rows if name == notes.REF or name.startswith(SESSIONS)}

    def push(self, tips: Mapping[str, str], *, dry_run: bool = False) -> Iterator[Sent]:
        """Send refs (name -> tip), each only forward; what comes back is the remote's word on each.

        Raises GitError when the remote cannot be talked to; what was said of earlier refs has been given by then.
        """
        for chunk in _chunks(tips):
            specs = [f"{tip}:{ref}" for ref, tip in chunk]
            progress = self.progress is not None
            args = words.push(self.remote.given, specs, named=self.remote.named, progress=progress, dry_run=dry_run)
            yield from pushed(self.remote, self._said(*args), [ref for ref, _ in chunk])

    def _talk(self, *args: str, input: bytes = b"") -> Said:
        mirror = ["-c", f"remote.{self.remote.given}.mirror=false"] if self.remote.named else []
        return self._said(*mirror, *args, input=input)

    def _said(self, *args: str, input: bytes = b"") -> Said:
        return talk(
            *args,
            cwd=folder(self.repo),
            env={**git_dir(self.repo), **words.environment()},
            input=input,
            deadline=self.deadline,
            progress=self.progress,
        )


def _notes_pattern() -> str:
    # with a pattern a remote without notes is no error; what else begins so is passed over
    return f"{notes.REF}*"


def _chunks(tips: Mapping[str, str]) -> Iterator[Sequence[tuple[str, str]]]:
    chunk: list[tuple[str, str]] = []
    room = _ARGV_BYTES
    for ref, tip in tips.items():
        size = len(ref) + len(tip) + 2
        if chunk and size > room:
            yield chunk
            chunk, room = [], _ARGV_BYTES
        chunk.append((ref, tip))
        room -= size
    if chunk:
        yield chunk
