"""The viewer's pages as they are sent: who gets them, what stands around them, what is in them. No browser here."""

from __future__ import annotations

import http.client
import os
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("pygments")

import git_agent_session
from git_agent_session.errors import UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import new_session_id
from git_agent_session.index.derived import Index, Refreshed
from git_agent_session.store.store import Store
from git_agent_session.web.viewer import export, lists, pages, serve, site
from tests.harness import Repo
from tests.web.conftest import Reply, read

HARM = "<script>alert(1)</script>"


class Viewing:
    """A running viewer, and a browser's part of the talk with it."""

    def __init__(self, server: serve.Server) -> None:
        self.server = server
        self.place = server.url.removeprefix("http://")
        self.cookie = ""

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.place, timeout=60)
        own = {"Host": self.place, "Accept": "text/html", **({"Cookie": self.cookie} if self.cookie else {})}
        connection.request(method, path, headers={**own, **{k.replace("_", "-"): v for k, v in headers.items()}})
        reply = read(connection.getresponse())
        connection.close()
        return reply

    def log_in(self) -> Reply:
        reply = self.ask(self.server.keys.link)
        self.cookie = reply.headers["set-cookie"].partition(";")[0]
        return reply

    def page(self, path: str, status: int = 200) -> str:
        reply = self.ask(path)
        assert reply.status == status, reply.body[:500]
        return reply.body.decode()


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("Begin", files={"src/app.py": "import os\n\nVALUE = 1\n", "README.md": "# x\n"})
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def viewing(store: Store) -> Iterator[Viewing]:
    made = serve.Server(store.repo.location)
    ready = threading.Event()
    thread = threading.Thread(target=made.serve_until_ended, args=[ready.set], daemon=True)
    thread.start()
    assert ready.wait(60)
    yield Viewing(made)
    made.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def desk(store: Store) -> pages.Desk:
    return pages.Desk(store, site.Served())


# -- the door


def test_without_the_cookie_a_browser_is_told_how_and_a_program_is_refused(viewing: Viewing) -> None:
    refused = viewing.ask("/")
    assert refused.status == 401 and b"git agent-session web" in refused.body
    assert viewing.ask("/", Accept="application/json").headers["content-type"] == "application/problem+json"
    viewing.cookie = f"{viewing.server.keys.name}=guess"
    assert viewing.ask("/").status == 401


def test_the_link_opens_once_with_a_cookie_that_no_script_and_no_other_site_gets(viewing: Viewing) -> None:
    link = viewing.server.keys.link
    reply = viewing.log_in()
    assert reply.status == 303 and reply.headers["location"] == "/"
    assert "HttpOnly" in reply.headers["set-cookie"] and "SameSite=strict" in reply.headers["set-cookie"]
    assert viewing.ask("/").status == 200
    viewing.cookie = ""
    assert viewing.ask(link).status == 403


def test_the_cookie_is_for_this_name_this_site_and_for_reading(viewing: Viewing) -> None:
    viewing.log_in()
    assert viewing.ask("/", Host="evil.example").status == 421
    assert viewing.ask("/", Sec_Fetch_Site="cross-site").status == 403
    assert viewing.ask("/", Origin="http://evil.example").status == 403
    assert viewing.ask("/", method="POST").status == 401


def test_the_link_is_refused_by_another_name_and_not_spent(viewing: Viewing) -> None:
    assert viewing.ask(viewing.server.keys.link, Host="evil.example").status == 421
    assert viewing.ask(viewing.server.keys.link, Sec_Fetch_Site="cross-site").status == 403
    assert viewing.log_in().status == 303


# -- around the pages


@pytest.mark.parametrize(
    "path", ["/", "/commits", "/files/", "/files/src/app.py", "/stats", "/nothing", "/commits/abcdef1"]
)
def test_every_page_has_the_strict_policy(viewing: Viewing, path: str) -> None:
    viewing.log_in()
    headers = viewing.ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy and "trusted-types 'none'" in policy and "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"


