"""`report`: what agents did in a range of commits, for a pull request."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, pass_env

FORMATS = ("markdown", "html", "json")


@click.command()
@click.argument("range", metavar="[RANGE]", required=False, type=TEXT, default="")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="markdown", show_default=True, help="As what to write it."
)
@json_option
@pass_env
def command(env: Env, range: str, form: str, as_json: bool) -> None:
    """Report what agents did in a range of commits.

    The sessions behind them with their prompts in short, cost and files, and the commits that name an agent and have
    no session. RANGE is as in `git log`; default: what is not in the branch's upstream, or the remote's default
    branch, yet. Markdown fits into a comment of a pull request; html is one file that stands alone."""
    from git_agent_session.report import pull_request

    found = pull_request.gather(env.store, range)
    for error in found.broken:
        env.warn(error.line())
    if as_json or form == "json":
        env.json(found.to_dict())
        return
    for piece in pull_request.page(found) if form == "html" else pull_request.markdown(found):
        env.out.write(piece)
