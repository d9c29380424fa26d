"""The one thing that an agent's hook may print: a brief for an agent that begins, where `agentSession.brief` is true.

Claude Code, Codex and Gemini all take `hookSpecificOutput.additionalContext` of a SessionStart hook (their own
references of hooks). The brief is made by a process of its own, for it needs git's objects; when that takes longer than
a second (`agentSession.briefMs`), nothing is said. Without the setting no more happens here than one look at what is
known of git's configuration.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.git.discover import Location

# those whose hook takes context when a session begins
AGENTS = ("claude-code", "codex", "gemini")
# milliseconds that an agent waits at most, unless `agentSession.briefMs` says otherwise
PATIENCE = 1000
# bytes; a brief has 500 tokens, and this is far more
_LIMIT = 16 * 1024


def say(location: Location, agent: str, session_id: str) -> None:
    """Print the brief for a session that begins, in the form that its agent takes; nothing where there is none."""
    from git_agent_session.redact.configured import setting

    if agent not in AGENTS or setting(location, "brief").strip().lower() not in ("true", "yes", "on", "1"):
        return
    given = setting(location, "briefms").strip()
    # what is no number is as good as none
    patience = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else PATIENCE
    text = ask(location, session_id, patience / 1000)
    if text:
        import json

        said = {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": text}}
        os.write(1, json.dumps(said).encode() + b"\n")


def ask(location: Location, session_id: str, seconds: float) -> str:
    """The brief, made by another process within so many seconds; "" where it says nothing or is late."""
    import subprocess

    from git_agent_session import own_process

    place = (location.git_dir, location.common_dir, location.worktree or "")
    folders = [os.path.abspath(p) if p else "" for p in place]
    argv = own_process.argv("git_agent_session.work.memory", "main", *folders, session_id)
    try:
        done = subprocess.run(
            argv,
            cwd=location.common_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode or len(done.stdout) > _LIMIT:
        return ""
    return done.stdout.decode("utf-8", "replace")
