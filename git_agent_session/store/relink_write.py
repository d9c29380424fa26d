"""Writes what `relink` finds: events first, then notes in one step; looks at what HEAD's reflog says is new.

All ids of events are made from the commits they are about, so that two processes, or two clones, that find the same
write the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from git_agent_session import journal
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.git.run import run
from git_agent_session.ids import is_object_id, timestamp
from git_agent_session.model import Doc, Event, Session, State, fold
from git_agent_session.store import drain as draining
from git_agent_session.store import links, patches
from git_agent_session.store.patches import Facts
from git_agent_session.store.relink import Claim, Finder, Match, Revert
from git_agent_session.store.relink_index import Index
from git_agent_session.store.relink_reflog import AMEND, BROUGHT, COMMIT, COPY, PICK, Reflog, Step
from git_agent_session.store.seen import Seen

# what a reader may spend on what is new; the rest is left to the next one, or to `relink`
MOST = 200
SECONDS = 0.4
# the same for the branches of squashes: what is not found in it is found by `relink` alone
SEARCH = 5.0
# bytes of a commit map: some two million commits
MAX_MAP = 256 * 1024 * 1024
_SQUASHED = "Squashed commit of the following:"


def apply(repo: Repository, matches: Iterable[Match], reverts: Iterable[Revert] = ()) -> list[Match]:
    """Link what was found; returns it without what was linked meanwhile.

    Raises StorageError; what was written until then stands, and doing it again does the rest.
    """
    at = timestamp()
    events: dict[str, list[Event]] = {}
    edits: dict[str, list[links.Edit]] = {}
    written = []
    for match in matches:
        there = sessions_of(repo, match.commit)
        held = confirmed(repo, match.commit, there)
        claims = tuple(c for c in match.claims if c.session_id not in held)
        for claim in claims:
            events.setdefault(claim.session_id, []).extend(_events(repo, match.commit, claim, at))
            edit = links.Edit(claim.session_id, True, _agent(repo, claim.session_id), not there and claim is claims[0])
            edits.setdefault(match.commit, []).append(edit)
        if claims:
            written.append(Match(match.commit, claims))
    for revert in reverts:
        data: Doc = {"commit": revert.commit, "reverts": revert.reverts}
        event = Event(f"revert-{revert.commit}-{revert.reverts}", at, "revert", data)
        events.setdefault(revert.session_id, []).append(event)
    for session_id, some in events.items():
        journal.append(repo.location.shared, session_id, some)
    links.project(repo, edits, "relink")
    for session_id in events:
        draining.drain(repo, session_id)
    return written


def _events(repo: Repository, commit: str, claim: Claim, at: str) -> list[Event]:
    facts = repo.commit_facts(commit)
    data: Doc = {"commit": commit, "tree": facts.get("tree"), "parents": facts.get("parents"), "via": claim.via}
    if claim.old:
        data |= {"rewritten_from": claim.old, "operation": claim.operation}
    made = [Event(f"commit-{commit}", at, "commit", {k: v for k, v in data.items() if v is not None})]
    return made + [_rewrite(old, commit, claim.operation, at) for old in claim.replaced]


def _rewrite(old: str, new: str, operation: str, at: str) -> Event:
    return Event(f"rewrite-{old}-{new}", at, "rewrite", {"old": old, "new": new, "operation": operation})


def _agent(repo: Repository, session_id: str) -> str:
    tip = repo.tip(SESSIONS + session_id)
    try:
        doc = draining.read_state(repo, session_id, tip) if tip else {}
    except AgentSessionError:
        doc = {}
    return Session.from_doc(doc).agent.type or "unknown"


def sessions_of(repo: Repository, commit: str) -> set[str]:
    """The sessions that a commit has: by its note, and by what git hooks have written and nobody drained."""
    found = {n.session_id for n in links.parse(notes.read(repo, commit))}
    try:
        names = os.listdir(journal.folder(repo.location.shared))
    except OSError:
        return found
    return found | {name[:36] for name in names if name[36:] == f".{commit}.toml"}


def confirmed(repo: Repository, commit: str, ids: Iterable[str]) -> set[str]:
    """Those of the sessions `ids` whose events link a commit. Git copies notes, and tells nobody."""
    found = set()
    for session_id in ids:
        pending = journal.read(repo.location.shared, session_id).events
        tip = repo.tip(SESSIONS + session_id)
        try:
            seen = Seen.load(repo.location.shared, repo, session_id, tip)
        except AgentSessionError:
            found.add(session_id)  # what cannot be read is left as it is
            continue
        known = seen.links()
        waiting = draining.unseen(pending, seen.ids)
        if commit in (fold(session_id, waiting, State(None, known)).links if waiting else known):
            found.add(session_id)
    return found


def reverted(repo: Repository, revision: str) -> dict[str, list[str]]:
    """The commits that a commit says it reverts, each with its sessions; those without sessions are left out.

    Read from the commit's own message. Raises CommitNotFound.
    """
    commit = repo.resolve(revision)
    known = patches.facts(repo, [commit]).get(commit)
    found = {old: links.parse(notes.read(repo, old)) for old in (known.reverts if known else ())}
    return {old: [n.session_id for n in noted] for old, noted in found.items() if noted}


# -- a map of commits, as git filter-repo writes it


def read_map(path: str) -> dict[str, str]:
    """The pairs of a commit map: a line `old new` of headings, then one for each commit; dropped ones left out.

    Raises UsageError when it is none, OSError when it cannot be read.
    """
    pairs: dict[str, str] = {}
    with open(path, encoding="ascii", errors="replace") as f:
        if os.fstat(f.fileno()).st_size > MAX_MAP:
            raise UsageError(f"{path} is larger than {MAX_MAP // 1024 // 1024} MiB", hint="cut it into several")
        for number, line in enumerate(f, 1):
            words = line.split()
            if number == 1 and words == ["old", "new"]:
                continue
            if len(words) != 2 or not all(map(is_object_id, words)):
                raise UsageError(
                    f"line {number} of {path} is no pair of commits",
                    hint="give the file .git/filter-repo/commit-map that git filter-repo writes",
                )
            if words[0] != words[1] and words[1].strip("0"):
                pairs[words[0]] = words[1]
    return pairs


def follow_map(repo: Repository, index: Index, pairs: Mapping[str, str]) -> list[Match]:
    """The links that a commit map moves: of each old commit that is linked, where the new one is here."""
    found = []
    by_commit: dict[str, list[str]] = {}
    for row in index.all():
        if row.commit in pairs and pairs[row.commit] != row.replaced_by:
            by_commit.setdefault(row.commit, []).append(row.session_id)
    for old, sessions in by_commit.items():
        new = pairs[old]
        if repo.commit_facts(new):
            first = {n.session_id for n in links.parse(notes.read(repo, old)) if n.primary}
            ids = sorted(sessions, key=lambda i: (i not in first, i))
            found.append(Match(new, tuple(Claim(i, "rewrite", old, "filter-repo", (old,)) for i in ids)))
    return found


def apply_map(repo: Repository, matches: Iterable[Match]) -> list[Match]:
    """Move links as `follow_map` says. Raises StorageError."""
    at = timestamp()
    events: dict[str, list[Event]] = {}
    edits: dict[str, list[links.Edit]] = {}
    done = list(matches)
    for match in done:
        for claim in match.claims:
            events.setdefault(claim.session_id, []).append(_rewrite(claim.old, match.commit, claim.operation, at))
            others = edits.setdefault(match.commit, [])
            others.append(links.Edit(claim.session_id, True, _agent(repo, claim.session_id), not others))
    for session_id, some in events.items():
        journal.append(repo.location.shared, session_id, some)
    links.project(repo, edits, "relink")
    for session_id in events:
        draining.drain(repo, session_id)
    return done


# -- what is new here


def look(repo: Repository, *, seconds: float = SECONDS, most: int = MOST) -> None:
    """Link the commits that HEAD's reflog has new and that are copies of linked ones.

    A rebase under way is waited for, and so is evidence that is still to be judged. Raises AgentSessionError, OSError.
    """
    if any(os.path.isdir(os.path.join(repo.location.git_dir, n)) for n in ("rebase-merge", "rebase-apply")):
        return
    reflog = Reflog(repo.location)
    steps = reflog.fresh()
    until = next((s for s in steps if _is_pending(repo, s)), None)
    steps = steps[: steps.index(until)] if until is not None else steps
    commits, noted = _new(repo, steps, most)
    if commits:
        index = Index(repo)
        try:
            if not index.sync(seconds=seconds):
                return
            finder = Finder(repo, index, reflog, repo.head() or commits[0].id, seconds=max(seconds, SEARCH))
            found = finder.find(commits, noted)
            apply(repo, found.matches, found.reverts)
        finally:
            index.close()
    reflog.looked(until)


def _is_pending(repo: Repository, step: Step) -> bool:
    """True when a git hook has left this commit to the evidence of what agents wrote (`evidence.settle`)."""
    return step.made and os.path.exists(os.path.join(repo.location.private, "traces", f"commit.{step.new}"))


def _new(repo: Repository, steps: Sequence[Step], most: int) -> tuple[list[Facts], dict[str, set[str]]]:
    """The commits to look at, the latest first, and the sessions of those that have some."""
    head = repo.head()
    replaced = {s.old for s in steps if s.kind == "amend"}
    found: dict[str, set[str]] = {}
    brought: list[str] = []
    for step in reversed(steps[-most * 5 :]):
        if step.kind == BROUGHT:
            brought += _brought(repo, step, most - len(brought)) if len(brought) < most else []
        elif step.made and step.new not in replaced and (head is not None and _may_count(repo, step, head)):
            has = sessions_of(repo, step.new)
            if has and step.kind in (PICK, AMEND):
                # where no session was ever opened the hook keeps nothing, and git has copied the note all the same
                noted, has = has, confirmed(repo, step.new, has)
                wanted = has != noted
            else:
                wanted = not has or _is_copy(repo, step)
            if wanted:
                found[step.new] = has
    for commit in brought:
        if commit not in found and not sessions_of(repo, commit):
            found[commit] = set()
    known = patches.facts(repo, list(found)[:most])
    return list(known.values()), {c: has for c, has in found.items() if has}


def _may_count(repo: Repository, step: Step, head: str) -> bool:
    # a rebase leaves commits behind that were only steps on its way
    return step.kind != PICK or repo.descends(head, step.new)


def _is_copy(repo: Repository, step: Step) -> bool:
    """True when a commit that has a session may be a copy of another session's: git says so, or it shows."""
    if step.kind == COPY:
        return True
    facts = repo.commit_facts(step.new) if step.kind == COMMIT else {}
    return bool(facts) and (facts["authored_at"] != facts["at"] or str(facts["subject"]) == _SQUASHED)


def _brought(repo: Repository, step: Step, most: int) -> list[str]:
    scope = [step.new] if not step.old.strip("0") else [step.new, f"^{step.old}"]
    args = ("rev-list", f"--max-count={most}", *scope, "--")
    return run(*args, cwd=repo.location.git_dir, check=False).stdout.decode("ascii", "replace").split()


def background(argv: Sequence[str]) -> None:
    """What post-merge starts: GIT_DIR COMMON_DIR WORKTREE. Takes its time; errors go to hook.log."""
    from git_agent_session.git.discover import Location

    git_dir, common_dir, worktree = map(os.path.abspath, argv)
    location = Location(git_dir, common_dir, worktree)
    try:
        look(Repository(location), seconds=60.0, most=1000)
    except BaseException as e:
        with open(os.path.join(location.shared, "hook.log"), "a", encoding="utf-8") as f:
            f.write(f"post-merge: {type(e).__name__}: {e}\n")
