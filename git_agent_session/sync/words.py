"""What is said to git for a push, and where what a remote has is kept.

Standard library only, and little of it: a push of a session is at work before anything else of this package is loaded
(see `at_once`).
"""

from __future__ import annotations

import os

from git_agent_session.git.ref_files import NOTES_TRACKING, TRACKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# set in the environment of our own git commands, so that the pre-push hook leaves them alone
SYNCING = "AGENT_SESSION_SYNCING"

CONFIG = "agentSession.remote"

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def is_plain(name: str) -> bool:
    """Whether the name of a remote can stand in a ref as it is."""
    odd = name.startswith(".") or ".." in name or name.endswith((".lock", "."))
    return 0 < len(name) <= 100 and _PLAIN.issuperset(name) and not odd


def is_archive(name: str) -> bool:
    """Whether what stands below `refs/agent-sessions/` is a month's archive: `archive/<yyyy-mm>`."""
    year, _, month = name.removeprefix("archive/").partition("-")
    digits = (year + month).isdecimal() and name.isascii()
    return name.startswith("archive/") and digits and (len(year), len(month)) == (4, 2)


def tracking(key: str) -> str:
    """Where the sessions of a remote are fetched to, which is called `key` in refs; ends with a slash."""
    return f"{TRACKING}{key}/"


def noted(key: str) -> str:
    """Where its notes are fetched to."""
    return f"{NOTES_TRACKING}{key}/agent-sessions"


def push(
    remote: str,
    specs: Iterable[str],
    *,
    named: bool,
    progress: bool,
    dry_run: bool = False,
    leases: Iterable[str] = (),
) -> list[str]:
    """The arguments of a `git push` that only goes forward, each ref by itself; `named`: the remote is no address.

    `leases` are options (git-push(1), --force-with-lease=<ref>:<old>) for refs that may also go another way.
    """
    return [
        # a mirror's push would be of all refs, by force
        *(["-c", f"remote.{remote}.mirror=false"] if named else []),
        *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"),
        *(["--dry-run"] if dry_run else []),
        *("--progress" if progress else "--no-progress", *leases, "--", remote, *specs),
    ]


def environment() -> dict[str, str]:
    """What every git command that talks to a remote gets."""
    # whoever cannot be asked must not be waited for
    asked = "GIT_TERMINAL_PROMPT" in os.environ or os.isatty(2)
    return {SYNCING: "1"} if asked else {SYNCING: "1", "GIT_TERMINAL_PROMPT": "0"}
