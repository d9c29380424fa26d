"""`history`: the events of a session, or its transcript."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.commits import subjects
from git_agent_session.cli.env import Env, is_utf8, refuse
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.report.timeline import Entry


@click.command()
@id_argument
@session_option
@click.option("--transcript", is_flag=True, help="What was said and done: prompts, answers, tools and their output.")
@click.option("--full", is_flag=True, help="With --transcript: cut no tool's input or output.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    type=TEXT,
    help="Only this kind of event, or this type of interaction; may be repeated.",
)
@click.option("-n", "--limit", metavar="N", type=click.IntRange(min=0), help="Only the last N.")
@click.option("--reverse", is_flag=True, help="The youngest first.")
@json_option
@pass_env
def command(
    env: Env,
    id: str | None,
    session: str | None,
    transcript: bool,
    full: bool,
    types: tuple[str, ...],
    limit: int | None,
    reverse: bool,
    as_json: bool,
) -> None:
    """Show what happened in a session, the oldest event first.

    With --transcript it is the conversation that the agent kept; its types are prompt, answer, thinking, call, result,
    compact, model, error and interrupt."""
    if transcript:
        _check(types, reverse)
        _transcript(env, env.reading(id, session), types, limit, full, as_json)
        return
    if full:
        refuse("--full is about a transcript", "add --transcript, or see `git agent-session show --full`")
    session_id = env.reading(id, session)
    events = env.store.history(session_id, kinds=types, limit=limit, reverse=reverse)
    if as_json:
        env.json([event.to_dict() for event in events])
    elif events:
        from git_agent_session.report.events import history

        env.lines(history(env.view(paged=True), events, subjects(env)), paged=True)
    elif limit == 0:
        env.say("a limit of 0 shows no event")
    else:
        env.say(f"no such event in session {session_id[:8]}; `git agent-session history {session_id[:8]}` shows all")


def _check(types: tuple[str, ...], reverse: bool) -> None:
    from git_agent_session.report.timeline import KINDS

    if reverse:
        refuse("a transcript cannot be read backwards", "leave --reverse out; --limit N shows its end")
    for name in types:
        if name not in KINDS:
            refuse(f"{name!r} is no type of a transcript's items", f"use {', '.join(KINDS)}")


def _transcript(
    env: Env, session_id: str, types: tuple[str, ...], limit: int | None, full: bool, as_json: bool
) -> None:
    from git_agent_session.report.timeline import Timeline

    starts = env.store.history(session_id, kinds=("agent",))
    timeline = Timeline(env.store, env.store.get(session_id), starts, kinds=types, limit=limit)
    entries = timeline.entries()
    first = next(entries, None)
    if as_json:
        _json(env, entries if first is None else chain([first], entries))
    elif first is not None:
        from git_agent_session.report.conversation import lines

        env.lines(lines(env.view(paged=True), chain([first], entries), full=full), paged=True)
    elif timeline:
        env.say(f"nothing to show in the transcript of session {session_id[:8]}; leave --type and --limit out for all")
    else:
        env.say(f"session {session_id[:8]} has no transcript; `git agent-session history {session_id[:8]}` has events")
    env.report_broken()


def _json(env: Env, entries: Iterator[Entry]) -> None:
    from git_agent_session.report.export import array
    from git_agent_session.report.rows import dump

    ascii_only = not is_utf8(env.out)
    rows = (dump(entry.to_dict(), ascii_only=ascii_only, indent=None).rstrip("\n") for entry in entries)
    for piece in array(rows):
        env.out.write(piece)
