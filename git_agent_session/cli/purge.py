"""`purge`: take all traces of sessions out of this repository, and where asked out of a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.delete import remote_of, report
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, complete_id, json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.store.purge import Purged
    from git_agent_session.sync.remote import Remote

BEYOND = "clones and forks of others, and what a forge keeps in its caches, are out of reach: ask them"


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=TEXT, shell_complete=complete_id)
@click.option(
    "--remote",
    metavar="[REMOTE]",
    is_flag=False,
    flag_value="",
    type=TEXT,
    help="Purge them there too; without a name at the remote that sessions go to.",
)
@click.option("--gc", is_flag=True, help="Run `git gc --prune=now`, which deletes all that no ref reaches.")
@click.option("--forget", is_flag=True, help="Purge nothing: let purged sessions in again when they are fetched.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_env
def command(
    env: Env, ids: tuple[str, ...], remote: str | None, gc: bool, forget: bool, yes: bool, as_json: bool
) -> None:
    """Remove all traces of sessions, for what must not be there.

    Refs, what was fetched of them, reflogs, what waits and what was captured go; archives and notes are written anew,
    without the sessions and without what they were before. Git keeps the objects until it collects what no ref reaches,
    in two weeks or more: --gc does that now, and takes along every other commit of yours that nothing reaches.

    With --remote the same is done there. Archives and notes of the remote are replaced, by force but only where nobody
    has pushed meanwhile. What others have fetched is theirs; a fetch does not bring it back here, until --forget takes
    the sessions off the list of those that were purged.
    """
    from git_agent_session.store import purge
    from git_agent_session.sync.removal import Removal

    store = env.store
    if forget:
        if remote is not None or gc:
            refuse("--forget goes neither with --remote nor with --gc", "it purges nothing")
        _forget(env, ids, as_json)
        return
    there = remote_of(env, remote)
    found = purge.find(store, ids)
    if not yes and not _agreed(env, found, there):
        env.say("nothing was purged")
        return
    # first there: what was fetched from it is needed to know what it has
    removed = Removal(store.repo, there).purge(found) if there else None
    with env.busy("Purging", "sessions") as bar:
        done = purge.purge(store, found, bar)
        if gc:
            purge.collect(store.repo)
        left = purge.remaining(store.repo, done.tips)
    if as_json:
        env.json({**done.to_dict(), "objects_left": left, **({"remote": removed.to_dict()} if removed else {})})
    else:
        _tell(env, done)
    _tell_left(env, left, gc)
    env.say(BEYOND)
    if there and removed:
        report(env, there, removed, silent=as_json)


def _forget(env: Env, ids: tuple[str, ...], as_json: bool) -> None:
    from git_agent_session.store import lookup, purged

    known = purged.ids(env.store.shared)
    found = [lookup.expand(text, known) for text in ids]
    purged.forget(env.store.shared, found)
    if as_json:
        env.json({"forgotten": found})
        return
    for session_id in found:
        env.write(f"Session {session_id} may come in again")


def _agreed(env: Env, ids: tuple[str, ...], there: Remote | None) -> bool:
    from git_agent_session import term

    what = term.count(len(ids), "session")
    if not env.can_ask():
        refuse(f"{what} would be purged, which is not done without a word", "add --yes")
    where = f", here and at {there.shown}, whose archives and notes are replaced by force" if there else ""
    names = ", ".join(i[:8] for i in ids)
    answer = env.ask(f"Purge {what} ({names}){where}? This cannot be undone. [y/N] ")
    return answer is not None and answer.lower() in ("y", "yes")


def _tell(env: Env, done: Purged) -> None:
    from git_agent_session import term

    for session_id in done.ids:
        env.write(f"Purged session {session_id}")
    parts = [term.count(len(done.refs), "ref"), term.count(done.files, "file"), term.count(done.notes, "note")]
    if done.archives:
        parts.append(f"the archives {', '.join(done.archives)}")
    env.write(f"  {', '.join(parts)}")


def _tell_left(env: Env, left: list[str], gc: bool) -> None:
    from git_agent_session import term

    if not left:
        return
    what = f"git still has {term.count(len(left), 'commit')} of it ({', '.join(tip[:10] for tip in left[:3])})"
    if gc:
        env.warn(f"{what}: something else reaches it, or it is in a pack that is kept or in another repository")
    else:
        env.say(f"{what} until it collects; `git gc --prune=now` does that")
