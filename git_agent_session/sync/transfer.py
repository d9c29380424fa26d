"""The two conversations with a remote, both held by the git command: fetch into tracking refs, push without force.

Tracking refs (`refs/agent-sessions-remotes/<remote>/…`, `refs/notes/remotes/<remote>/…`) are a cache of what the remote
had, so fetch may force those; what it never does is touch a session. A push moves each ref by itself: one that the
server refuses does not hinder the others (git-push(1): without --atomic).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.errors import GitError
from git_agent_session.git import joining, notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.git.transport import Progress, Said, talk
from git_agent_session.store import purged
from git_agent_session.sync.remote import Remote, folder, git_dir, without_password

SYNCING = "AGENT_SESSION_SYNCING"

# bytes of refspecs in one command: Windows takes 32 Ki characters for all of it
_ARGV_BYTES = 24 * 1024 if os.name == "nt" else 96 * 1024

# with fewer tracking refs a fetch of them all takes no longer than asking what there is
_MANY = 500
# refs that are fetched by name: git looks for each of them among all that the remote has
_FEW = 100

# said on top of the reason
_GENERAL = (
    "fatal: Could not read from remote repository.",
    "fatal: the remote end hung up",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
    "Everything up-to-date",
    "error: failed to push some refs",
    "To ",
    "hint:",
    "Connection to ",
)
# in git's own summary of a refused ref: somebody was first, and what they wrote can be fetched and joined
_RACES = (
    *("fetch first", "non-fast-forward", "stale info", "cannot lock ref", "failed to update ref", "needs force"),
    *("reference already exists", "incorrect old value", "failed to lock", "remote ref updated since checkout"),
)
# refspecs of sessions that must not come, 57 bytes each
_MOST_BARRED = 300
_BROKE = ("remote end hung up", "early EOF", "Connection reset", "Broken pipe", "unexpected disconnect", "timed out")


@dataclass(frozen=True, slots=True)
class Sent:
    """What the remote said of one pushed ref: `status` is new, updated, up-to-date or rejected."""

    ref: str
    status: str
    reason: str = ""

    @property
    def race(self) -> bool:
        """Refused because the remote has what we have not seen."""
        return self.status == "rejected" and any(word in self.reason for word in _RACES)


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
        """`fetch`, or only what moved, where `known` (the tracking refs as they are) are many; None if nothing has.

        With many refs git takes long to find out that there is nothing to fetch: each is looked up, and offered to the
        remote. To ask what there is, and then for those that moved, is ten times as fast.
        """
        if len(known) < _MANY:
            return self.fetch()
        listed = self.listed()
        barred = {SESSIONS + i for i in purged.ids(self.repo.location.shared)}
        moved = {ref: tip for ref, tip in listed.items() if known.get(self.tracking(ref)) != tip and ref not in barred}
        if not moved:
            return None
        if len(moved) <= _FEW:
            said = self._fetched([f"+{ref}:{self.tracking(ref)}" for ref in moved])
            if said.status == 0 and not said.late:
                return []
            # one of them may have gone meanwhile
        return self.fetch()

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
        said = self._fetched([*wanted, *barred])
        if said.status in (0, 1) and not said.late:
            return [line for line in said.lines if line.startswith("error:")] if said.status else []
        raise self._failed("fetch from", said)

    def _fetched(self, specs: Iterable[str]) -> Said:
        joining.break_stale_locks(self.repo, self.remote.tracking, f"{os.path.dirname(self.remote.notes)}/")
        return self._talk(
            # tracking refs can be had again: waiting for the disk at each of them takes as long as all the rest
            *("-c", "core.fsync=-reference"),
            *("fetch", "--no-tags", "--no-write-fetch-head", "--no-prune", "--no-recurse-submodules", "--no-auto-gc"),
            # a mirror's own refspecs would move sessions by force, and a partial clone would fetch text by text
            *("--refmap=", "--no-filter", "--progress" if self.progress else "--quiet"),
            *("--", self.remote.given, *specs),
        )

    def listed(self) -> dict[str, str]:
        """What the remote has, without fetching it: ref -> tip, sessions and notes. Raises GitError."""
        said = self._talk("ls-remote", "--refs", "--quiet", "--", self.remote.given, f"{SESSIONS}*", notes.REF)
        if said.status != 0 or said.late:
            raise self._failed("ask", said)
        rows = (line.partition("\t") for line in said.out.splitlines())
        return {name: tip for tip, _, name in rows if name == notes.REF or name.startswith(SESSIONS)}

    def push(self, tips: Mapping[str, str], *, dry_run: bool = False) -> Iterator[Sent]:
        """Send refs (name -> tip), each only forward; what comes back is the remote's word on each.

        Raises GitError when the remote cannot be talked to; what was said of earlier refs has been given by then.
        """
        for chunk in _chunks(tips):
            specs = [f"{tip}:{ref}" for ref, tip in chunk]
            said = self._talk(
                *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"),
                *(["--dry-run"] if dry_run else []),
                *("--progress" if self.progress else "--no-progress", "--", self.remote.given, *specs),
            )
            answers = list(_answers(said))
            if not answers and (said.status != 0 or said.late):
                raise self._failed("push to", said)
            yield from answers
            heard = {a.ref for a in answers}
            lost = [ref for ref, _ in chunk if ref not in heard]
            if said.late or (lost and said.status != 0):
                raise self._failed("push to", said)
            # what git says nothing of stands there already
            yield from (Sent(ref, "up-to-date") for ref in lost)

    def _talk(self, *args: str) -> Said:
        mirror = ["-c", f"remote.{self.remote.given}.mirror=false"] if self.remote.named else []
        return talk(
            *mirror,
            *args,
            cwd=folder(self.repo),
            env={**git_dir(self.repo), SYNCING: "1", **_quiet_env()},
            deadline=self.deadline,
            progress=self.progress,
        )

    def _failed(self, verb: str, said: Said) -> GitError:
        if said.late:
            cause, hint = "it takes too long", "nothing is lost; the rest follows next time"
        else:
            cause = without_password(_cause(said))
            hint = "nothing is lost; `git agent-session sync` goes on where this stopped"
        return GitError(
            f"cannot {verb} {self.remote.shown}: {cause}", hint=hint, stderr="\n".join(said.lines), status=said.status
        )


def _notes_pattern() -> str:
    # with a pattern a remote without notes is no error; what else begins so is passed over
    return f"{notes.REF}*"


def _quiet_env() -> dict[str, str]:
    # whoever cannot be asked must not be waited for
    return {} if "GIT_TERMINAL_PROMPT" in os.environ or os.isatty(2) else {"GIT_TERMINAL_PROMPT": "0"}


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


_FLAGS = {"*": "new", " ": "updated", "=": "up-to-date", "!": "rejected"}


def _answers(said: Said) -> Iterator[Sent]:
    """The lines of `git push --porcelain`: flag, from:to, summary and reason, with tabs between."""
    remote = [line.removeprefix("remote:").strip() for line in said.lines if line.startswith("remote:")]
    for line in said.out.splitlines():
        flag, _, rest = line.partition("\t")
        if flag not in _FLAGS or "\t" not in rest:
            continue
        names, _, summary = rest.partition("\t")
        ref = names.rpartition(":")[2]
        yield Sent(ref, _FLAGS[flag], why_refused(summary, remote) if flag == "!" else "")


def why_refused(summary: str, remote: Iterable[str]) -> str:
    """Why a ref was refused: git's words in brackets, and what the server's hook said where that is the reason."""
    reason = summary.partition("(")[2].removesuffix(")") or summary.strip("[] ")
    words = [line for line in remote if line and not line.startswith("error: hook declined")]
    if words and ("declined" in reason or "hook" in reason):
        reason = f"{reason}: {words[-1]}"
    return reason[:300]


def _cause(said: Said) -> str:
    told = [line for line in said.lines if not line.startswith(_GENERAL)]
    bad = [line for line in told if line.startswith(("fatal:", "error:", "ssh:", "remote:"))] or told
    if bad:
        return bad[-1].removeprefix("fatal: ").removeprefix("error: ")[:300]
    if any(word in line for line in said.lines for word in _BROKE):
        return "the connection broke off"
    return said.lines[-1][:300] if said.lines else f"git exited with {said.status}"
