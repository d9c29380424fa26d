"""`man`: the manual page, made from the commands themselves, so that it cannot tell another story than `-h`.

The page is git's manual form in man(7) macros. `docs/man/git-agent-session.1` is what this writes; a test holds them
together.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from git_agent_session.cli.commands import PROGRAM, SECTIONS, program
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import pass_env


@click.command(hidden=True)
@pass_env
def command(env: Env) -> None:
    """Write the manual page to standard output."""
    env.out.write(page())


def page() -> str:
    """The whole page."""
    lines = [*_head(), *_commands()]
    for title, body in _SECTIONS:
        lines += [f".SH {_quoted(title)}", *body.strip("\n").split("\n")]
    return "\n".join(lines) + "\n"


def _head() -> Iterator[str]:
    import git_agent_session

    name = PROGRAM.replace(" ", "-")
    version = f"{PROGRAM} {git_agent_session.__version__}"
    yield f'.TH "{_text(name.upper())}" "1" "" "{_text(version)}" "Git Manual"'
    yield from (".nh", ".ad l", ".SH NAME", f"{_text(name)} \\- {_text(_summary())}", ".SH SYNOPSIS", ".nf")
    yield "\\fIgit agent\\-session\\fR [\\-h | \\-\\-help | \\-\\-version] <command> [<args>]"
    yield ".fi"
    yield ".SH DESCRIPTION"
    yield from _DESCRIPTION.strip("\n").split("\n")


def _summary() -> str:
    text = (program.help or "").strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _commands() -> Iterator[str]:
    yield ".SH COMMANDS"
    for title, names in SECTIONS:
        yield f".SS {_quoted(title)}"
        for name in names:
            ctx = click.Context(program, info_name=PROGRAM)
            found = program.get_command(ctx, name)
            if found is None or found.hidden:
                continue
            yield from _command(name, found, ctx)
            if isinstance(found, click.Group):
                inner = click.Context(found, info_name=name, parent=ctx)
                for sub in found.commands.values():
                    yield from _command(f"{name} {sub.name}", sub, inner)


def _command(name: str, found: click.Command, parent: click.Context) -> Iterator[str]:
    ctx = click.Context(found, info_name=name, parent=parent)
    usage = "" if isinstance(found, click.Group) else " ".join(_usage(found, ctx))
    yield ".PP"
    yield f"\\fB{_text(name)}\\fR{' ' + usage if usage else ''}"
    yield ".RS 4"
    paragraphs = [" ".join(p.split()) for p in (found.help or "").split("\n\n") if p.strip()]
    for i, paragraph in enumerate(paragraphs):
        if i:
            yield ".sp"
        yield _line(paragraph)
    for param in found.params:
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record and isinstance(param, click.Option) and not param.hidden:
            yield ".PP"
            yield ", ".join(f"\\fB{_text(opt)}\\fR" for opt in param.opts) + _metavar(param)
            yield ".RS 4"
            yield _line(record[1])
            yield ".RE"
    yield ".RE"


def _usage(found: click.Command, ctx: click.Context) -> Iterator[str]:
    if any(isinstance(p, click.Option) for p in found.params):
        yield "[<options>]"
    for param in found.params:
        if isinstance(param, click.Argument):
            yield f"\\fI{_text(param.make_metavar(ctx))}\\fR"


def _metavar(param: click.Option) -> str:
    return "" if param.is_flag else f" \\fI{_text(param.metavar or 'VALUE')}\\fR"


def _text(text: str) -> str:
    """Text with what roff would read as its own made plain (groff_man(7), Portability)."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "\\&...")


def _line(text: str) -> str:
    """A paragraph: code in backquotes becomes bold, a leading dot or quote stays text."""
    parts = _text(text).split("`")
    body = "".join(f"\\fB{part}\\fR" if i % 2 else part for i, part in enumerate(parts))
    return f"\\&{body}" if body[:1] in (".", "\\", "'") and not body.startswith("\\f") else body


def _quoted(text: str) -> str:
    return f'"{text}"'


