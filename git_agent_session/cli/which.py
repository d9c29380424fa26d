"""`which`: the sessions that a commit belongs to."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import format_option, json_option, pass_env


@click.command()
@click.argument("revision", metavar="[COMMIT]", default="HEAD", required=False)
@format_option
@json_option
@pass_env
def command(env: Env, revision: str, form: str | None, as_json: bool) -> None:
    """Show the sessions that a commit belongs to.

    The primary one comes first. COMMIT is HEAD by default. Of a commit that reverts others, their sessions are named.
    """
    from git_agent_session.cli.commits import rows

    found = env.store.which(revision)
    if form is not None:
        from git_agent_session.cli.list import formatted

        formatted(env, form, ((w.session, row) for w in found for row in rows(env, w.session.id, [w.link])), as_json)
        return
    reverts = _reverts(env, revision)
    if as_json:
        told = [row.to_dict() for w in found for row in rows(env, w.session.id, [w.link])]
        commit = env.store.repo.resolve(revision)
        env.json([*told, *({"commit": commit, "reverts": old, "sessions": ids} for old, ids in reverts.items())])
        return
    if found:
        from git_agent_session.report.commits import sessions_of

        env.lines(sessions_of(env.view(shorts=env.store.ids()), found))
    else:
        commit = env.store.repo.resolve(revision)
        env.say(f"commit {commit[:10]} belongs to no session; `git agent-session link {commit[:10]}` links it")
    for commit, ids in reverts.items():
        env.write(f"reverts {commit[:10]}, of {', '.join(i[:8] for i in ids)}")


def _reverts(env: Env, revision: str) -> dict[str, list[str]]:
    """The commits that this one takes back, with their sessions."""
    repo = env.store.repo
    if not str(repo.commit_facts(repo.resolve(revision)).get("subject", "")).startswith("Revert"):
        return {}
    from git_agent_session.store.relink_write import reverted

    return reverted(repo, revision)
