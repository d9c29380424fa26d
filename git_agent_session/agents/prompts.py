"""What counts as a prompt; apart from `edits`, which loads all that reads transcripts."""

from __future__ import annotations

from git_agent_session.model import Event


def is_prompt(event: Event) -> bool:
    """True for what a person asked the agent: prompts are counted from 1 on, in the order of events."""
    return event.kind in ("message", "interaction") and event.data.get("role") == "user"
