"""Copilot CLI, OpenCode, Cursor and Pi as the benchmarks play them: each has a form of its own."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import ClassVar

from benchmarks.agents import AFTER, AT, BEFORE, COMMAND, OUTPUT, PROMPT, STOP, WRITTEN, Agent, Record, now, piece


class Copilot(Agent):
    """Copilot CLI, whose payloads do not name the event."""

    name, title = "copilot", "Copilot CLI"

    def place(self) -> str:
        return f".copilot/session-state/{self.native}/events.jsonl"

    def env(self) -> dict[str, str]:
        return {"COPILOT_PROJECT_DIR": str(self.folder), "COPILOT_CLI_BINARY_VERSION": "1.0.102"}

    def common(self) -> Record:
        return {"sessionId": self.native, "timestamp": time.time_ns() // 1_000_000, "cwd": str(self.folder)}

    def begin(self) -> Record:
        return {**self.common(), "source": "new", "initialPrompt": "Go on"}

    def payload(self, call: str, more: str = "") -> Record:
        self.count += 1
        return {**self.common(), **self.said(call, f"{piece(self.count)[:400]} {more}")}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text}
        if call == STOP:
            return {"transcriptPath": str(self.transcript), "stopReason": "end_turn"}
        result = {"toolResult": {"resultType": "success", "textResultForLlm": f"{OUTPUT}<exited with exit code 0>"}}
        if call == WRITTEN:
            given = {"path": str(self.file), "file_text": piece(self.count) + text}
            return {"toolName": "create", "toolArgs": given, **result}
        given = {"command": f"{COMMAND} # {text[:200]}", "description": "Run the unit tests"}
        return {"toolName": "bash", "toolArgs": given, **(result if call == AFTER else {})}

    def records(self, n: int, text: str) -> list[Record]:
        own = {"timestamp": AT, "parentId": None}
        said = {"messageId": f"m{n}", "content": text[:300], "toolRequests": []}
        done = {"toolCallId": f"call_{self.own}{n}", "success": True, "result": {"content": text}}
        return [
            {**own, "id": f"a{self.own}{n}", "type": "assistant.message", "data": said},
            {**own, "id": f"t{self.own}{n}", "type": "tool.execution_complete", "data": done},
        ]


class OpenCode(Agent):
    """OpenCode, as our plugin in it tells; its transcript is a database."""

    name, title = "opencode", "OpenCode"
    start = "session.start"
    events: ClassVar[dict[str, str]] = {
        PROMPT: "chat.message",
        WRITTEN: "tool.after",
        BEFORE: "tool.before",
        AFTER: "tool.after",
        STOP: "session.idle",
    }

    def place(self) -> str:
        return f"opencode-{self.native}/opencode/opencode.db"

    def env(self) -> dict[str, str]:
        return {"XDG_DATA_HOME": str(self.transcript.parent.parent)}

    def common(self) -> Record:
        own = {"agent": "opencode", "version": "1.18.33", "model": "anthropic/claude-opus-4-1"}
        return {**own, "session_id": self.native, "cwd": str(self.folder), "timestamp": now()}

    def said(self, call: str, text: str) -> Record:
        if call in (PROMPT, STOP):
            return {"text": text, "message_id": f"msg_{self.count}"}
        command = f"{COMMAND} # {text[:200]}"
        if call == BEFORE:
            return {"tool": "bash", "command": command}
        used: Record = {"part_id": self.call_id(), "status": "completed", "duration_ms": 520}
        if call == AFTER:
            return {**used, "tool": "bash", "input": {"command": command}, "output": OUTPUT, "exit": 0}
        return {**used, "tool": "write", "input": {"filePath": str(self.file), "content": piece(self.count) + text}}

    def write(self, size: int) -> None:
        with sqlite3.connect(self.transcript) as db:
            db.execute("PRAGMA journal_mode = WAL")
            times = "time_created integer, time_updated integer, data text"
            db.execute(
                "CREATE TABLE session (id text PRIMARY KEY, parent_id text, directory text, time_updated integer)"
            )
            db.execute(f"CREATE TABLE message (id text PRIMARY KEY, session_id text, {times})")
            db.execute(f"CREATE TABLE part (id text PRIMARY KEY, message_id text, session_id text, {times})")
            db.execute("CREATE INDEX message_session ON message (session_id, time_created, id)")
            db.execute("CREATE INDEX part_message ON part (message_id, id)")
            db.execute("INSERT INTO session VALUES (?, NULL, ?, 0)", (self.native, str(self.folder)))
        self.grow(size)

    def grow(self, size: int = 0) -> None:
        written = 0
        with sqlite3.connect(self.transcript) as db:
            while written <= size:
                self.count += 1
                n, at = self.count, 1_767_323_045_000 + self.count
                message, *parts = (json.dumps(r) for r in self.records(n, piece(n)))
                name = f"msg_{n:09d}"
                db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", (name, self.native, at, at, message))
                for k, part in enumerate(parts):
                    row = (f"prt_{n:09d}{k}", name, self.native, at, at, part)
                    db.execute("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", row)
                written += sum(map(len, parts))

    def records(self, n: int, text: str) -> list[Record]:
        tokens = {"input": 5000, "output": 120, "reasoning": 40, "cache": {"read": 4000, "write": 0}}
        at = 1_767_323_045_000 + n
        own = {"role": "assistant", "modelID": "claude-opus-4-1", "providerID": "anthropic", "tokens": tokens}
        state = {"status": "completed", "input": {"filePath": "f"}, "output": text, "time": {"start": at, "end": at}}
        return [
            {**own, "time": {"created": at, "completed": at}, "cost": 0.01},
            {"type": "text", "text": text[:300]},
            {"type": "tool", "callID": f"call_{self.own}{n}", "tool": "read", "state": state},
        ]


class Cursor(Agent):
    """Cursor: a file's writing and a command have hooks of their own."""

    name, title = "cursor", "Cursor"
    start = "sessionStart"
    TOOL: ClassVar = "after a tool"
    calls = (PROMPT, WRITTEN, TOOL, BEFORE, AFTER, STOP)
    events: ClassVar[dict[str, str]] = {
        PROMPT: "beforeSubmitPrompt",
        WRITTEN: "afterFileEdit",
        TOOL: "postToolUse",
        BEFORE: "beforeShellExecution",
        AFTER: "afterShellExecution",
        STOP: "stop",
    }

    def place(self) -> str:
        return f".cursor/projects/measured/agent-transcripts/{self.native}/{self.native}.jsonl"

    def env(self) -> dict[str, str]:
        return {"CURSOR_PROJECT_DIR": str(self.folder), "CURSOR_VERSION": "2.4.0"}

    def common(self) -> Record:
        own = {"conversation_id": self.native, "generation_id": f"gen-{self.count}", "cursor_version": "2.4.0"}
        place = {"workspace_roots": [str(self.folder)], "transcript_path": str(self.transcript)}
        return {**own, **place, "model": "composer-1", "user_email": None}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text, "attachments": []}
        if call == STOP:
            return {"status": "completed", "loop_count": 0}
        command = f"{COMMAND} # {text[:200]}"
        if call == BEFORE:
            return {"command": command, "cwd": str(self.folder)}
        if call == AFTER:
            return {"command": command, "output": OUTPUT, "duration": 520}
        if call == WRITTEN:
            return {"file_path": str(self.file), "edits": [{"old_string": piece(1)[:500], "new_string": text}]}
        output = json.dumps({"exitCode": 0, "output": OUTPUT})
        used = {"tool_use_id": self.call_id(), "duration": 520, "cwd": str(self.folder)}
        return {**used, "tool_name": "Shell", "tool_input": {"command": command}, "tool_output": output}

    def records(self, n: int, text: str) -> list[Record]:
        result = {
            "type": "tool_result",
            "tool_use_id": f"call_{self.own}{n}",
            "content": [{"type": "text", "text": text}],
        }
        return [
            {"role": "assistant", "message": {"content": [{"type": "text", "text": text[:300]}]}},
            {"role": "user", "message": {"content": [result]}},
        ]


