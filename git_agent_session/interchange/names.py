"""What agents, models and their makers are called in each format, and back."""

from __future__ import annotations

import re

from git_agent_session.model import Agent

AGENT_TRACE, GIT_AI, ENTIRE, OTLP = "agent-trace", "git-ai", "entire", "otlp"
FORMATS = (AGENT_TRACE, GIT_AI, ENTIRE, OTLP)
FORMS = "agent-trace:FILE, git-ai, entire, otlp:FILE or otlp:URL"

# under this key, where a format leaves room for a tool's own, stands what only we can use
OWN = "git-agent-session"

# the tools of Git AI Standard 3.0.0, "Agent ID Object", where they are called otherwise than here
_GIT_AI = {"claude-code": "claude"}
# the types of Entire's registry of agents
_ENTIRE = {
    "claude-code": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "copilot": "Copilot CLI",
    "opencode": "OpenCode",
    "cursor": "Cursor",
    "droid": "Factory AI Droid",
    "pi": "Pi",
}
_ALIASES = {
    **{name.lower(): ours for ours, name in _ENTIRE.items()},
    "claude": "claude-code",
    "claude_code": "claude-code",
    "gemini-cli": "gemini",
    "github-copilot": "copilot",
    "github copilot": "copilot",
    "factory-droid": "droid",
}
# how a model's name begins, its maker at models.dev, and the provider's well-known name in OpenTelemetry
_MAKERS = (
    (("claude",), "anthropic", "anthropic"),
    (("gpt", "o1", "o3", "o4", "codex", "chatgpt"), "openai", "openai"),
    (("gemini",), "google", "gcp.gemini"),
    (("grok",), "xai", "x_ai"),
    (("deepseek",), "deepseek", "deepseek"),
    (("mistral", "codestral", "devstral", "magistral"), "mistral", "mistral_ai"),
)
_USUAL = {"claude-code": "anthropic", "codex": "openai", "gemini": "gcp.gemini"}
_NO_NAME = re.compile(r"[^a-z0-9._-]+")


def agent_type(name: object) -> str:
    """Our name of the agent that a format calls `name`; "unknown" for none."""
    text = name.strip().lower()[:200] if isinstance(name, str) else ""
    if text in _ALIASES:
        return _ALIASES[text]
    return _NO_NAME.sub("-", text).strip("-._")[:64] or "unknown"


def git_ai_tool(agent: str) -> str:
    """What Git AI calls an agent of ours."""
    return _GIT_AI.get(agent, agent or "unknown")


def entire_agent(agent: str) -> str:
    """What Entire calls an agent of ours; its word for any is `Agent`."""
    return _ENTIRE.get(agent, "Agent")


def model_id(agent: Agent) -> str:
    """The agent's model as models.dev names it, `provider/model`; the bare name where its maker is not known."""
    if not agent.model or "/" in agent.model:
        return agent.model[:250]
    found = _maker(agent.model)
    return f"{found[1]}/{agent.model}"[:250] if found else agent.model[:250]


def bare_model(model: object) -> str:
    """The name of a model without its provider."""
    return model.rpartition("/")[2][:200] if isinstance(model, str) else ""


def provider(agent: Agent) -> str:
    """`gen_ai.provider.name`: a well-known value where the maker is known, else the agent's own name."""
    found = _maker(bare_model(agent.model))
    return found[2] if found else _USUAL.get(agent.type, agent.type or "unknown")


def _maker(model: str) -> tuple[tuple[str, ...], str, str] | None:
    return next((row for row in _MAKERS if model.lower().startswith(row[0])), None)