class _Inline(HTMLParser):
    """What a strict policy would forbid, and addresses that lead elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.found.append(f"{tag} {name}")
            if name in ("href", "src", "action") and value and not value.startswith(("/", "#")):
                self.found.append(f"{tag} {value}")


def _harmed(store: Store) -> str:
    one = store.start(goal=HARM, title=f"'\"{HARM}", tags=["<b>"], agent="codex", activate=False)
    store.append(one.id, "message", {"role": "user", "text": f"{HARM} \u202e `{HARM}`\n```html\n{HARM}\n```"})
    store.append(one.id, "tool", {"name": HARM, "paths": [f"src/{HARM}.py"], "outcome": HARM})
    store.link(one.id, ["HEAD"])
    store.drain(one.id)
    return one.id


def test_no_page_has_inline_code_or_leads_elsewhere(store: Store) -> None:
    session, at = _harmed(store), desk(store)
    made = [
        pages.sessions(at, {}),
        pages.sessions(at, {"q": "script"}),
        pages.sessions(at, {"tag": HARM, "file": HARM}),
        pages.session(at, session, {}),
        pages.commits(at),
        pages.commit(at, store.repo.head() or ""),
        pages.files_at(at, "", {}),
        pages.files_at(at, "src/app.py", {}),
        pages.stats(at),
    ]
    for page in made:
        assert _Inline(page).found == []
        assert HARM not in page and "\u202e" not in page
    assert "&lt;script&gt;" in made[3] and "⟨U+202E⟩" in made[3]


# -- what is asked for


def test_filters_that_cannot_be_are_not_asked() -> None:
    asked = lists.Asked.of(
        {"status": "gone", "since": "yesterday", "until": "2026-01-31", "commit": "xyz", "agent": "pi"}
    )
    assert asked.to_dict() == {"agent": "pi", "until": "2026-01-31"}


def test_pages_of_a_list_join_without_a_gap(store: Store) -> None:
    ids = [store.start(goal=f"number {n}", activate=False).id for n in range(7)]
    found = desk(store).refreshed()
    seen: list[str] = []
    cursor = ""
    while True:
        page = lists.page(found, lists.Asked(), cursor, size=3)
        seen += [row.id for _, rows_ in page.days for row in rows_]
        cursor = page.next
        if not cursor:
            break
    assert sorted(seen) == sorted(ids) and len(seen) == 7 and page.total == 7


def test_the_last_day_of_a_range_counts(store: Store) -> None:
    one = store.start(goal="today", activate=False)
    day = one.started_at[:10]
    found = desk(store).refreshed()
    assert lists.page(found, lists.Asked(since=day, until=day)).total == 1
    assert lists.page(found, lists.Asked(until="2020-01-01")).total == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("!!!", "no word to search for"),
        ("x agent:", "has no value"),
        ("x since:soon", "is no day"),
        ("x commit:none", "none"),
    ],
)
def test_a_wrong_search_is_answered_in_words(store: Store, query: str, said: str) -> None:
    assert said in pages.sessions(desk(store), {"q": query})


def test_a_search_takes_filters_among_its_words_and_beside_them(store: Store) -> None:
    for agent in ("codex", "gemini"):
        one = store.start(goal=f"limit requests with {agent}", agent=agent, activate=False)
    at, day = desk(store), one.started_at[:10]
    assert "with <mark>gemini" not in pages.sessions(at, {"q": "limit agent:codex"})
    for query in ({"q": "limit agent:gemini"}, {"q": "limit", "agent": "gemini", "since": day, "until": day}):
        page = pages.sessions(at, query)
        assert one.id in page and page.count('class="snippet"') == 1
    assert "Nothing was found" in pages.sessions(at, {"q": "limit", "until": "2020-01-01"})


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "src/../../x", ":(glob)*", "--help", "src\0app.py"]
)
def test_no_path_leads_out_of_head(store: Store, path: str) -> None:
    with pytest.raises(UsageError):
        pages.files_at(desk(store), path, {})


def test_a_page_that_is_not_there_says_so(viewing: Viewing) -> None:
    viewing.log_in()
    for path in ("/sessions/none", "/files/none.py", "/commits/zzz", "/static/../routes.py", "/sessions/" + "0" * 36):
        assert "All sessions" in viewing.page(path, status=404)


def test_only_what_head_has_is_linked(repo: Repo, store: Store) -> None:
    one = store.start(goal="x", activate=False)
    store.append(one.id, "tool", {"name": "Edit", "paths": ["src/app.py", "src/gone.py"], "outcome": "ok"})
    page = pages.session(desk(store), one.id, {})
    assert 'href="/files/src/app.py"' in page
    assert "gone.py" in page and 'href="/files/src/gone.py"' not in page
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},module")
    repo.git("commit", "-qm", "A submodule")
    page = pages.files_at(desk(store), "", {})
    assert "module" in page and 'href="/files/module"' not in page and 'href="/files/README.md"' in page


# -- live


@pytest.mark.parametrize("path", ["/", "/sessions/{}"])
def test_what_happens_before_a_page_listens_is_told(viewing: Viewing, store: Store, path: str) -> None:
    viewing.log_in()
    one = store.start(goal="watched", activate=False)
    page = viewing.page(path.format(one.id))
    found = re.search(r'data-live="([^"]+)"', page)
    assert found is not None
    store.log(one.id, "note", "in between")
    connection = http.client.HTTPConnection(viewing.place, timeout=60)
    connection.request("GET", found[1].replace("&amp;", "&"), headers={"Host": viewing.place, "Cookie": viewing.cookie})
    reply = connection.getresponse()
    lines = [reply.readline() for _ in range(3)]
    connection.close()
    assert lines[2] == b"event: new\n", lines


# -- static files


def test_an_export_has_every_page_it_links_to(store: Store, tmp_path: Path) -> None:
    _harmed(store)
    done = export.write(store, str(tmp_path / "out"))
    files = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert done.pages == sum(name.endswith(".html") for name in files)
    for name in files:
        if name.endswith(".html"):
            page = (tmp_path / "out" / name).read_text(encoding="utf-8")
            assert HARM not in page and "default-src 'none'" in page and "<form action" not in page
            for address in re.findall(r'(?:href|src)="([^"#]+)"', page):
                assert os.path.normpath(os.path.join(os.path.dirname(name), address)) in files, (name, address)


def test_a_second_export_takes_away_what_is_gone(store: Store, tmp_path: Path) -> None:
    one = store.start(goal="secret", activate=False)
    folder = tmp_path / "out"
    export.write(store, str(folder))
    assert (folder / "session" / f"{one.id}.html").exists()
    store.delete(one.id)
    export.write(store, str(folder))
    assert not (folder / "session" / f"{one.id}.html").exists()
    assert "secret" not in (folder / "index.html").read_text()


def test_an_export_leaves_a_folder_of_others_alone(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other files"):
        export.write(store, str(folder))
    assert [p.name for p in folder.iterdir()] == ["mine.txt"]


def test_a_made_up_mark_deletes_nothing_else(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "victim.html").write_text("x")
    (folder / export.MARK).write_text("../victim.html\n")
    export.write(store, str(folder))
    assert (tmp_path / "victim.html").exists()


# -- the command


def test_the_command_exports_and_prints_where(store: Store, repo: Repo, tmp_path: Path) -> None:
    store.start(goal="seen", activate=False)
    done = repo.cli("web", "--export", str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "site" / "index.html") and os.path.exists(done.stdout.strip())


def test_the_command_refuses_a_folder_of_others_in_one_line(store: Store, repo: Repo) -> None:
    done = repo.cli("web", "--export", str(repo.path))
    assert done.returncode == 2 and "holds other files" in done.stderr and "Traceback" not in done.stderr


# -- what a page costs


def test_a_broken_session_does_not_have_each_page_look_at_all_refs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"session.toml": b"status = \x00", "events.toml": b""}
    broken = new_session_id()
    store.repo.swap(SESSIONS + broken, store.repo.write_batch(files, [], "broken"), None, "broken")
    for n in range(3):
        store.drain(store.start(goal=f"number {n}", activate=False).id)
    _make_old(store)
    at = desk(store)
    assert "3 sessions" in pages.sessions(at, {})
    asked: list[float] = []
    refresh = Index.refresh

    def noted(self: Index, **how: float) -> Refreshed:
        asked.append(how["wait"])
        return refresh(self, wait=how["wait"])

    monkeypatch.setattr(Index, "refresh", noted)
    assert "3 sessions" in pages.sessions(at, {}) and asked == []
    store.start(goal="a new one", activate=False)
    assert "4 sessions" in pages.sessions(at, {}) and len(asked) == 1
    os.unlink(at.found.path)
    assert "4 sessions" in pages.sessions(at, {})


def _make_old(store: Store) -> None:
    """Make the files of refs older than the ticks of any file system: what is young is looked at again."""
    for folder, _, names in os.walk(store.repo.location.common_dir):
        for name in names:
            os.utime(os.path.join(folder, name), (1_700_000_000, 1_700_000_000))
