"""`start`: open a session here, with what is given, asked for on a terminal, or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, complete_id, json_option, meta_of, meta_option, pass_env
from git_agent_session.errors import AgentSessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from git_agent_session.context import Snapshot
    from git_agent_session.model import Session
    from git_agent_session.work.templates import Template


@click.command()
@click.option("--goal", metavar="TEXT", type=TEXT, help="What the session is to achieve.")
@click.option("--agent-type", metavar="NAME", type=TEXT, help="The agent that works, such as claude-code.")
@click.option("--agent-version", metavar="VERSION", type=TEXT, default="", help="The agent's version.")
@click.option("--model", metavar="NAME", type=TEXT, default="", help="The model that the agent uses.")
@click.option("--user", metavar="WHO", type=TEXT, default="", help="Who started it; default: git's user name and mail.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, type=TEXT, help="Add a tag; may be repeated.")
@click.option("--project", metavar="NAME", type=TEXT, default="", help="The project; default: the repository's folder.")
@click.option("--type", metavar="TYPE", type=TEXT, default="", help="The kind of session, such as full or quick.")
@click.option("--workflow", metavar="NAME", type=TEXT, help="The phases that it follows: see `phase --workflows`.")
@meta_option
@click.option(
    "--parent", metavar="ID", type=TEXT, default="", shell_complete=complete_id, help="The session this one belongs to."
)
@click.option("--template", metavar="NAME", type=TEXT, default="", help="Begin as a template says; options win.")
@click.option("--list-templates", is_flag=True, help="Print the templates that are here, and start nothing.")
@click.option("--no-context", is_flag=True, help="Take no context snapshot.")
@click.option("--non-interactive", is_flag=True, help="Never ask, not even on a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Print the session's id and nothing else.")
@json_option
@pass_env
def command(
    env: Env,
    /,
    goal: str | None,
    agent_type: str | None,
    workflow: str | None,
    template: str,
    list_templates: bool,
    no_context: bool,
    non_interactive: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Open a session and make it the current one.

    On a terminal it asks for a goal and an agent type that are not given. Prints the session's id and the line that
    makes it the current session of a shell. A snapshot of the repository is stored as its initial context. --template
    takes goal, tags, context files and the like from .agent-session/templates/NAME.toml.
    """
    if list_templates:
        _list_templates(env, as_json)
        return
    # refused before anything is asked or looked at
    known = _known(env, template, workflow)
    before = env.store.current_id()
    ask = not (non_interactive or quiet or as_json) and env.can_ask()
    if goal is None:
        goal = _ask(env, "Goal: ", _text) if ask and not (known and known.goal) else ""
    if agent_type is None:
        ask = ask and not (known and known.agent.type)
        agent_type = _ask(env, "Agent type (empty for none): ", _agent_type) if ask else ""
    given |= {"goal": goal, "agent_type": agent_type, "workflow": workflow}
    session = _open(env, known, None if no_context else _snapshot(env), given)
    if quiet:
        env.write(session.id)
    elif as_json:
        env.json(session.to_dict())
    else:
        _opened(env, session.id)
    _remarks(env, session.id, before, quiet=quiet or as_json)


def _ask(env: Env, question: str, check: Callable[[str], object]) -> str:
    """An answer that `check` takes, asked for until there is one; the end of input aborts."""
    while True:
        answer = env.ask(question)
        if answer is None:
            raise click.Abort
        try:
            check(answer)
        except AgentSessionError as e:
            env.say(e.line())
        else:
            return answer


def _text(answer: str) -> None:
    TEXT.convert(answer, None, None)


def _agent_type(answer: str) -> None:
    from git_agent_session.store import entries

    _text(answer)
    if answer:
        entries.check(answer, entries.AGENT, "agent type", "such as claude-code")


