"""A Claude that writes files as the real one does: the file, its transcript, and the hook call, in that order."""

from __future__ import annotations

import json
from typing import Any

from git_agent_session.agents import claude_code, recorder, settle
from git_agent_session.git.discover import discover
from git_agent_session.ids import timestamp
from tests.e2e.claude import Claude


class Writer(Claude):
    """`write` and `edit` files, `shell` a command, `person` edits one without any agent; `commit` is a person's.

    With `processes` every hook call is a process of its own and what it leaves behind another, else all is done here.
    """

    def __init__(self, *args: Any, processes: bool = False) -> None:
        super().__init__(*args)
        self.processes = processes
        self.calls = 0
        self.prompts = 0

    def call(self, event: str, **fields: Any) -> None:
        if self.processes:
            super().call(event, **fields)
            return
        location = discover(str(self.repo.path))
        assert location is not None
        capture = claude_code.translate(self.payload(event, **fields), self.env, location.worktree)
        assert capture is not None
        assert recorder.record(location, claude_code.NAME, capture) == self.id
        if capture.settle:
            settle.settle(claude_code.NAME, self.id, location, capture.notes)

    def ask(self, text: str) -> None:
        """A person asks for something."""
        self.prompts += 1
        self.prompt(text, self.prompts)

    def answer(self) -> None:
        """The turn ends; wait for the work in the background."""
        self.stop(self.prompts)
        self.settled()

    def write(self, name: str, text: str) -> None:
        self.repo.write({name: text})
        self._called("Write", {"file_path": str(self.repo.path / name), "content": text})

    def edit(self, name: str, old: str, new: str) -> None:
        before = (self.repo.path / name).read_bytes().decode()
        assert before.count(old) == 1
        self.repo.write({name: before.replace(old, new)})
        self._called("Edit", {"file_path": str(self.repo.path / name), "old_string": old, "new_string": new})

    def shell(self, command: str) -> None:
        self.repo.run("sh", "-c", command, check=True)
        self._called("Bash", {"command": command})

    def person(self, name: str, text: str) -> None:
        self.repo.write({name: text})

    def commit(self, *paths: str, message: str = "work") -> str:
        """Commit as a person who has the agent's variables in the shell."""
        self.repo.git("add", "-A", "--", *(paths or (".",)))
        self.repo.git("commit", "-q", "-m", message, env={"GIT_AGENT_SESSION": self.id})
        return self.repo.git("rev-parse", "HEAD")

    def _called(self, tool: str, given: dict[str, Any]) -> None:
        self.calls += 1
        call = f"toolu_{self.calls}"
        block = {"type": "tool_use", "id": call, "name": tool, "input": given}
        doc = {"type": "assistant", "uuid": f"a{self.calls}", "timestamp": timestamp(), "message": {"content": [block]}}
        with self.transcript.open("a") as f:
            f.write(json.dumps(doc) + "\n")
        self.call("PostToolUse", tool_name=tool, tool_use_id=call, tool_input=given, tool_response={})
