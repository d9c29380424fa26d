"""What of `git blame`'s options there is; apart, so that git can be started before anything heavy is loaded."""

from __future__ import annotations

from git_agent_session.errors import UsageError


class Options:
    """`ranges` as for `-L`, `since` a date of git's, `revision` "" for the worktree."""

    __slots__ = ("ignore_whitespace", "ranges", "revision", "since")

    def __init__(
        self, ranges: tuple[str, ...] = (), ignore_whitespace: bool = False, since: str = "", revision: str = ""
    ) -> None:
        self.ranges = ranges
        self.ignore_whitespace = ignore_whitespace
        self.since = since
        self.revision = revision

    def arguments(self, path: str) -> list[str]:
        """As git takes them; raises UsageError for a revision that git would take for an option."""
        if self.revision.startswith("-"):
            raise UsageError(f"{self.revision!r} is no revision", hint="see gitrevisions(7)")
        out = [f"-L{r}" for r in self.ranges]
        out += ["-w"] if self.ignore_whitespace else []
        out += [f"--since={self.since}"] if self.since else []
        return [*out, *([self.revision] if self.revision else []), "--", path]
