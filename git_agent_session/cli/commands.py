"""The table of commands, and the click group that imports a command's module when it is called.

Every command is `command` in the module of its name, with `_` behind a word of Python. Importing this imports none of
them, nor pygit2.
"""

from __future__ import annotations

from importlib import import_module

import click

from git_agent_session.cli.env import Env

PROGRAM = "git agent-session"

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Set up a repository", ("install", "uninstall", "enable", "disable", "doctor", "import")),
    ("Work in a session", ("start", "end", "pause", "resume", "switch", "status", "set", "tag", "exec", "fork")),
    ("Record", ("log", "metric", "context", "link", "unlink", "relink")),
    ("Orchestrate", ("phase", "task", "plan", "agent", "should-resume", "error", "decide")),
    (
        "Look back",
        (
            "list",
            "log-graph",
            "ui",
            "web",
            "show",
            "history",
            "commits",
            "which",
            "why",
            "blame",
            "search",
            "stats",
            "report",
            "export",
            "replay",
        ),
    ),
    ("Doors for programs", ("mcp", "serve")),
    ("Share with others", ("push", "fetch", "sync")),
    (
        "Manage",
        ("archive", "cleanup", "delete", "purge", "verify", "drain", "redact", "index", "version", "man"),
    ),
    ("In your shell", ("completion", "prompt", "status-line")),
)
# commands whose names are words of Python
_MODULES = {
    "exec": "exec_",
    "import": "import_",
    "should-resume": "should_resume",
    "log-graph": "log_graph",
    "status-line": "status_line",
}
# `agentSession.enabled = false` turns these off, but for what only reads; `exec` still runs its command
RECORDING = frozenset(
    {
        *("start", "end", "pause", "resume", "switch", "set", "tag", "fork", "import"),
        *("log", "metric", "context", "link", "unlink", "relink", "phase", "task", "plan", "agent", "error", "decide"),
    }
)
_MARKS = frozenset({"--ready", "--not-ready"})
_READING = frozenset({"list", "show", "--list-templates", "-h", "--help"})
INTERNAL = "Internal, run by the hooks of git and of agents: hook."


class Commands(click.Group):
    """The group: names from the table, modules on demand, help by section."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return [name for _, names in SECTIONS for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, its module imported now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command = import_module(f"git_agent_session.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; where nothing is to be recorded, one that does nothing for those that record."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in RECORDING and _records(name, rest) and isinstance(ctx.obj, Env) and ctx.obj.is_off():
            command = _NOTHING
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, section by section."""
        for title, names in SECTIONS:
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, c.get_short_help_str(64)) for name, c in commands if c is not None and not c.hidden]
            with formatter.section(title):
                formatter.write_dl(rows, col_spacing=3)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What is not for people, and where to read on."""
        formatter.write_paragraph()
        formatter.write_text(f"{INTERNAL} `{PROGRAM} COMMAND -h` explains a command.")


def _records(name: str, words: list[str]) -> bool:
    """Whether a call of one of RECORDING does: `context` where it adds, `phase` where it names one."""
    if name == "context":
        return "add" in words
    if name == "phase" and not _MARKS.intersection(words) and all(word.startswith("-") for word in words):
        return False
    return not _READING.intersection(words)


_NOTHING = click.Command(
    "nothing",
    params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
    callback=lambda words: None,
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import git_agent_session

        click.echo(f"{PROGRAM} version {git_agent_session.__version__}")
        ctx.exit()


@click.command(
    cls=Commands,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version and exit.",
        )
    ],
)
@click.pass_context
def program(ctx: click.Context) -> None:
    """Keep the sessions of coding agents in the git repository they work on, each commit linked to its own."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("no command given", ctx)
