"""Claude Code, Codex, Gemini CLI and Droid as the benchmarks play them: command hooks under names like Claude's."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.agents import AFTER, AT, BEFORE, COMMAND, OUTPUT, PROMPT, STOP, WRITTEN, Agent, Record, now, piece


class Claude(Agent):
    """Claude Code."""

    name, title = "claude-code", "Claude Code"
    # a commit in its shell is known by its environment
    calls = (PROMPT, WRITTEN, AFTER, STOP)
    events: ClassVar[dict[str, str]] = {
        PROMPT: "UserPromptSubmit",
        WRITTEN: "PostToolUse",
        AFTER: "PostToolUse",
        STOP: "Stop",
    }

    def place(self) -> str:
        return f".claude/projects/measured/{self.native}.jsonl"

    def env(self) -> dict[str, str]:
        return {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_PROJECT_DIR": str(self.folder)}

    def common(self) -> Record:
        return {**super().common(), "permission_mode": "default", "prompt_id": f"prompt-{self.count}"}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text}
        if call == STOP:
            return {"last_assistant_message": text, "stop_hook_active": False}
        used: Record = {"tool_use_id": self.call_id(), "duration_ms": 520}
        if call == AFTER:
            given = {"command": f"{COMMAND} # {text[:200]}", "description": "Run the unit tests"}
            response = {"stdout": OUTPUT, "stderr": "", "interrupted": False}
            return {**used, "tool_name": "Bash", "tool_input": given, "tool_response": response}
        given = {"file_path": str(self.file), "content": piece(self.count) + text}
        response = {"type": "update", "filePath": str(self.file), "originalFile": piece(self.count), **given}
        return {**used, "tool_name": "Write", "tool_input": given, "tool_response": response}

    def records(self, n: int, text: str) -> list[Record]:
        usage = {"input_tokens": 12, "output_tokens": 345, "cache_read_input_tokens": 45678}
        answer: Record = {
            "id": f"msg_{self.own}{n}",
            "role": "assistant",
            "model": "claude-opus-4-1",
            "usage": usage,
        }
        answer["content"] = [{"type": "text", "text": text[:300]}]
        own = {
            "version": "2.1.329",
            "timestamp": AT,
            "requestId": f"req_{self.own}{n}",
            "sessionId": self.native,
        }
        result = {"type": "tool_result", "tool_use_id": f"toolu_{self.own}{n}", "content": text}
        return [
            {**own, "type": "assistant", "uuid": f"a{self.own}{n}", "message": answer},
            {**own, "type": "user", "uuid": f"u{self.own}{n}", "message": {"role": "user", "content": [result]}},
        ]


class Codex(Agent):
    """Codex."""

    name, title = "codex", "Codex"
    events: ClassVar[dict[str, str]] = {
        PROMPT: "UserPromptSubmit",
        WRITTEN: "PostToolUse",
        BEFORE: "PreToolUse",
        AFTER: "PostToolUse",
        STOP: "Stop",
    }

    def place(self) -> str:
        return f".codex/sessions/2026/01/02/rollout-2026-01-02T03-04-05-{self.native}.jsonl"

    def common(self) -> Record:
        return {**super().common(), "turn_id": f"turn-{self.count}", "model": "gpt-5-codex"}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text}
        if call == STOP:
            return {"last_assistant_message": text, "stop_hook_active": False}
        used = {"tool_use_id": self.call_id()}
        if call == WRITTEN:
            patch = f"*** Begin Patch\n*** Update File: {self.file}\n@@\n-old\n+{text}\n*** End Patch"
            return {**used, "tool_name": "apply_patch", "tool_input": {"command": patch}, "tool_response": "Done"}
        given = {"command": f"{COMMAND} # {text[:200]}"}
        response = {"tool_response": OUTPUT} if call == AFTER else {}
        return {**used, "tool_name": "Bash", "tool_input": given, **response}

    def records(self, n: int, text: str) -> list[Record]:
        tokens = {"input_tokens": 5000, "cached_input_tokens": 4000, "output_tokens": 120}
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text[:300]}]}
        result = {"type": "function_call_output", "call_id": f"call_{self.own}{n}", "output": text}
        count = {"type": "token_count", "info": {"total_token_usage": tokens, "last_token_usage": tokens}}
        return [
            {"timestamp": AT, "type": "response_item", "payload": {"id": f"msg_{self.own}{n}", **said}},
            {"timestamp": AT, "type": "response_item", "payload": result},
            {"timestamp": AT, "type": "event_msg", "payload": count},
        ]


class Gemini(Agent):
    """Gemini CLI."""

    name, title = "gemini", "Gemini CLI"
    events: ClassVar[dict[str, str]] = {
        PROMPT: "BeforeAgent",
        WRITTEN: "AfterTool",
        BEFORE: "BeforeTool",
        AFTER: "AfterTool",
        STOP: "AfterAgent",
    }

    def place(self) -> str:
        return f".gemini/tmp/measured/chats/session-2026-01-02T03-04-{self.native[:8]}.jsonl"

    def env(self) -> dict[str, str]:
        return {"GEMINI_SESSION_ID": self.native, "GEMINI_PROJECT_DIR": str(self.folder)}

    def common(self) -> Record:
        return {**super().common(), "timestamp": now()}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text}
        if call == STOP:
            return {"prompt": "Go on", "prompt_response": text, "stop_hook_active": False}
        if call == WRITTEN:
            given = {"file_path": str(self.file), "content": piece(self.count) + text}
            response = {"llmContent": f"Successfully overwrote file: {self.file}", "returnDisplay": {"fileName": "f"}}
            return {"tool_name": "write_file", "tool_input": given, "tool_response": response}
        given = {"command": f"{COMMAND} # {text[:200]}", "description": "Run the unit tests"}
        response = {"tool_response": {"llmContent": f"Output: {OUTPUT}"}} if call == AFTER else {}
        return {"tool_name": "run_shell_command", "tool_input": given, **response}

    def records(self, n: int, text: str) -> list[Record]:
        tokens = {"input": 5000, "output": 120, "cached": 4000, "thoughts": 40, "tool": 0, "total": 5160}
        call: Record = {"id": f"call_{self.own}{n}", "name": "read_file", "args": {"file_path": str(self.file)}}
        call["result"] = [{"functionResponse": {"name": "read_file", "response": {"output": text}}}]
        said = {"content": text[:300], "toolCalls": [{**call, "status": "success", "timestamp": AT}]}
        own = {"id": f"g{self.own}{n}", "timestamp": AT, "type": "gemini", "model": "gemini-2.5-pro"}
        return [{**own, **said, "tokens": tokens}]


class Droid(Agent):
    """Droid."""

    name, title = "droid", "Droid"
    silent: ClassVar = (PROMPT,)
    events: ClassVar[dict[str, str]] = Codex.events

    def place(self) -> str:
        return f".factory/sessions/measured/{self.native}.jsonl"

    def env(self) -> dict[str, str]:
        return {"FACTORY_PROJECT_DIR": str(self.folder), "DROID_PROJECT_DIR": str(self.folder)}

    def said(self, call: str, text: str) -> Record:
        if call == PROMPT:
            return {"prompt": text}
        if call == STOP:
            return {"stop_hook_active": False}
        if call == WRITTEN:
            given = {"file_path": str(self.file), "content": piece(self.count) + text}
            return {"tool_name": "Create", "tool_input": given, "tool_response": f"Wrote {self.file}"}
        given = {"command": f"{COMMAND} # {text[:200]}", "summary": "Run the unit tests"}
        response = {"tool_response": f"{OUTPUT}\n[Process exited with code 0]"} if call == AFTER else {}
        return {"tool_name": "Execute", "tool_input": given, **response}

    def records(self, n: int, text: str) -> list[Record]:
        result = {"type": "tool_result", "tool_use_id": f"call_{self.own}{n}", "content": text}
        own = {"type": "message", "timestamp": AT, "parentId": None}
        answer = {"role": "assistant", "content": [{"type": "text", "text": text[:300]}]}
        return [
            {**own, "id": f"a{self.own}{n}", "message": answer},
            {**own, "id": f"u{self.own}{n}", "message": {"role": "user", "content": [result]}},
        ]