_DESCRIPTION = r"""
Keeps the sessions of coding agents in the git repository that they work on: what was asked, what the agent did, what it
cost, and which commits came of it.
A session is a chain of small commits below \fBrefs/agent\-sessions/\fR, written beside your branches and never part of
them; each commit of yours is linked to its session by a note.
There is no server and no database, and nothing is pushed unless asked for.
.PP
After \fBgit agent\-session install\fR, git's hooks link every commit that is made while a session is open.
\fBgit agent\-session start\fR opens one; \fBgit agent\-session enable claude\-code\fR lets the agent open its own.
.PP
Wherever an \fIID\fR is meant, it is a full UUID, any start of one that no other session shares (4 characters at least),
\fB@\fR for the current session or \fB@{\-1}\fR for the one before it in this worktree.
Without one, the current session is meant: that of \fB\-\-session\fR, else of the variable \fBGIT_AGENT_SESSION\fR, else
the one of the agent that runs this shell, else this worktree's active one.
Commands that only read fall back to the last session of this worktree, and say so.
.PP
\fBgit agent\-session\fR \fIcommand\fR \fB\-h\fR explains a command.
\fB\-\-json\fR prints JSON with stable keys.
\fBgit agent\-session hook\fR is internal: the hooks of git and of agents run it.
"""

_SECTIONS = (
    (
        "CONFIGURATION",
        r"""
Keys of \fBgit\-config\fR(1) that this program reads:
.PP
agentSession.trailer
.RS 4
Whether hooks add the trailer \fBAgent\-Session\fR to commit messages. Default: true.
.RE
.PP
color.agentSession
.RS 4
When to use colour: \fBalways\fR, \fBauto\fR or \fBnever\fR. Default: that of \fBcolor.ui\fR.
.RE
.PP
color.agentSession.<slot>
.RS 4
The colour of \fBid\fR, \fBstatus\-active\fR, \fBstatus\-ended\fR, \fBstatus\-failed\fR, \fBheading\fR or \fBdim\fR.
.RE
.PP
pager.agent\-session
.RS 4
Whether lists go through a pager on a terminal, or through which. Default: git's pager.
.RE
""",
    ),
    (
        "ENVIRONMENT",
        r"""
GIT_AGENT_SESSION
.RS 4
The id of the current session. It wins over the agent's own session and over this worktree's active one.
.RE
.PP
GIT_PAGER, PAGER, NO_COLOR, COLUMNS
.RS 4
As for git.
.RE
""",
    ),
    (
        "FILES",
        r"""
refs/agent\-sessions/<id>
.RS 4
A session: each commit holds \fIsession.toml\fR, its state, and \fIevents.toml\fR, what happened since the one before.
.RE
.PP
refs/notes/agent\-sessions
.RS 4
The notes that link commits to sessions; \fBgit log \-\-notes=agent\-sessions\fR shows them.
.RE
.PP
$GIT_COMMON_DIR/agent\-session/
.RS 4
What belongs to this clone alone: the journal of what is not written to a ref yet, marks of open sessions, a cache, and
\fIerror.log\fR.
.RE
.PP
$GIT_DIR/agent\-session/active
.RS 4
The active session of this worktree.
.RE
""",
    ),
    (
        "EXIT STATUS",
        r"""
0
.RS 4
Done.
.RE
.PP
1
.RS 4
Something that can be mended; one line on standard error says what and how. With \fB\-\-json\fR that line is a JSON
object with \fBerror\fR, \fBmessage\fR and \fBhint\fR.
.RE
.PP
2
.RS 4
The command was called in a wrong way.
.RE
.PP
3
.RS 4
A bug in this program; the line names a file to report it with.
.RE
.PP
130, 141
.RS 4
Interrupted with ^C; the reader of the output is gone.
.RE
""",
    ),
    (
        "EXAMPLES",
        r"""
Work in a session by hand:
.PP
.RS 4
.nf
$ git agent\-session install
$ git agent\-session start \-\-goal "Add rate limiting" \-\-agent\-type claude\-code
$ git commit \-am "Limit requests per client"
$ git agent\-session log decision "A token bucket, not a window"
$ git agent\-session end \-\-message "done"
.fi
.RE
.PP
Which session wrote this line?
.PP
.RS 4
.nf
$ git agent\-session which $(git blame \-s \-L 42,42 api.py | cut \-d" " \-f1)
.fi
.RE
.PP
What last week's sessions cost:
.PP
.RS 4
.nf
$ git agent\-session list \-\-since "1 week ago" \-\-json | jq "map(.usage.cost_usd // 0) | add"
.fi
.RE
""",
    ),
    (
        "SEE ALSO",
        r"""
\fBgit\fR(1), \fBgit\-notes\fR(1), \fBgithooks\fR(5), \fBgit\-config\fR(1)
""",
    ),
)
