"""The hermetic seal: no test sees the user's home, git config, agents or clock zone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pygit2
import pytest
from hypothesis import HealthCheck, settings
from pygit2.enums import ConfigLevel

from tests.harness import ROOT, Repo

# what an agent's shell, a hook or a developer's terminal may have left in the environment
LEAKS = ("GIT_", "CLAUDE", "CODEX_", "COPILOT_", "PI_SESSION", "GEMINI_", "OPENCODE", "CURSOR_", "AI_AGENT", "AGENT")
PYTHON_LEAKS = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE")

# a shell that runs the tests in the background has them ignore these, and so would all that they start
for _name in ("SIGINT", "SIGQUIT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)

# a busy machine is no defect; further examples are drawn with each run, or with --hypothesis-profile=many
settings.register_profile("project", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("many", settings.get_profile("project"), max_examples=1000)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def seal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME of the test's own, a fixed identity, and nothing inherited that could steer git."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(LEAKS) or name in PYTHON_LEAKS:
            monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada Tester\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
        # one process less for each commit
        "[maintenance]\n\tauto = false\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
    )
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PAGER": "cat",
        "NO_COLOR": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR")
    # libgit2 looked for HOME when it was loaded
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = str(home if level == ConfigLevel.GLOBAL else home / "none")
    return home


@pytest.fixture
def home(seal: Path) -> Path:
    return seal


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "repo")
