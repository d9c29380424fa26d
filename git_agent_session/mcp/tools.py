"""The table of tools: what each is called, takes and gives, and whether it writes. docs/mcp.md follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.mcp import reading, writing
from git_agent_session.mcp import schema as s
from git_agent_session.mcp.door import Door
from git_agent_session.mcp.quoting import NOTE
from git_agent_session.model import ROLES, Doc
from git_agent_session.orchestration import TASK_STATUSES

Run = Callable[[Door, Mapping[str, Any]], Doc]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. `takes` and `gives` are the properties of its schemas; one that `writes` is there with `--write` alone.

    `repeats` says that calling it twice does what calling it once does. `quotes` is True for one whose answer holds
    what others have recorded.
    """

    name: str
    about: str
    run: Run
    takes: Mapping[str, Doc] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    gives: Mapping[str, Doc] = field(default_factory=dict)
    writes: bool = False
    repeats: bool = True
    quotes: bool = True

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ").capitalize()

    @property
    def input_schema(self) -> Doc:
        """What it takes."""
        return s.table(self.takes, self.required, closed=True)

    @property
    def output_schema(self) -> Doc:
        """What it gives; an answer cut to size may lack any key."""
        return s.table({**self.gives, **({"note": s.said("How to take the rest.")} if self.quotes else {})})


_EVENTS = s.texts("Only events of these kinds (message, tool, decision, commit, task, error …) or types.")
_ID = {"session": s.said("The session's id.")}
_STATUSES = s.texts("Only sessions with one of these statuses, such as active or completed.")

