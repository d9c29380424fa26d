"""What git says of a conversation with a remote: of each ref that was pushed, and why it broke off.

A server may say what it likes: all of it is cut to size here, and shown without control characters (`git.transport`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from git_agent_session.errors import GitError
from git_agent_session.git.transport import Said
from git_agent_session.sync.remote import Remote, without_password

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
_BROKE = ("remote end hung up", "early EOF", "Connection reset", "Broken pipe", "unexpected disconnect", "timed out")
_FLAGS = {"*": "new", " ": "updated", "+": "updated", "-": "gone", "=": "up-to-date", "!": "rejected"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What the remote said of one pushed ref: `status` is new, updated, gone, up-to-date or rejected."""

    ref: str
    status: str
    reason: str = ""

    @property
    def race(self) -> bool:
        """Refused because the remote has what we have not seen."""
        return self.status == "rejected" and any(word in self.reason for word in _RACES)


def answers(said: Said) -> Iterator[tuple[str, Sent]]:
    """The lines of `git push --porcelain` (flag, from:to, summary and reason, with tabs between): the flag, and what
    it says of the ref.
    """
    remote = [line.removeprefix("remote:").strip() for line in said.lines if line.startswith("remote:")]
    for line in said.out.splitlines():
        flag, *rest = line.split("\t", 2)
        if flag in _FLAGS and len(rest) == 2:
            ref = rest[0].rpartition(":")[2]
            yield flag, Sent(ref, _FLAGS[flag], _why_refused(rest[1], remote) if flag == "!" else "")


def pushed(remote: Remote, said: Said, refs: Iterable[str]) -> Iterator[Sent]:
    """The remote's word on each of the `refs` of one push. Raises GitError where it broke off, after what was said."""
    given = [sent for _, sent in answers(said)]
    if not given and (said.status != 0 or said.late):
        raise failed("push to", remote, said)
    yield from given
    heard = {a.ref for a in given}
    lost = [ref for ref in refs if ref not in heard]
    if said.late or (lost and said.status != 0):
        raise failed("push to", remote, said)
    # what git says nothing of stands there already
    yield from (Sent(ref, "up-to-date") for ref in lost)


def _why_refused(summary: str, remote: Iterable[str]) -> str:
    """Why a ref was refused: git's words in brackets, and what the server's hook said where that is the reason."""
    reason = summary.partition("(")[2].removesuffix(")") or summary.strip("[] ")
    words = [line for line in remote if line and not line.startswith("error: hook declined")]
    if words and ("declined" in reason or "hook" in reason):
        reason = f"{reason}: {words[-1]}"
    return reason[:300]


def failed(verb: str, remote: Remote, said: Said) -> GitError:
    """The error of a conversation that broke off: `verb` is what was wanted of the remote."""
    if said.late:
        cause, hint = "it takes too long", "nothing is lost; the rest follows next time"
    else:
        cause = without_password(_cause(said))
        hint = "nothing is lost; `git agent-session sync` goes on where this stopped"
    return GitError(
        f"cannot {verb} {remote.shown}: {cause}", hint=hint, stderr="\n".join(said.lines), status=said.status
    )


def _cause(said: Said) -> str:
    told = [line for line in said.lines if not line.startswith(_GENERAL)]
    bad = [line for line in told if line.startswith(("fatal:", "error:", "ssh:", "remote:"))] or told
    if bad:
        return bad[-1].removeprefix("fatal: ").removeprefix("error: ")[:300]
    if any(word in line for line in said.lines for word in _BROKE):
        return "the connection broke off"
    return said.lines[-1][:300] if said.lines else f"git exited with {said.status}"
