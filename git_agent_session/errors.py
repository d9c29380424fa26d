"""The errors of this package: one base class, and a subclass for each case that a caller can tell apart.

Every error carries one line that says what is wrong and, in `hint`, what to do next. The command line prints both on
stderr and exits with `exit_code`; nothing here knows about terminals or git.
"""

from __future__ import annotations


class AgentSessionError(Exception):
    """Something a user or a caller can act on. `code` is the stable word that `--json` prints."""

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def line(self) -> str:
        """The error and its way out as one line."""
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return " ".join(text.split())

    def to_dict(self) -> dict[str, str]:
        """The same for `--json`: `error`, `message` and, where there is one, `hint`."""
        out = {"error": self.code, "message": self.message}
        if self.hint:
            out["hint"] = self.hint
        return out


class UsageError(AgentSessionError):
    """The call itself is wrong: an unknown status, a value that is no number."""

    exit_code = 2
    code = "usage"


class NotARepository(AgentSessionError):
    """There is no git repository here."""

    code = "not-a-repository"


class UnsupportedRepository(AgentSessionError):
    """A repository whose object format or ref storage libgit2 cannot open."""

    code = "unsupported-repository"


class SessionNotFound(AgentSessionError):
    """No session has this id, or there is no current session."""

    code = "session-not-found"


class AmbiguousSession(AgentSessionError):
    """An abbreviated id fits more than one session."""

    code = "ambiguous-session"


class SessionState(AgentSessionError):
    """The session is not in a state that allows this, such as ending an ended one."""

    code = "session-state"


class CommitNotFound(AgentSessionError):
    """A revision names no commit."""

    code = "commit-not-found"


class BrokenSession(AgentSessionError):
    """What a session's ref or journal holds cannot be read."""

    code = "broken-session"


class BrokenWorkflow(AgentSessionError):
    """The file of a workflow cannot be read, or does not say what a workflow has to."""

    code = "broken-workflow"


class StorageError(AgentSessionError):
    """The repository cannot be written: read-only, a full disk, a lock that stays."""

    code = "storage"


class GitError(AgentSessionError):
    """A git command failed; `stderr` holds what it said, `status` its exit code."""

    code = "git"

    def __init__(self, message: str, *, hint: str = "", stderr: str = "", status: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.stderr = stderr
        self.status = status


class HookConflict(AgentSessionError):
    """A hook or a settings file is in a state that cannot be changed safely."""

    code = "hook-conflict"
