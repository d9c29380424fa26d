"""From a plan to its report: what both installers, that of a repository and that of a user, do with the steps they
made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from git_agent_session.hooks.steps import NOTES, Action, Step, apply, denied, locked

# the detail of a step that writes or removes a file of ours
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Report:
    """What an install or uninstall did, or with `dry_run` would do.

    `repository` is the common git directory, None for all repositories of the user; `mode` is how git finds the hooks:
    `hooks`, `hooks-path`, for all repositories `config-hooks` or `global-hooks-path`, or None.
    """

    repository: str | None
    mode: str | None
    dry_run: bool
    actions: tuple[Action, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, different afterwards."""
        return any(action.kind not in NOTES for action in self.actions)

    def to_dict(self) -> dict[str, object]:
        """For `--json`: `repository`, `mode`, `dry_run`, `changed`, `actions` (each `kind`, `path`, `detail`)."""
        return {
            "repository": self.repository,
            "mode": self.mode,
            "dry_run": self.dry_run,
            "changed": self.changed,
            "actions": [action.to_dict() for action in self.actions],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an install or uninstall, and the mode they lead to or away from."""

    mode: str | None
    steps: tuple[Step, ...]

    @property
    def changes(self) -> bool:
        """Whether any step does something."""
        return any(step.kind not in NOTES for step in self.steps)


def carried_out(
    plan: Callable[[], Plan],
    verify: Callable[[Plan], None],
    *,
    repository: str | None,
    where: str,
    files: Sequence[str],
    dry_run: bool,
) -> Report:
    """Make the plan, again under the locks of the configuration `files`, and carry it out; `where` is for messages.

    Raises StorageError where the disk refuses, and what `plan` and `verify` raise; in each case nothing has changed.
    """
    try:
        todo = plan()
        if todo.changes and not dry_run:
            with locked(files):
                todo = plan()
                apply(todo.steps, lambda: verify(todo))
    except OSError as e:
        raise denied(e, where) from e
    actions = tuple(action for step in todo.steps for action in step.actions())
    if not todo.changes:
        actions = (Action("unchanged", where, "nothing to do"), *actions)
    return Report(repository, todo.mode, dry_run, actions)


def problem(action: Action) -> str:
    """What an install would do, as something that is not right now."""
    if action.kind == "config":
        return f"{action.path} is not {action.detail}"
    if action.kind == "write" and action.detail == OURS:
        return f"{action.path}: not there"
    return f"{action.path}: {action.detail or action.kind}"
