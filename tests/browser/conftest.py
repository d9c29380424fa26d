"""A real Chromium on a real server: Debian's, or Playwright's own where that is installed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
pytest.importorskip("jinja2")

from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

import git_agent_session
from git_agent_session import index
from git_agent_session.store.store import Store
from git_agent_session.web.viewer import serve
from tests.browser import demo, hostile

# what is late on a busy machine is still right
expect.set_options(timeout=30_000)

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class World:
    """The made-up repository, and the ids of its sessions that tests speak of."""

    path: Path
    shown: str
    harmful: str
    broken: str

    def store(self) -> Store:
        return git_agent_session.open(str(self.path))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\n\tname = Demo\n\temail = demo@example.org\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        repo, store, shown = demo.build(tmp_path_factory.mktemp("world") / "lantern", count=50)
        harmful, broken = hostile.write(store), hostile.break_one(store)
        index.open(store).refresh()
    return World(repo.path, shown, harmful, broken)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = next((path for name in _NAMES if (path := shutil.which(name))), None)
        try:
            # the sandbox needs a user namespace, which a container's root does not have
            made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Exception as e:
            pytest.skip(f"no Chromium starts here: {str(e).splitlines()[0]}")
        yield made
        made.close()


@pytest.fixture
def viewing(world: World) -> Iterator[serve.Server]:
    made = serve.Server(world.store().repo.location)
    ready = threading.Event()
    thread = threading.Thread(target=made.serve_until_ended, args=[ready.set], daemon=True)
    thread.start()
    assert ready.wait(60)
    yield made
    made.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


class Looking:
    """A page of the browser, logged in; `said` are messages of its console and errors of scripts, `asked` requests."""

    def __init__(self, context: BrowserContext, server: serve.Server) -> None:
        self.context, self.server = context, server
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.asked: list[Request] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.goto(server.link)

    def open(self, path: str, status: int = 200) -> Page:
        """Go to a path of the viewer."""
        answer = self.page.goto(self.server.url + path)
        assert answer is not None and answer.status == status, (path, answer and answer.status)
        return self.page

    def strangers(self) -> list[str]:
        """The addresses outside the viewer that were asked for."""
        return [r.url for r in self.asked if not r.url.startswith(self.server.url + "/")]


@pytest.fixture
def looking(browser: Browser, viewing: serve.Server) -> Iterator[Looking]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    yield Looking(context, viewing)
    context.close()


def paths(world: World) -> dict[str, str]:
    """All kinds of pages, by name."""
    store = world.store()
    commit = store.commits(world.shown)[0].commit
    event = store.contexts(world.shown)[0][0].id
    chunk = store.history(world.shown, kinds=("transcript",))[0].id
    return {
        "sessions": "/",
        "filtered": "/?agent=codex",
        "none": "/?tag=nothing",
        "search": "/?q=token+bucket",
        "session": f"/sessions/{world.shown}",
        "tools": f"/sessions/{world.shown}?show=tools",
        "harmful": f"/sessions/{world.harmful}",
        "text": f"/sessions/{world.shown}/text?chunk={chunk}&item=0",
        "context": f"/sessions/{world.shown}/context?event={event}",
        "commits": "/commits",
        "commit": f"/commits/{commit}",
        "folder": "/files/",
        "file": "/files/src/limiter.py",
        "stats": "/stats",
        "lines": "/stats/lines",
    }