READ = (
    Tool(
        "current_session",
        "The session that you work in: goal, status, phase, tags, counts, usage, tasks, plan. Says so when there is "
        "none.",
        reading.current_session,
        gives={"current": s.said("Whether there is one.", "boolean"), "session": s.table(s.STATE)},
    ),
    Tool(
        "list_sessions",
        "Sessions of this repository, the youngest first: what earlier agents and people worked on.",
        reading.list_sessions,
        {
            "status": _STATUSES,
            "agent": s.text("Only of this agent, such as claude-code.", 60),
            "project": s.text("Only of this project.", 200),
            "user": s.text("Only of a user whose name or mail has this in it.", 200),
            "tags": s.texts("Only with all these tags."),
            **s.SINCE,
            **s.PAGE,
        },
        gives={"sessions": s.rows("The sessions.", s.STATE), **s.NEXT, "broken": s.said("Not readable.", "array")},
    ),
    Tool(
        "show_session",
        "All about one session but its history: state, usage, how often each tool was used, its last commits.",
        reading.show_session,
        s.SESSION,
        gives={
            "session": s.table(s.STATE),
            "duration_ms": s.said("From its start to its end or last event.", "integer"),
            "tools": s.said("Name of a tool: how often it was called.", "object"),
            "commits": s.rows("The last commits."),
        },
    ),
    Tool(
        "history",
        "The events of a session: prompts, answers, tool calls, edits, commits, decisions, errors.",
        reading.history,
        {
            **s.SESSION,
            "kinds": _EVENTS,
            "order": s.text("Which come first: the newest (default) or the oldest.", choices=("newest", "oldest")),
            **s.PAGE,
        },
        gives={**_ID, "events": s.rows("The events."), **s.NEXT},
    ),
    Tool(
        "search",
        'Find events in all sessions by words: all of them must be there; "a phrase" and begin* work. For what was '
        "tried, asked or decided before.",
        reading.search,
        {
            "query": s.text("The words.", 1_000),
            "session": s.text("Only in this session.", 64),
            "kinds": _EVENTS,
            "agent": s.text("Only of this agent.", 60),
            "project": s.text("Only of this project.", 200),
            "tag": s.text("Only in sessions with this tag.", 200),
            "path": s.text("Only in sessions that had to do with this file or folder.", 1_000),
            "commit": s.text("Only in sessions of this commit.", 200),
            **s.SINCE,
            **s.PAGE,
        },
        ("query",),
        gives={
            "hits": s.rows("The events: `session`, `event`, `kind`, `at`, `snippet`."),
            "next": s.NEXT["next"],
            "incomplete": s.said("Why not everything was looked through."),
        },
    ),
    Tool(
        "context",
        "What the repository looked like for a session: its last context snapshot, as Markdown.",
        reading.context,
        {**s.SESSION, "offset": s.PAGE["offset"]},
        gives={**_ID, "at": s.said("When it was taken."), **s.PART},
    ),
    Tool(
        "decisions",
        "What was decided in a session and why, the youngest first.",
        reading.decisions,
        {**s.SESSION, "path": s.text("Only about this file.", 1_000), **s.PAGE},
        gives={**_ID, "decisions": s.rows("`text`, `reason`, `paths`, `at`."), **s.NEXT},
    ),
    Tool(
        "tasks",
        "The tasks of a session with their status, times and outcome, and their numbers.",
        reading.tasks,
        {**s.SESSION, "status": s.texts("Only with one of these.", choices=TASK_STATUSES), **s.PAGE},
        gives={**_ID, "stats": s.said("The numbers.", "object"), "tasks": s.rows("The tasks."), **s.NEXT},
    ),
    Tool(
        "plan",
        "The plan of a session; an empty text when it has none.",
        reading.plan,
        {**s.SESSION, "offset": s.PAGE["offset"]},
        gives={**_ID, "at": s.said("When it was set."), "title": s.said("Its title."),
               "source": s.said("Where it is from."), **s.PART},
    ),
    Tool(
        "commits",
        "The commits that are linked to a session, the oldest link first.",
        reading.commits,
        {**s.SESSION, **s.PAGE},
        gives={**_ID, "commits": s.rows("`commit`, `subject`, `via`, `paths`."), **s.NEXT},
    ),
    Tool(
        "which_session",
        "The sessions that a commit belongs to, the primary one first: who wrote this, and what was asked.",
        reading.which_session,
        {"commit": s.text("A commit as git names it; HEAD when left out.", 200)},
        gives={"commit": s.said("Its id."), "sessions": s.rows("The sessions."), **s.NEXT},
    ),
    Tool(
        "should_resume",
        "Whether to go on with a session or to begin another: five criteria, and which is not met.",
        reading.should_resume,
        s.SESSION,
        gives={
            "resume": s.said("Yes or no.", "boolean"),
            "reason": s.said("The word for it."),
            "failed": s.said("The criterion that is not met."),
            "session": s.said("The session's id."),
            "criteria": s.rows("`name`, `met`, `fact`."),
        },
    ),
    Tool(
        "brief",
        "What to know before going on, in few words: of a session (goal, where it stood, decisions, open tasks, last "
        "messages, commits), or of what the last sessions on this branch left open.",
        reading.brief,
        {
            **s.SESSION,
            "about": s.text("What it is about; a session by default.", choices=("session", "branch")),
            "budget": s.whole("Tokens, estimated.", least=200, most=4_000, default=2_000),
        },
        gives={"text": s.said("The brief; empty when there is nothing worth saying."),
               "token_estimate": s.said("Its size.", "integer")},
    ),
)  # fmt: skip

_RECORDED = {**_ID, "event": s.said("The event's id."), "at": s.said("When, RFC 3339.")}
_TASK = {**_ID, "task": s.said("The task as it is now.", "object")}
_TASK_ID = {"task": s.text("Id of the task, or a start of it.", 100)}
_OUTCOME = {"outcome": s.text("What came of it.")}


def _writes(name: str, about: str, run: Run, takes: Mapping[str, Doc], *required: str, **more: Any) -> Tool:
    more = {"gives": _RECORDED, "repeats": False, **more}
    return Tool(name, about, run, {**takes, **s.SESSION}, required, writes=True, quotes=False, **more)


