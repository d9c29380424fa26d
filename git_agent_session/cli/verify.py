"""`verify`: whether the commits that agents made have their sessions, for people and for CI."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, pass_env

FORMATS = ("text", "github", "gitlab", "junit", "json")


@click.command()
@click.argument("range", metavar="[RANGE]", required=False, type=TEXT, default="")
@click.option("--require", is_flag=True, help="Exit with 1 when a commit of an agent's has no session.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="For people, as GitHub's annotations, GitLab's code quality report, JUnit's XML, or as JSON.",
)
@json_option
@pass_env
def command(env: Env, range: str, require: bool, form: str, as_json: bool) -> None:
    """Check that the commits which agents made have a session.

    That is, the commits of RANGE that say of themselves that an agent made them. RANGE is as in `git log`, by default
    what is not in the branch's upstream, or the remote's default branch, yet. A session must be here: run
    `git agent-session fetch` first.
    """
    from git_agent_session.report import verify

    with env.busy("Checking", "commits") as bar:
        found = verify.verify(env.store, range, bar)
    form = "json" if as_json else form
    if form == "json":
        env.json(found.to_dict())
    elif form == "gitlab":
        env.json(verify.gitlab(found, fails=require))
    else:
        env.lines(verify.lines(found, form, require=require))
    if verify.exit_status(found, require=require):
        raise click.exceptions.Exit(1)
