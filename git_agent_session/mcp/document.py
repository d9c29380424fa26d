"""The reference part of docs/mcp.md, made from the tables: tools, resources, prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from git_agent_session.mcp import prompts, resources, tools
from git_agent_session.mcp.tools import Tool
from git_agent_session.model import Doc


def document() -> str:
    """Markdown; a test compares it with what stands in the document."""
    parts = [
        "### Tools that read\n",
        *_tools(tools.READ),
        "### Tools that record, with `--write` alone\n",
        *_tools(tools.WRITE),
        "### Resources\n",
        "| URI | what it is |\n|---|---|",
        *(f"| `{uri}` | {about} |" for uri, _, about in resources.templates()),
        "\n### Prompts\n",
        "| prompt | what it is for |\n|---|---|",
        *(f"| `{p.name}` | {p.about} |" for p in prompts.PROMPTS.values()),
    ]
    return "\n".join(parts) + "\n"


def _tools(found: Iterable[Tool]) -> Iterable[str]:
    for tool in found:
        yield f"#### `{tool.name}`\n\n{tool.about}\n"
        yield from (_argument(name, takes, name in tool.required) for name, takes in tool.takes.items())
        yield f"\nGives `{'`, `'.join(tool.gives)}`.\n" if tool.takes else f"Gives `{'`, `'.join(tool.gives)}`.\n"


def _argument(name: str, takes: Doc, required: bool) -> str:
    return f"- `{name}` ({_kind(takes)}{', needed' if required else ''}): {takes['description']}"


def _kind(takes: Mapping[str, object]) -> str:
    if isinstance(choices := takes.get("enum"), list):
        return " | ".join(choices)
    kind = {"string": "text", "array": "texts", "integer": "whole number"}.get(str(takes["type"]), str(takes["type"]))
    bounds = [f"from {takes['minimum']}"] if takes.get("minimum") else []
    bounds += [f"to {takes['maximum']}"] if isinstance(most := takes.get("maximum"), int) and most < 1_000_000 else []
    bounds += [f"{takes['default']} by default"] if takes.get("default") else []
    return ", ".join([kind, *bounds])
