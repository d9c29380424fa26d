"""The plugins that run inside agents without command hooks, and how their texts are put together."""

from __future__ import annotations

from importlib.resources import files


def text(agent: str, name: str) -> str:
    """What is installed as an agent's plugin: a line that says whose it is, the part that all share, then `name`."""
    parts = [files(__name__).joinpath(part).read_text(encoding="utf-8") for part in ("queue.js", name)]
    head = (
        f"// git-agent-session hook {agent} -- installed by `git agent-session enable {agent}`; taken out by `disable`."
    )
    return "\n".join([head, *parts])
