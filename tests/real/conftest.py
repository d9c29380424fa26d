"""A repository with our hooks in it, and published agents that work there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import Session, Store
from tests.harness import ROOT, Repo
from tests.real.agents import AGENTS, Published, Run
from tests.real.model import Model, Step

SECONDS = 240


class World:
    """A repository, a home for each agent, and the model behind them."""

    def __init__(self, tmp_path: Path, model: Model) -> None:
        self.model = model
        self.tmp = tmp_path
        self.repo = Repo.init(tmp_path / "a repo")
        self.repo.commit("init", files={"README": "x\n"})
        # Gemini's shell does not see the user's own configuration
        self.repo.git("config", "user.name", "Ada Tester")
        self.repo.git("config", "user.email", "ada@example.org")
        self.repo.cli("install", check=True)
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        launcher = self.bin / "git-agent-session"
        launcher.write_text(
            f"#!{sys.executable} -I\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            "from git_agent_session.__main__ import main\nsys.exit(main())\n"
        )
        launcher.chmod(0o755)

    @property
    def top(self) -> Path:
        return self.repo.path

    def home(self, agent: Published, name: str = "") -> Path:
        path = self.tmp / f"home {agent.name}{name}"
        if not path.exists():
            path.mkdir()
            (path / ".gitconfig").write_text("[user]\n\tname = Ada Tester\n\temail = ada@example.org\n")
        return path

    def enable(self, *names: str) -> None:
        self.repo.cli("enable", *names, check=True)

    def start(
        self,
        agent: Published,
        name: str,
        text: str,
        steps: Sequence[Step],
        *,
        again: Sequence[str] = (),
        home: str = "",
    ) -> Run:
        self.model.scripts[name] = steps
        place = self.home(agent, home)
        return agent.start(self.model, place, self.top, str(self.bin), f"{text} [{name}]", again)

    def run(self, agent: Published, name: str, text: str, steps: Sequence[Step], *, again: Sequence[str] = ()) -> None:
        status = self.start(agent, name, text, steps, again=again).wait(timeout=SECONDS)
        assert status == 0, self.output(agent)

    def output(self, agent: Published, home: str = "") -> str:
        return (self.home(agent, home) / "output.txt").read_text(errors="replace")[-4000:]

    def store(self) -> Store:
        return git_agent_session.open(str(self.top))

    def until(self, holds: Callable[[list[Session]], bool], seconds: float = 60) -> list[Session]:
        """The sessions, the oldest first, once what happens in the background has made `holds` true."""
        deadline = time.monotonic() + seconds
        while not holds(found := self.store().list()[::-1]):
            if time.monotonic() > deadline:
                rows = [s.to_dict() for s in found]
                raise AssertionError(f"{rows}\n{self.log()}")
            time.sleep(0.1)
        return found

    def log(self) -> str:
        path = self.top / ".git" / "agent-session" / "hook.log"
        return path.read_text() if path.exists() else ""

    def note(self, commit: str) -> str:
        return self.repo.git("notes", "--ref=agent-sessions", "show", commit, check=False)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    model = Model()
    yield World(tmp_path, model)
    model.close()


@pytest.fixture(params=list(AGENTS))
def agent(request: pytest.FixtureRequest) -> Published:
    return AGENTS[request.param]