class Pi(Agent):
    """Pi, as our extension in it tells."""

    name, title = "pi", "Pi"
    start = "session_start"
    events: ClassVar[dict[str, str]] = {
        PROMPT: "input",
        WRITTEN: "tool_result",
        BEFORE: "tool_call",
        AFTER: "tool_result",
        STOP: "agent_end",
    }

    def place(self) -> str:
        return f".pi/agent/sessions/--measured--/2026-01-02T03-04-05-678Z_{self.native}.jsonl"

    def common(self) -> Record:
        own = {"agent": "pi", "version": "0.87.1", "model": "claude-opus-4-1", "timestamp": now()}
        return {**super().common(), **own}

    def said(self, call: str, text: str) -> Record:
        if call in (PROMPT, STOP):
            return {"text": text}
        command = f"{COMMAND} # {text[:200]}"
        if call == BEFORE:
            return {"tool": "bash", "command": command}
        used: Record = {"call_id": self.call_id(), "failed": False, "duration_ms": 520}
        if call == AFTER:
            return {**used, "tool": "bash", "input": {"command": command}, "output": OUTPUT}
        return {**used, "tool": "write", "input": {"path": str(self.file), "content": piece(self.count) + text}}

    def records(self, n: int, text: str) -> list[Record]:
        usage = {"input": 5000, "output": 120, "cacheRead": 4000, "cacheWrite": 0, "totalTokens": 9120}
        answer: Record = {"role": "assistant", "content": [{"type": "text", "text": text[:300]}], "usage": usage}
        answer["model"] = "claude-opus-4-1"
        result = {
            "role": "toolResult",
            "toolCallId": f"call_{self.own}{n}",
            "toolName": "read",
            "isError": False,
        }
        return [
            {
                "type": "message",
                "id": f"a{self.own}{n}",
                "timestamp": AT,
                "message": answer,
            },
            {
                "type": "message",
                "id": f"r{self.own}{n}",
                "timestamp": AT,
                "message": {**result, "content": [{"type": "text", "text": text}]},
            },
        ]
