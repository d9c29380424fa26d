"""What an import did, session by session; and the links that it ends with, for what all imports have shown so far."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from git_agent_session.agents import recorder
from git_agent_session.agents.importing_read import load_proof, proof_path, proofs
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import timestamp
from git_agent_session.model import Doc, Event
from git_agent_session.store import drain as draining
from git_agent_session.store import proof
from git_agent_session.store.seen import Seen

# what became of a session
IMPORTED, GROWN, KNOWN, RECORDED, EMPTY, FAILED = "imported", "grown", "known", "recorded", "empty", "failed"


@dataclass(slots=True)
class Row:
    """What became of one session of the agent's: `outcome` is one of the words above, times are RFC 3339."""

    agent: str
    native_id: str
    session: str
    outcome: str
    title: str = ""
    started_at: str = ""
    ended_at: str = ""
    prompts: int = 0
    tools: int = 0
    commits: list[str] = field(default_factory=list)
    error: str = ""

    def to_dict(self) -> Doc:
        """For `--json`; what is empty is left out."""
        return {k: v for k in Row.__slots__ if (v := getattr(self, k)) not in ("", [])}


@dataclass(slots=True)
class Report:
    """What an import did, or would do. `linked`: the commits of sessions that earlier imports brought, too."""

    rows: list[Row] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def count(self, *outcomes: str) -> int:
        """How many sessions had one of these outcomes."""
        return sum(row.outcome in outcomes for row in self.rows)


def link(repo: Repository, report: Report, shown: Mapping[str, proof.Evidence], *, dry: bool) -> None:
    """Link the commits that are proved by what earlier imports kept and by `shown`; the report says which."""
    evidence = {**dict(_kept(repo, dry=dry)), **shown}
    found: dict[str, list[proof.Proof]] = {}
    for one in proof.prove(repo, [e for e in evidence.values() if e.last]):
        if not _knows(repo, one):
            found.setdefault(one.session_id, []).append(one)
    rows = {row.session: row for row in report.rows}
    for session_id, proved in found.items():
        if not dry:
            events = [event for p in proved if (event := _event(repo, p)) is not None]
            draining.drain(repo, session_id, draining.Extra(events))
        commits = [p.commit.id for p in proved]
        report.linked += commits
        if session_id in rows:
            rows[session_id].commits += commits


def _kept(repo: Repository, *, dry: bool) -> Iterator[tuple[str, proof.Evidence]]:
    folder = os.path.join(repo.location.shared, recorder.FOLDER)
    for session_id in proofs(folder):
        if repo.tip(SESSIONS + session_id) is not None:
            yield session_id, load_proof(folder, session_id)[0]
        elif not dry:
            # of a session that was deleted
            os.unlink(proof_path(folder, session_id))


def _knows(repo: Repository, one: proof.Proof) -> bool:
    """True for a link that was made before: it may have been taken back by hand."""
    tip = repo.tip(SESSIONS + one.session_id)
    return f"commit-{one.commit.id}" in Seen.load(repo.location.shared, repo, one.session_id, tip).ids


def _event(repo: Repository, one: proof.Proof) -> Event | None:
    facts = repo.commit_facts(one.commit.id)
    if not facts:
        return None
    data: Doc = {"commit": one.commit.id, "tree": facts["tree"], "parents": facts["parents"], "via": one.via}
    # as the hooks name it; at the time that it was made
    return Event(f"commit-{one.commit.id}", timestamp(one.commit.authored * 1_000_000_000), "commit", data)
