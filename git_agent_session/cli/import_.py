"""`import`: what agents did here before this was installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.dates import moment
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import FILE, TEXT, json_option, pass_env

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_agent_session.agents.importing_report import Report, Row


@click.command(name="import")
@click.argument("given", metavar="[AGENT|PATH]...", nargs=-1, type=FILE)
@click.option("--all", "everything", is_flag=True, help="All sessions of this repository; without AGENT every agent's.")
@click.option(
    "--from",
    "source",
    metavar="PLACE",
    type=TEXT,
    help="Import what another tool recorded: agent-trace:FILE, git-ai, entire or otlp:FILE.",
)
@click.option("--since", metavar="DATE", type=TEXT, help="Only those started after DATE, as in `git log --since`.")
@click.option("--dry-run", is_flag=True, help="Print what would be imported, and write nothing.")
@json_option
@pass_env
def command(
    env: Env,
    given: tuple[str, ...],
    everything: bool,
    source: str | None,
    since: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import what agents did here before.

    AGENT is claude-code, codex, gemini, copilot, opencode, cursor, droid or pi; each PATH is a transcript of its.
    Without a PATH all of the agent's sessions that worked in this repository are imported.

    Commits are linked where a transcript proves that the session made them. A second time only what is new is
    imported, and sessions that hooks have recorded are left alone.

    With --from it is another tool's record of sessions that is imported: Agent Trace, Git AI's notes (refs/notes/ai),
    Entire's branch, or spans of OpenTelemetry. docs/interchange.md says what each of them has.
    """
    if source is not None:
        if given or everything:
            refuse("--from names all that is imported", "leave out AGENT, PATH and --all")
        report = _bring(env, source, since, dry_run)
        _tell(env, report, dry_run=dry_run, as_json=as_json, others="recorded otherwise")
        return
    from git_agent_session.agents.importing import import_sessions
    from git_agent_session.progress import Bar

    agents, paths = _split(given, everything)
    after = moment(env, "--since", since)
    with Bar(env.err, "Reading", "sessions") as bar:
        report = import_sessions(
            env.store.repo,
            agents,
            paths=paths,
            since=after,
            dry_run=dry_run,
            progress=lambda agent, done, total: bar(done, total),
            env=env.environ,
        )
    _tell(env, report, dry_run=dry_run, as_json=as_json)


def _bring(env: Env, source: str, since: str | None, dry_run: bool) -> Report:
    from git_agent_session import interchange
    from git_agent_session.progress import Bar

    place = interchange.Place.parse(source, env.start or "")
    after = moment(env, "--since", since)
    with Bar(env.err, "Importing", "sessions") as bar:
        return interchange.bring(env.store, place, dry_run=dry_run, since=after, env=env.environ, progress=bar)


def _tell(env: Env, report: Report, *, dry_run: bool, as_json: bool, others: str = "recorded by hooks") -> None:
    for text in report.said:
        env.warn(text)
    if as_json:
        env.json({"sessions": [row.to_dict() for row in report.rows], "commits": report.linked})
    else:
        _print(env, report, {**_OUTCOMES, "recorded": others}, dry_run=dry_run)
    if any(row.outcome == "failed" for row in report.rows):
        raise click.exceptions.Exit(1)


def _split(given: Sequence[str], everything: bool) -> tuple[list[str], list[str]]:
    """The agents and the paths among the arguments; refuses what does not go together."""
    from git_agent_session.agents import registry

    known = registry.names()
    # from the first that is no agent's name on, all are paths
    cut = next((n for n, word in enumerate(given) if word not in known), len(given))
    agents, paths = list(dict.fromkeys(given[:cut])), list(given[cut:])
    if paths and not agents:
        refuse(f"{paths[0]!r} is no agent", f"name one first: {', '.join(known)}")
    if paths and (everything or len(agents) > 1):
        refuse("a PATH goes with one agent, and without --all", "import in several calls")
    if not agents and not everything:
        refuse("no agent is named", f"name one of {', '.join(known)}, or use --all")
    return agents or list(_importable(known)), paths


def _importable(names: Iterable[str]) -> Iterable[str]:
    from git_agent_session.agents import registry

    return (name for name in names if hasattr(registry.load(name), "found"))


def _print(env: Env, report: Report, words: Mapping[str, str], *, dry_run: bool) -> None:
    from git_agent_session import term

    for row in report.rows:
        if row.outcome == "failed":
            what = f"session {row.session[:8]} ({row.native_id}): {row.error}" if row.session else row.error
            env.say(f"error: {what}")
    counted = {word: report.count(word) for word in words}
    if dry_run:
        env.lines(_line(row) for row in report.rows if row.outcome in ("imported", "grown"))
    did = "would be imported" if dry_run else "imported"
    notes = [f"{n} {said}" for word, said in words.items() if (n := counted[word]) and said]
    more = f" ({', '.join(notes)})" if notes else ""
    commits = f"{term.count(len(report.linked), 'commit')} {'would be linked' if dry_run else 'linked'}"
    env.write(f"{term.count(counted['imported'], 'session')} {did}{more}, {commits}")


# what the summary says of each outcome, beside those that were imported
_OUTCOMES = {
    "imported": "",
    "grown": "with more than before",
    "known": "known already",
    "recorded": "recorded otherwise",
    "empty": "without a word",
    "failed": "failed",
}


def _line(row: Row) -> str:
    from git_agent_session import term

    span = f"{row.started_at[:16].replace('T', ' ')} to {row.ended_at[:16].replace('T', ' ') or 'now'}"
    counts = ", ".join(
        term.count(n, word) for n, word in ((row.prompts, "prompt"), (row.tools, "tool"), (len(row.commits), "commit"))
    )
    return f"{row.session[:8]}  {row.agent}  {span}  {counts}  {term.clean(row.title)}"
