"""Takes sessions away from a remote: the only place where a ref of a remote goes, or is written anew.

Each ref moves only from where it was last seen (git-push(1), --force-with-lease=<ref>:<old>): what somebody has pushed
in between is not lost. Others' clones keep what they have, and may push it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from git_agent_session.git import all_notes, notes
from git_agent_session.git.repository import SESSIONS
from git_agent_session.git.transport import Said
from git_agent_session.ids import is_session_id
from git_agent_session.store import archive, purge
from git_agent_session.sync import words
from git_agent_session.sync.heard import Sent, answers, failed
from git_agent_session.sync.transfer import Connection
from git_agent_session.sync.words import is_archive

# refs in one command: each takes 250 bytes of its line, and each command the remote's whole list
_AT_ONCE = 90 if os.name == "nt" else 900


@dataclass(slots=True)
class Removed:
    """What the remote said: refs that went or were written anew, those it refused, sessions left in its archives."""

    gone: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    refused: list[Sent] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        refused = [{"ref": s.ref, "reason": s.reason} for s in self.refused]
        return {"gone": self.gone, "rewritten": self.rewritten, "refused": refused, "archived": self.archived}


class Removal(Connection):
    """A conversation in which sessions are taken away."""

    def delete(self, ids: Sequence[str]) -> Removed:
        """Remove the refs of sessions, those that are there. Raises GitError when the remote cannot be talked to.

        Sessions in the remote's archives stay there, and are named.
        """
        self.fetch()
        return self._moved(self._refs(ids), self._archives(ids))

    def purge(self, ids: Sequence[str]) -> Removed:
        """The same, and write archives and notes anew without these sessions and without what they were before."""
        self.fetch()
        wanted: dict[str, tuple[str, str | None]] = self._refs(ids)
        for ref, tip in self._archives(ids).items():
            month = ref.rpartition("/")[2]
            wanted[ref] = (tip, archive.rewritten(self.repo, month, tip, ids))
        listed = self.listed()
        noted = self.repo.tip(self.remote.notes)
        if noted and listed.get(notes.REF) == noted:
            changes = purge.without_lines(all_notes.naming(self.repo, noted, ids), ids)
            if changes:
                wanted[notes.REF] = (noted, all_notes.fresh(self.repo, noted, changes, "purge"))
        return self._moved(wanted, {})

    def tidy(self) -> Removed:
        """Remove the refs of sessions that the remote's own archives have, which is how its list of refs gets short.

        To be called after a push of archives. Nothing is lost by it: the archives keep those very commits.
        """
        self.fetch()
        listed = self.listed()
        tracked = self.repo.refs(self.remote.tracking)
        names = {ref[len(self.remote.tracking) :]: tip for ref, tip in tracked.items()}
        names = {name: tip for name, tip in names.items() if listed.get(SESSIONS + name) == tip}
        tips = [tip for name, tip in names.items() if is_archive(name)]
        refs = {name: tip for name, tip in names.items() if is_session_id(name)}
        over = archive.covered(self.repo, refs, tips)
        return self._moved({SESSIONS + i: (tip, None) for i, tip in over.items()}, {})

    def _refs(self, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        listed = self.listed()
        return {SESSIONS + i: (listed[SESSIONS + i], None) for i in ids if SESSIONS + i in listed}

    def _archives(self, ids: Sequence[str]) -> dict[str, str]:
        """The remote's archives that hold any of the sessions, as they were fetched just now."""
        found = {}
        listed = self.listed()
        for ref, tip in self.repo.refs(self.remote.tracking).items():
            name = ref[len(self.remote.tracking) :]
            if is_archive(name) and listed.get(SESSIONS + name) == tip:
                try:
                    index = self.repo.archives.index(tip)
                except ValueError:
                    continue
                if not index.keys().isdisjoint(ids):
                    found[SESSIONS + name] = tip
        return found

    def _moved(self, wanted: Mapping[str, tuple[str, str | None]], archived: Mapping[str, str]) -> Removed:
        done = Removed(archived=sorted(archived))
        rows = list(wanted.items())
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            leases = [f"--force-with-lease={ref}:{old}" for ref, (old, _) in part]
            specs = [f"{new or ''}:{ref}" for ref, (_, new) in part]
            args = words.push(self.remote.given, specs, named=self.remote.named, progress=False, leases=leases)
            said = self._said(*args)
            if not _note(done, said) and (said.status != 0 or said.late):
                raise failed("push to", self.remote, said)
        return done


def _note(done: Removed, said: Said) -> int:
    """Take in what the remote said of each ref; returns of how many."""
    count = 0
    for flag, sent in answers(said):
        count += 1
        if flag == "!":
            done.refused.append(sent)
        elif flag == "-":
            done.gone.append(sent.ref)
        elif flag in ("+", "*", " "):
            done.rewritten.append(sent.ref)
    return count