def _snapshot(env: Env) -> Snapshot | None:
    """The initial context; a repository that cannot be looked through still gets its session."""
    from git_agent_session.cli.context import DEFAULT_BUDGET
    from git_agent_session.context import snapshot

    try:
        return snapshot(env.folder, budget=DEFAULT_BUDGET)
    except AgentSessionError as e:
        env.warn(f"no context snapshot: {e.line()}")
        return None


def _open(env: Env, template: Template | None, snapshot: Snapshot | None, given: Mapping[str, Any]) -> Session:
    """Open the session with what was given, on top of the template where there is one."""
    from git_agent_session.model import Agent
    from git_agent_session.work import templates, workflows

    how = {key: given[key] for key in ("type", "project", "user", "parent", "tags")}
    how["goal"] = TEXT.convert(given["goal"], None, None)
    how["agent"] = Agent(given["agent_type"], given["agent_version"], given["model"])
    how["meta"] = meta_of(given["meta"])
    if template is not None:
        return templates.start(
            env.store, template.name, snapshot=snapshot, workflow=given["workflow"] or template.workflow, **how
        )
    how["context"] = snapshot.to_dict() if snapshot is not None else None
    return workflows.start(env.store, given["workflow"], **how) if given["workflow"] else env.store.start(**how)


def _known(env: Env, template: str, workflow: str | None) -> Template | None:
    """The template of this name; raises UsageError where it, or the workflow that counts, is not there."""
    from git_agent_session.work import templates, workflows

    found = templates.load(env.store.repo, template) if template else None
    named = workflow if workflow is not None else found.workflow if found and found.workflow else None
    if named is not None:
        workflows.load(env.store.repo, named)
    return found


def _list_templates(env: Env, as_json: bool) -> None:
    from git_agent_session import term
    from git_agent_session.work import templates

    found = []
    for name in templates.names(env.store.repo):
        try:
            found.append(templates.load(env.store.repo, name))
        except AgentSessionError as e:
            env.warn(e.line())
    if as_json:
        env.json([t.to_dict() for t in found])
        return
    rows = [(t.name, t.source, t.description or t.goal) for t in found]
    env.lines(term.columns(rows, total=env.view().width, flexible=2, fixed=(0,)))
    if not found:
        env.say(f"no template is here; write one as {templates.IN_REPOSITORY}/NAME.toml")


def _opened(env: Env, session_id: str) -> None:
    from git_agent_session import term
    from git_agent_session.report import view as words

    session = env.store.get(session_id)
    view = env.view()
    env.write(f"Started session {view.palette.paint('id', session.id)}")
    snapshots = env.store.history(session_id, kinds=("context",), limit=1)
    context = snapshots[-1].data if snapshots else {}
    files, tokens = context.get("file_count"), context.get("token_estimate")
    rows = (
        ("goal", session.about),
        ("agent", words.agent(session.agent)),
        ("type", session.type),
        ("workflow", ", in phase ".join(t for t in (session.workflow, session.phase) if t)),
        ("project", session.project),
        ("tags", ", ".join(session.tags)),
        ("context", f"{term.count(files, 'file')}, about {term.si(tokens or 0)} tokens" if files is not None else ""),
    )
    for name, text in rows:
        if text:
            env.write(f"  {name + ':':<10}{term.clean(text)}")
    env.write("")
    env.write(f"export GIT_AGENT_SESSION={session.id}")


def _remarks(env: Env, session_id: str, before: str | None, *, quiet: bool) -> None:
    """What a person should know on stderr: hooks that are missing, and the session that was current."""
    from git_agent_session import live
    from git_agent_session.store import register

    register.note(env.store.repo.location.common_dir, env.environ)
    env.remark_hooks()
    named = env.environ.get("GIT_AGENT_SESSION")
    if named and before != session_id:
        env.warn(
            "GIT_AGENT_SESSION names another session, which stays current in this shell until you export the new id"
        )
    elif before and before != session_id and not quiet and live.is_open(env.store.shared, before):
        env.say(f"session {before[:8]} is still open; `git agent-session switch {before[:8]}` goes back to it")
