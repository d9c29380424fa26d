"""`which`: the sessions that a commit belongs to."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.argument("revision", metavar="[COMMIT]", default="HEAD", required=False)
@json_option
@pass_env
def command(env: Env, revision: str, as_json: bool) -> None:
    """Show the sessions that a commit belongs to.

    The primary one comes first. COMMIT is HEAD by default. Of a commit that reverts others, their sessions are named.
    """
    from git_agent_session.cli.commits import rows

    found = env.store.which(revision)
    if as_json:
        env.json([row.to_dict() for w in found for row in rows(env, w.session.id, [w.link])])
    elif found:
        from git_agent_session.report.commits import sessions_of

        env.lines(sessions_of(env.view(shorts=env.store.ids()), found))
    else:
        commit = env.store.repo.resolve(revision)
        env.say(f"commit {commit[:10]} belongs to no session; `git agent-session link {commit[:10]}` links it")
    if not as_json:
        _say_reverts(env, revision)


def _say_reverts(env: Env, revision: str) -> None:
    repo = env.store.repo
    if not str(repo.commit_facts(repo.resolve(revision)).get("subject", "")).startswith("Revert"):
        return
    from git_agent_session.store.relink_write import reverted

    for commit, ids in reverted(repo, revision).items():
        env.write(f"reverts {commit[:10]}, of {', '.join(i[:8] for i in ids)}")
