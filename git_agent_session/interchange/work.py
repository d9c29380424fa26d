"""What sessions did to commits, for formats that speak of commits and lines: links, and who wrote which lines.

Only what is recorded counts (`agents.attribution`): a line of which nothing is known is in no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from git_agent_session.agents.attribution import Record
from git_agent_session.agents.authorship import AGENT
from git_agent_session.answers.lines import Attribution
from git_agent_session.interchange.arrivals import Ranges
from git_agent_session.model import Link, Session
from git_agent_session.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Part:
    """What one session did of one commit."""

    session: Session
    link: Link
    record: Record

    def ranges(self, path: str, *kinds: str) -> dict[int, Ranges]:
        """The lines of a file that are of one of `kinds` (default: the agent's), by the prompt that led to them."""
        found: dict[int, Ranges] = {}
        for number, line in sorted(self.record.files.get(path, {}).items()):
            if line.kind not in (kinds or (AGENT,)):
                continue
            spans = found.setdefault(line.prompt, [])
            if spans and spans[-1][1] == number - 1:
                spans[-1] = (spans[-1][0], number)
            else:
                spans.append((number, number))
        return found


def by_commit(
    reader: Reader, sessions: Iterable[Session], *, whole: bool = False
) -> Iterator[tuple[str, Sequence[Part]]]:
    """The commits of the sessions that are here, in the order of their links, each with its sessions.

    With `whole` a commit comes with all its sessions, those that were not asked for too. What cannot be read of a
    session is said in `reader.broken`. Raises AgentSessionError.
    """
    links: dict[str, list[tuple[Session, Link]]] = {}
    look = Attribution(reader)
    for session in sessions:
        here = [link for link in reader.commits(session.id) if reader.repo.commit_facts(link.commit)]
        for link in here:
            links.setdefault(link.commit, []).append((session, link))
        look.prepare(link.commit for link in here)
    if whole:
        for commit, rows in links.items():
            rows += _others(reader, look, commit, {session.id for session, _ in rows})
            rows.sort(key=lambda row: (row[0].started_at, row[0].id))
    for commit, rows in sorted(links.items(), key=lambda row: (row[1][0][1].at, row[0])):
        yield commit, [Part(session, link, look.record(session.id, commit)) for session, link in rows]


def _others(reader: Reader, look: Attribution, commit: str, known: set[str]) -> list[tuple[Session, Link]]:
    """The sessions of a commit beside those that are known."""
    found = []
    for author in look.authors(commit):
        if author.present and author.session not in known:
            links = [link for link in reader.commits(author.session) if link.commit == commit]
            found += [(reader.get(author.session), link) for link in links]
    return found
