"""`relink`: find the sessions of commits that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env
from git_agent_session.errors import CommitNotFound, GitError, StorageError
from git_agent_session.progress import Bar

if TYPE_CHECKING:
    from git_agent_session.model import Doc
    from git_agent_session.store.relink import Found, Match, Near
    from git_agent_session.store.relink_index import Index

# seconds that looking for squashed branches may take
SECONDS = 60.0


@click.command()
@click.argument("range", metavar="[RANGE]", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many commits to look at.",
)
@click.option(
    "--commit-map", metavar="FILE", type=click.Path(), help="Follow the map that git filter-repo has written."
)
@click.option("--all", "everywhere", is_flag=True, help="Look at all branches, here and of remotes.")
@click.option("--interactive", is_flag=True, help="Ask about commits that are only alike.")
@click.option("--dry-run", is_flag=True, help="Show what would be linked, and link nothing.")
@json_option
@pass_env
def command(
    env: Env,
    range: str | None,
    limit: int,
    commit_map: str | None,
    everywhere: bool,
    interactive: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Find the sessions of commits that have none.

    It looks at the latest commits that HEAD reaches, at those of RANGE (such as main..topic), or with --all at those of
    every branch, and compares those without a session with all that are linked: copies, and what a rebase or a squash
    made on a server. Exact matches are linked; what is only alike is offered with --interactive. docs/rewrites.md tells
    what is found.
    """
    if commit_map is not None and (range is not None or interactive or everywhere):
        refuse("--commit-map goes with no RANGE, not with --all and not with --interactive", "give it alone")
    if everywhere and range is not None:
        refuse("--all goes with no RANGE", "leave one of them out")
    if interactive and (as_json or dry_run or not env.can_ask()):
        refuse("--interactive needs a terminal, and goes neither with --json nor with --dry-run", "leave it out")
    with _Run(env) as run:
        if commit_map is not None:
            found = run.map(commit_map, dry_run)
        else:
            found = run.all(limit, dry_run) if everywhere else run.search(range, limit, dry_run)
            if interactive:
                _ask(env, found, run)
    if as_json:
        env.json(_document(found, dry_run))
    else:
        _show(env, found, dry_run, commit_map is not None)


class _Run:
    """One call: the index, which is closed when it is over, and progress on a terminal."""

    def __init__(self, env: Env) -> None:
        from git_agent_session.store.relink_index import Index

        self.env = env
        self.repo = env.store.repo
        env.store.settle()
        self.index: Index = Index(self.repo)

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *error: object) -> None:
        self.index.close()

    def search(self, range: str | None, limit: int, dry_run: bool) -> Found:
        """Find, and write unless `dry_run`. Raises CommitNotFound for a RANGE that names nothing."""
        from git_agent_session.store import patches, relink_write
        from git_agent_session.store.relink import Finder, Found
        from git_agent_session.store.relink_reflog import Reflog

        if range is None and self.repo.head() is None:
            return Found()
        try:
            commits = patches.listed(self.repo, range or "HEAD", most=limit)
        except GitError as e:
            raise CommitNotFound(f"no commits are named {range or 'HEAD'!r}", hint="see gitrevisions(7)") from e
        wanted = [c for c in commits if not relink_write.sessions_of(self.repo, c.id)]
        if not wanted:
            return Found()
        with Bar(self.env.err, "Reading links") as tick:
            self.index.sync(tick=tick)
        finder = Finder(self.repo, self.index, Reflog(self.repo.location), commits[0].id, seconds=SECONDS)
        with Bar(self.env.err, "Comparing commits", "commits") as tick:
            found = finder.find(wanted, {}, tick)
        if not dry_run:
            found.matches = relink_write.apply(self.repo, found.matches, found.reverts)
        return found

    def all(self, limit: int, dry_run: bool) -> Found:
        """The same in all branches, each with its own line of history; `limit` for HEAD and for the others together."""
        from git_agent_session.store import relink_branches

        with Bar(self.env.err, "Reading links") as tick:
            self.index.sync(tick=tick)
        with Bar(self.env.err, "Comparing branches") as tick:
            return relink_branches.search(
                self.repo, self.index, most=limit, seconds=SECONDS, dry_run=dry_run, tick=tick
            )

    def map(self, path: str, dry_run: bool) -> Found:
        """Follow a commit map. Raises UsageError when it is none, StorageError when it cannot be read."""
        from git_agent_session.store import relink_write
        from git_agent_session.store.relink import Found

        try:
            pairs = relink_write.read_map(path)
        except OSError as e:
            raise StorageError(f"cannot read {path}: {e.strerror}", hint="give the path of the commit map") from e
        with Bar(self.env.err, "Reading links") as tick:
            self.index.sync(tick=tick)
        matches = relink_write.follow_map(self.repo, self.index, pairs)
        return Found(matches if dry_run else relink_write.apply_map(self.repo, matches))


def _ask(env: Env, found: Found, run: _Run) -> None:
    """Offer what is only alike; what is taken is linked at once."""
    from git_agent_session import term
    from git_agent_session.store import relink_write

    view = env.view(shorts=env.store.ids())
    taken: set[str] = set()
    rest: list[Near] = []
    for near in found.near:
        commit = near.match.commit
        ids = ", ".join(view.id(c.session_id) for c in near.match.claims)
        subject = term.clean(str(env.facts(commit).get("subject", "")))
        question = f"{view.commit(commit)} {subject}\n  {near.why}\n  Link to {ids}? [y/N] "
        answer = env.ask(question) if commit not in taken else "n"
        if answer is None:
            break
        if answer.lower() in ("y", "yes"):
            found.matches += relink_write.apply(run.repo, [near.match])
            taken.add(commit)
        else:
            rest.append(near)
    found.near = [n for n in rest if n.match.commit not in taken]


def _show(env: Env, found: Found, dry_run: bool, mapped: bool) -> None:
    from git_agent_session import term

    view = env.view(shorts=env.store.ids())
    verb = "Would link" if dry_run else "Linked"
    for match in found.matches:
        subject = term.clean(str(env.facts(match.commit).get("subject", "")))
        sessions = ", ".join(f"{view.id(c.session_id)} ({c.operation or c.via})" for c in match.claims)
        env.write(f"{verb} {view.commit(match.commit)} {subject} to {sessions}")
    for revert in found.reverts:
        env.write(f"{view.commit(revert.commit)} reverts {view.commit(revert.reverts)} of {view.id(revert.session_id)}")
    alike = len({n.match.commit for n in found.near})
    if alike:
        env.say(f"{term.count(alike, 'commit')} more alike, not linked; `git agent-session relink --interactive` asks")
    if not found.matches and not alike:
        env.say("no link is on this map" if mapped else "no commit without a session is a copy of one that has one")


def _document(found: Found, dry_run: bool) -> Doc:
    return {
        "linked": [] if dry_run else [_row(m) for m in found.matches],
        "would_link": [_row(m) for m in found.matches] if dry_run else [],
        "near": [{**_row(n.match), "why": n.why} for n in found.near],
        "reverts": [{"commit": r.commit, "reverts": r.reverts, "session": r.session_id} for r in found.reverts],
    }


def _row(match: Match) -> Doc:
    rows = (
        {"session": c.session_id, "via": c.via, "rewritten_from": c.old, "operation": c.operation} for c in match.claims
    )
    return {"commit": match.commit, "sessions": [{k: v for k, v in row.items() if v} for row in rows]}
