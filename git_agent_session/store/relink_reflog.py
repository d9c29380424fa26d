"""HEAD's reflog as evidence: what each commit was to git, and what has happened in this worktree since the last look.

Git writes there which command made a commit (`cherry-pick:`, `commit (cherry-pick):`, `am:`, `commit (amend):` …), so
no hook has to. How far it was read is `looked`'s. Reflogs can be off
(core.logAllRefUpdates): then there is nothing here, and `relink` compares all the same.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from git_agent_session import live
from git_agent_session.git.discover import Location
from git_agent_session.ids import is_object_id
from git_agent_session.store.looked import MARK, read_mark

# bytes at the end of a reflog that count: some 400 lines
TAIL = 64 * 1024

# the commands that make a copy of a commit and keep its author: builtin/commit.c, builtin/am.c, sequencer.c
_COPY = re.compile(r"^(cherry-pick|commit \(cherry-pick\)|am)(?=[: ])")
_PICK = re.compile(r"^(?:rebase|pull)\b.*?\((?:pick|reword|edit|squash|fixup|continue|apply)\): |^rebase: ")
_MADE = re.compile(r"^(commit|cherry-pick|revert|am)\b")
# the commands that bring commits from elsewhere
_BROUGHT = re.compile(r"^(merge|pull|clone|reset|rebase)\b")

COPY, PICK, AMEND, COMMIT, BROUGHT = "copy", "pick", "amend", "commit", "brought"


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the reflog: HEAD went from `old` to `new`, and `kind` of work did it ("" for none of ours)."""

    old: str
    new: str
    kind: str
    operation: str

    @property
    def made(self) -> bool:
        """True when this step made the commit `new`, here."""
        return self.kind in (COPY, PICK, AMEND, COMMIT)


class Reflog:
    """The end of HEAD's reflog, as it stood when this was made."""

    def __init__(self, location: Location) -> None:
        self._mark = os.path.join(location.private, MARK)
        path = os.path.join(location.git_dir, "logs", "HEAD")
        self.size = 0
        self.steps: list[Step] = []
        self._starts: list[int] = []
        try:
            with open(path, "rb") as f:
                self.size = os.fstat(f.fileno()).st_size
                start = max(0, self.size - TAIL)
                f.seek(start)
                data = f.read(self.size - start)
        except OSError:
            return
        self.size = start + len(data)
        for line in data.split(b"\n"):
            step = _step(line.decode("utf-8", "replace"))
            if step is not None:
                self.steps.append(step)
                self._starts.append(start)
            start += len(line) + 1
        self.made = {step.new: n for n, step in enumerate(self.steps) if step.made}

    made: dict[str, int] = {}  # noqa: RUF012 - replaced where there is a reflog

    def step(self, commit: str) -> Step | None:
        """The step that made a commit here."""
        at = self.made.get(commit)
        return None if at is None else self.steps[at]

    def fresh(self) -> list[Step]:
        """The steps since the last look; all that are known when there was none, or when the reflog was cut since."""
        done, last = read_mark(self._mark)
        if done > self.size:
            return self.steps
        before = [n for n, start in enumerate(self._starts) if start < done]
        if done and before and self.steps[before[-1]].new != last:
            return self.steps
        return self.steps[len(before) :]

    def looked(self, until: Step | None = None) -> None:
        """Keep that everything, or everything before `until`, was looked at."""
        at = self.steps.index(until) if until is not None else len(self.steps)
        if at:
            end = self._starts[at] if at < len(self.steps) else self.size
            os.makedirs(os.path.dirname(self._mark), mode=0o700, exist_ok=True)
            live.replace(self._mark, f"{end} {self.steps[at - 1].new}\n")


def _step(line: str) -> Step | None:
    head, _, what = line.partition("\t")
    words = head.split(" ")
    if len(words) < 2 or not is_object_id(words[0]) or not is_object_id(words[1]):
        return None
    return Step(words[0], words[1], *_kind(what))


def _kind(what: str) -> tuple[str, str]:
    if what.startswith("commit (amend)"):
        return AMEND, "amend"
    if match := _COPY.match(what):
        return COPY, "am" if match[1] == "am" else "cherry-pick"
    if _PICK.match(what):
        return PICK, "rebase"
    if _MADE.match(what):
        return COMMIT, "commit"
    return (BROUGHT, "") if _BROUGHT.match(what) else ("", "")
