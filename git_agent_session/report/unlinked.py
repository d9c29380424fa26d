"""Commits that say an agent made them and that belong to no session here: reported, never linked on a guess.

What an agent writes into a commit is no evidence of a session; it only tells where capture had a gap. Commits from
before the plugin was in use, and those that name a session which is not here, are left out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from git_agent_session import journal
from git_agent_session.git import notes
from git_agent_session.git.recent import Made, recent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_agent_session.model import Doc
    from git_agent_session.store.reader import Reader

# what agents put into commits of theirs, lower-case: mail addresses in co-author trailers and of bots first
_MARKS = (
    ("noreply@anthropic.com", "claude-code"),
    ("generated with [claude code]", "claude-code"),
    ("noreply@openai.com", "codex"),
    ("copilot@users.noreply.github.com", "copilot"),
    ("copilot-swe-agent", "copilot"),
    ("cursoragent@cursor.com", "cursor"),
    ("gemini-cli-robot", "gemini"),
    ("gemini-code-assist", "gemini"),
    ("noreply@opencode.ai", "opencode"),
    ("generated with [opencode]", "opencode"),
    ("factory-droid[bot]", "droid"),
    ("aider@aider.chat", "aider"),
    ("(aider) <", "aider"),
)
_TRAILERS = ("co-authored-by:", "assisted-by:", "generated-by:")
_NAMES = (
    ("claude", "claude-code"),
    ("codex", "codex"),
    ("copilot", "copilot"),
    ("gemini", "gemini"),
    ("opencode", "opencode"),
    ("cursor", "cursor"),
    ("droid", "droid"),
    ("aider", "aider"),
)
_OURS = "\nagent-session: "


class Unlinked:
    """A commit without a session, and the agent that it names."""

    __slots__ = ("agent", "commit", "subject")

    def __init__(self, commit: str, agent: str, subject: str) -> None:
        self.commit = commit
        self.agent = agent
        self.subject = subject

    def to_dict(self) -> Doc:
        """For `--json`."""
        return {"commit": self.commit, "agent": self.agent, "subject": self.subject}


def looks_like(made: Made) -> str:
    """The agent that a commit names as one of its makers, "" for none.

    `Assisted-by: AGENT:MODEL` is the Linux kernel's form; whoever stands there unknown to us is `an agent`.
    """
    # a mention in prose is no mark: trailers and the lines that agents end a message with are lines of their own
    lines = [line.strip() for line in made.message.lower().split("\n")[1:]]
    trailers = [line for line in lines if line.startswith(_TRAILERS)]
    said = "\n".join((*made.makers, *trailers, *(x for x in lines if "generated with [" in x))).lower()
    for mark, agent in _MARKS:
        if mark in said:
            return agent
    return next((agent for line in trailers if (agent := _named(line))), "")


def _named(trailer: str) -> str:
    """The agent that a trailer names, "" for none: a person may be called Claude, but not alone."""
    key, _, value = trailer.partition(":")
    if key == "assisted-by":
        name = value.strip().partition(":")[0]
        return next((agent for word, agent in _NAMES if word in name), "an agent" if ":" in value else "")
    name = value.partition("<")[0].strip().removesuffix(" cli")
    return next((agent for word, agent in _NAMES if name == word), "")


def unlinked(store: Reader, *, limit: int, since: float, own: bool = False, branch: bool = False) -> Iterator[Unlinked]:
    """Of the last `limit` commits, those after `since` (epoch seconds) that look like an agent's and have no session.

    With `own` those alone that the user has committed, with `branch` those alone that are first parents.
    """
    for made in recent(store.repo, limit=limit, since=since, branch=branch):
        agent = looks_like(made)
        if not agent or _OURS in made.message.lower() or (own and made.mail != store.repo.identity[1]):
            continue
        if not notes.read(store.repo, made.commit) and made.commit not in journal.linked(store.shared):
            yield Unlinked(made.commit, agent, made.subject)


def in_use_since(shared: str) -> float:
    """When the hooks were installed here (or last brought up to date), epoch seconds; infinity where they are not."""
    try:
        return os.stat(os.path.join(shared, "hooks", "installed.json")).st_mtime
    except OSError:
        return float("inf")