WRITE = (
    _writes(
        "add_note",
        "Record a note in the session, or another interaction by its own type and role.",
        writing.add_note,
        {
            "text": s.text("What to record.", 100_000),
            "type": s.text("note by default; a word of your own such as question.", 60),
            "role": s.text("Who said it, where somebody did.", choices=ROLES),
        },
        "text",
    ),
    _writes(
        "add_decision",
        "Record a decision: agents that come after you read it.",
        writing.add_decision,
        {
            "text": s.text("What was decided, in a sentence.", 10_000),
            "reason": s.text("Why.", 10_000),
            "paths": s.texts("The files that it is about, relative to the repository."),
        },
        "text",
    ),
    _writes(
        "add_task", "Add a task to the session.", writing.add_task,
        {"title": s.text("What is to be done, in a line."), "id": s.text("An id of your own, such as T001.", 60)},
        "title", gives=_TASK,
    ),
    _writes(
        "start_task", "Say that work on a task begins.", writing.start_task, _TASK_ID, "task", gives=_TASK, repeats=True
    ),
    _writes(
        "complete_task", "Say that a task is done.", writing.complete_task, {**_TASK_ID, **_OUTCOME}, "task",
        gives=_TASK, repeats=True,
    ),
    _writes(
        "fail_task", "Say that a task has failed, and why.", writing.fail_task, {**_TASK_ID, **_OUTCOME}, "task",
        gives=_TASK, repeats=True,
    ),
    _writes(
        "set_plan", "Set the session's plan; the one before stays in its history.", writing.set_plan,
        {"text": s.text("The plan, as Markdown.", 200_000), "title": s.text("Its title.", 300)}, "text", repeats=True,
    ),
    _writes(
        "move_phase", "Move the session on to another phase of its workflow; a final phase ends it.",
        writing.move_phase,
        {"phase": s.text("The phase.", 100), "message": s.text("With a final phase: how it ended.")}, "phase",
        gives={**_ID, "phase": s.said("The phase now."), "status": s.said("The session's status."),
               "may_follow": s.said("The phases that may follow.", "array")},
        repeats=True,
    ),
    _writes(
        "record_metric", "Record a number under a name, such as tests_passed.", writing.record_metric,
        {"name": s.text("A word.", 60), "value": {"type": "number", "description": "The number."}}, "name", "value",
    ),
    _writes(
        "record_tool", "Record that a tool was called, where the agent's own hooks do not.", writing.record_tool,
        {
            "name": s.text("The tool's name.", 200),
            "duration_ms": {"type": "number", "minimum": 0, "description": "How long it took, in milliseconds."},
            "outcome": s.text("How it ended.", choices=("ok", "error", "interrupted")),
            "paths": s.texts("The files that it wrote."),
        },
        "name",
    ),
    _writes("add_tag", "Add tags to the session.", writing.add_tag,
            {"tags": {**s.texts("The tags."), "minItems": 1}}, "tags", repeats=True),
    _writes("set_goal", "Say what the session is to do.", writing.set_goal,
            {"goal": s.text("The goal, in a sentence.")}, "goal", repeats=True),
)  # fmt: skip

TOOLS = {tool.name: tool for tool in (*READ, *WRITE)}


def offered(door: Door) -> tuple[Tool, ...]:
    """The tools that there are at this door."""
    return (*READ, *WRITE) if door.write else READ


def call(door: Door, name: str, arguments: Mapping[str, Any]) -> Doc:
    """Run a tool. Raises AgentSessionError, UsageError for arguments that do not fit its schema."""
    tool = TOOLS.get(name)
    if tool is None:
        raise UsageError(
            f"there is no tool {name[:60]!r}", hint=f"there are {', '.join(t.name for t in offered(door))}"
        )
    if tool.writes and not door.write:
        raise AgentSessionError(f"{name} writes, and this server only reads", hint="start it with --write")
    _check(tool, arguments)
    if tool.writes and door.store.is_off():
        raise AgentSessionError(f"{name} records nothing here", hint="agentSession.enabled is false in this repository")
    found = tool.run(door, arguments)
    return {"note": NOTE, **found} if tool.quotes else found


def _check(tool: Tool, arguments: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    wrong = best_match(Draft202012Validator(tool.input_schema).iter_errors(dict(arguments)))
    if wrong is not None:
        where = ".".join(str(p) for p in wrong.absolute_path)
        said = wrong.message if len(wrong.message) <= 200 else f"{wrong.message[:100]} … {wrong.message[-90:]}"
        raise UsageError(f"{tool.name}: {where + ': ' if where else ''}{said}", hint="see the tool's input schema")
