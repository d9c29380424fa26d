"""`redact`: what the redactor takes out, and whether anything stored should have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, complete_id, json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.redact.configured import Settings

_ALL = "*"


@click.command()
@click.option(
    "--check",
    metavar="[ID]",
    is_flag=False,
    flag_value=_ALL,
    type=TEXT,
    shell_complete=complete_id,
    help="Scan what is stored, of one session or of all; exit 1 when a secret is found.",
)
@click.option("--check-rules", is_flag=True, help="Try the rules in git's configuration; exit 1 when one is refused.")
@click.option("--dry-run", metavar="TEXT", type=TEXT, help="Print TEXT as it would be stored; - reads standard input.")
@click.option("--list", "listed", is_flag=True, help="List the rules, each with its group.")
@json_option
@pass_env
def command(env: Env, check: str | None, check_rules: bool, dry_run: str | None, listed: bool, as_json: bool) -> None:
    """Show what is redacted, and look for secrets in what is stored.

    Secrets are taken out of every text before it is stored. A secret that is found is never shown: the report names
    the session, the place and the rule, with at most its first characters."""
    if sum((check is not None, check_rules, dry_run is not None, listed)) != 1:
        refuse("redact needs one thing to do", "give one of --check, --check-rules, --dry-run and --list")
    if check is not None:
        _check(env, None if check == _ALL else check, as_json)
    elif check_rules:
        _check_rules(env, as_json)
    elif dry_run is not None:
        _dry_run(env, dry_run, as_json)
    else:
        _list(env, as_json)


def _settings(env: Env) -> Settings:
    from git_agent_session.git.discover import discover
    from git_agent_session.redact import configured

    location = discover(env.start, env.environ)
    return configured.read(location) if location is not None else configured.Settings(())


def _check(env: Env, session: str | None, as_json: bool) -> None:
    from git_agent_session import term
    from git_agent_session.errors import SessionNotFound
    from git_agent_session.redact.scan import Scanner
    from git_agent_session.report.leaks import leaks

    scanner = Scanner(_settings(env))
    for problem in scanner.problems:
        env.warn(problem)
    sessions = [env.target(session)] if session is not None else sorted(env.store.ids())
    if session is not None and sessions[0] not in env.store.ids():
        raise SessionNotFound(f"no session {sessions[0]}", hint="see `git agent-session list`")
    with env.busy("Scanning", "sessions") as bar:
        found = list(leaks(env.store.repo, bar.over(sessions), scanner))
    if as_json:
        env.json([leak.to_dict() for leak in found])
    else:
        for leak in found:
            env.write("  ".join(filter(None, (leak.session[:8], term.clean(leak.where), leak.rule, leak.head))))
        if not found:
            env.write(f"No secret in {term.count(len(sessions), 'session')}")
    if found:
        if not as_json:
            env.say("revoke what was found: whoever has fetched the session has it; `delete ID` removes a session here")
        raise click.exceptions.Exit(1)


def _check_rules(env: Env, as_json: bool) -> None:
    from git_agent_session.redact.configured import assemble
    from git_agent_session.redact.rules import names

    settings = _settings(env)
    problems = assemble(settings)[1]
    problems += [f"agentSession.redact.disable: there is no rule {n!r}" for n in settings.disable if n not in names()]
    if as_json:
        env.json({"rules": len(settings.rules), "problems": problems})
    else:
        for problem in problems or ["Every rule can be used"]:
            env.write(problem)
    if problems:
        raise click.exceptions.Exit(1)


def _dry_run(env: Env, text: str, as_json: bool) -> None:
    from git_agent_session.redact.configured import assemble

    redactor, problems = assemble(_settings(env))
    for problem in problems:
        env.warn(problem)
    given = env.read_text() if text == "-" else text
    found = redactor.text(given)
    if as_json:
        env.json({"text": found, "changed": found != given})
    else:
        env.write(found)


def _list(env: Env, as_json: bool) -> None:
    from git_agent_session.redact.rules import rules

    rows = rules(_settings(env))
    if as_json:
        env.json([{"name": r.name, "group": r.group, "used": r.used} for r in rows])
    else:
        width = max(len(r.name) for r in rows)
        for row in rows:
            env.write(f"{row.name:{width}}  {row.group}{'' if row.used else '  (off)'}")
