"""How an agent's hooks get into its settings, as data: what its module says of itself to `enable` and `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# silent where the plugin is not installed: a project's settings are shared with people who may not have it
COMMAND = (
    'PATH="$PATH:$HOME/.local/bin"; command -v git-agent-session >/dev/null 2>&1 || exit 0; '
    "exec git-agent-session hook {agent}"
)
MARK = "git-agent-session hook "
# whose settings: the worktree's that are shared by commit, the worktree's that are not, the user's
SCOPES = ("project", "local", "user")


@dataclass(frozen=True, slots=True)
class Setup:
    """Where an agent looks for hooks and how one reads there.

    `program` is the agent's executable. `home` is its folder: the variable that names it, and what it is below the
    user's home without one; with "" for the latter it is the user's home, and its folder is that of `files["user"]`.
    `files` has a path for each scope of SCOPES that the agent has, relative to the worktree or to `home`, with `/`. The
    three forms of a settings file, the first two of them JSON that may have comments:

    - `groups`: `{"hooks": {EVENT: [{"hooks": [HANDLER]}]}}`, as Claude Code has it;
    - `list`: `{"hooks": {EVENT: [HANDLER]}}`;
    - `file`: a file of our own, whose text `content(command)` gives; `git-agent-session` in it tells that it is ours.

    `events` are the names of the hooks; `handler(command, event)` is the entry of one, with the command in a value of
    it, by which it is known as ours; `matchers` the group's matcher for events that need one; `also` what the document
    must hold besides (set where it is missing, and taken out again where it is as it was set). `hint` is what a user
    has to do after enabling, "" for nothing.
    """

    program: str
    home: tuple[str, str]
    files: Mapping[str, str]
    form: str
    events: tuple[str, ...] = ()
    handler: Callable[[str, str], dict[str, Any]] | None = None
    matchers: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    content: Callable[[str], str] | None = None
    hint: str = ""
