"""How each published agent is installed, pointed at the scripted model and run once, without a terminal.

The packages come from npm into a cache (`AGENT_CACHE`, default `~/.cache/git-agent-session-agents`), 1.3 GB for all.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real.model import Model, Step, call

# the home of whoever runs the tests: the tests' own is an empty one
HOME = os.environ.get("HOME", "")
CACHE = Path(os.environ.get("AGENT_CACHE") or Path(HOME) / ".cache" / "git-agent-session-agents")


@dataclass(frozen=True)
class Published:
    """A published agent: its package, its program, how it is told what to do, and its tools."""

    name: str
    package: str
    program: str
    shell: str
    command: str
    resume: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def bash(self, command: str) -> Step:
        """A step that runs a command in the agent's shell."""
        extra = {} if self.name == "codex" else {"description": "scripted"}
        return call(self.shell, **{self.command: command}, **extra)

    def argv(self, prompt: str, again: Sequence[str]) -> Sequence[str]:
        """The arguments of one run; `again` are those that take up an earlier session."""
        if self.name == "claude-code":
            tools = "Bash Write Edit Read Task Agent TodoWrite"
            return ("-p", prompt, "--allowedTools", tools, *again)
        if self.name == "codex":
            free = ("--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust")
            return ("exec", *free, *again, prompt)
        if self.name == "gemini":
            return ("-m", "gemini-2.5-pro", "--yolo", *again, "-p", prompt)
        if self.name == "opencode":
            return ("run", *again, prompt)
        return ("-p", prompt, *again)

    def write(self, top: Path, name: str, text: str) -> Step:
        """A step that writes a file by the agent's own tool."""
        path = str(top / name)
        if self.name == "claude-code":
            return call("Write", file_path=path, content=text)
        if self.name == "gemini":
            return call("write_file", file_path=path, content=text)
        if self.name == "opencode":
            return call("write", filePath=path, content=text)
        if self.name == "copilot":
            return call("create", path=path, file_text=text)
        added = "".join(f"+{line}\n" for line in text.splitlines())
        patch = f"*** Begin Patch\n*** Add File: {name}\n{added}*** End Patch\n"
        return self.bash(f"apply_patch <<'EOF'\n{patch}EOF")

    def configure(self, home: Path, top: Path, url: str) -> dict[str, str]:
        """Write what points the agent at the model; returns the environment it needs besides."""
        own = {key: value.format(url=url) for key, value in self.env.items()}
        if self.name == "codex":
            _write(
                home / ".codex" / "config.toml",
                'model = "gpt-5-codex"\nmodel_provider = "scripted"\n[model_providers.scripted]\nname = "scripted"\n'
                f'base_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "SCRIPTED_KEY"\n'
                f'[projects."{top}"]\ntrust_level = "trusted"\n',
            )
        elif self.name == "gemini":
            auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
            _write(home / ".gemini" / "settings.json", {**auth, "privacy": {"usageStatisticsEnabled": False}})
            _write(home / ".gemini" / "trustedFolders.json", {str(top): "TRUST_FOLDER"})
        elif self.name == "opencode":
            options = {"baseURL": f"{url}/v1", "apiKey": "x"}
            provider = {"npm": "@ai-sdk/openai-compatible", "name": "scripted", "options": options}
            config: dict[str, Any] = {"provider": {"scripted": {**provider, "models": {"m1": {"name": "m1"}}}}}
            config.update({"model": "scripted/m1", "autoupdate": False, "share": "disabled"})
            config["permission"] = {"bash": "allow", "edit": "allow"}
            _write(home / ".config" / "opencode" / "opencode.json", config)
        return own

    def start(self, model: Model, home: Path, top: Path, path: str, prompt: str, again: Sequence[str] = ()) -> Run:
        """Start one run in the folder `top`; `path` comes first on its PATH."""
        env = {"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8"}
        env.update(self.configure(home, top, model.url))
        out = (home / "output.txt").open("ab")
        argv = [str(installed(self)), *self.argv(prompt, again)]
        return subprocess.Popen(argv, cwd=top, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


Run = subprocess.Popen[bytes]

AGENTS = {
    agent.name: agent
    for agent in (
        Published(
            "claude-code",
            "@anthropic-ai/claude-code",
            "claude",
            "Bash",
            "command",
            ("--continue",),
            {
                "ANTHROPIC_BASE_URL": "{url}",
                "ANTHROPIC_API_KEY": "sk-scripted",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            },
        ),
        Published(
            "codex", "@openai/codex", "codex", "exec_command", "cmd", ("resume", "--last"), {"SCRIPTED_KEY": "x"}
        ),
        Published(
            "gemini",
            "@google/gemini-cli",
            "gemini",
            "run_shell_command",
            "command",
            ("--resume", "latest"),
            {"GEMINI_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": "{url}"},
        ),
        Published(
            "copilot",
            "@github/copilot",
            "copilot",
            "bash",
            "command",
            ("--continue",),
            {
                "COPILOT_OFFLINE": "true",
                # trusts the folder as well, without which its hooks are not loaded
                "COPILOT_ALLOW_ALL": "true",
                "COPILOT_PROVIDER_TYPE": "openai",
                "COPILOT_PROVIDER_BASE_URL": "{url}/v1",
                "COPILOT_PROVIDER_API_KEY": "x",
                "COPILOT_MODEL": "gpt-5",
            },
        ),
        Published(
            "opencode",
            "opencode-ai",
            "opencode",
            "bash",
            "command",
            ("--continue",),
            {"OPENCODE_DISABLE_AUTOUPDATE": "1"},
        ),
    )
}


def installed(agent: Published) -> Path:
    """The agent's program, installed into the cache when it is not there yet."""
    program = CACHE / "node_modules" / ".bin" / agent.program
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        if not (CACHE / "package.json").exists():
            (CACHE / "package.json").write_text("{}\n")
        argv = ["npm", "install", "--no-audit", "--no-fund", agent.package]
        subprocess.run(argv, cwd=CACHE, check=True, env={**os.environ, "HOME": HOME}, stdout=subprocess.DEVNULL)
    return program


def version(agent: Published) -> str:
    """The version of the installed package."""
    found = json.loads((CACHE / "node_modules" / agent.package / "package.json").read_text())
    return str(found["version"])


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # what an earlier run, or `enable`, has put there stays
    if isinstance(content, dict) and path.exists():
        content = {**json.loads(path.read_text()), **content}
    path.write_text(content if isinstance(content, str) else json.dumps(content))
