"""What the viewer's pages are made of: timelines, texts, code, the graph of commits, numbers."""

from __future__ import annotations

import asyncio
import os
import re
import threading

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("pygments")

import git_agent_session
from git_agent_session.index.derived import Index
from git_agent_session.store.store import Store
from git_agent_session.web.viewer import code, history, lines, look, numbers, pages, rows, site, story, text
from git_agent_session.web.viewer.places import Place
from git_agent_session.web.viewer.story import Told
from tests.harness import Repo

HARM = "<script>alert(1)</script>"


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("Begin", files={"src/app.py": "import os\n\nVALUE = 1\n"})
    return git_agent_session.open(str(repo.path))


def desk(store: Store) -> pages.Desk:
    return pages.Desk(store, site.Served())


# -- timelines


def test_a_long_session_comes_in_parts_and_an_event_finds_its_own(store: Store) -> None:
    one = store.start(goal="long", activate=False)
    made = [store.append(one.id, "message", {"role": "user", "text": f"say {n}"}) for n in range(300)]
    at = desk(store)
    first = pages.session(at, one.id, {})
    assert first.count('<li class="item') == story.PAGE and "Show more" in first and "say 299" not in first
    assert "say 250" in pages.session(at, one.id, {"event": made[250].id})
    assert pages.session(at, one.id, {"from": "0-999999"}).count('<li class="item') == 1


def test_a_choice_shows_its_own_rows(store: Store) -> None:
    one = store.start(goal="choose", activate=False)
    store.append(one.id, "message", {"role": "user", "text": "a question"})
    store.append(one.id, "tool", {"name": "Bash", "outcome": "error"})
    tools = pages.session(desk(store), one.id, {"show": "tools"})
    assert "Bash" in tools and "a question" not in tools


def test_events_of_any_shape_become_rows() -> None:
    odd: list[object] = [None, 3, [], {}, "x", [["deep"]]]
    for kind in ("message", "tool", "commit", "error", "context", "task", "agent", "never-seen"):
        for value in odd:
            data = dict.fromkeys(
                ("role", "text", "name", "paths", "outcome", "duration_ms", "commit", "message"), value
            )
            event = git_agent_session.Event("e1", "2026-01-01T00:00:00.000Z", kind, data)
            told = Told(Place(kind, event.at, "e-e1", 1), event)
            assert len(rows.rows([told], lambda commit: "")) == 1


# -- texts and code


def test_nothing_unseen_is_left_in_a_text() -> None:
    made = text.shown("a\x1b[31mb\x07\u202ec\u200bd\r\ne\ud800")
    assert made == "ab⟨U+0007⟩⟨U+202E⟩c⟨U+200B⟩d\ne⟨U+D800⟩"
    assert text.line("x\n y" * 400).endswith("…") and len(text.line("x" * 10_000_000)) == 200


def test_a_cut_says_how_much_is_left_and_ends_with_a_line() -> None:
    cut = text.cut("line\n" * 10_000, 1000)
    assert cut.text.endswith("line") and len(cut.text) + cut.left == 50_000


def test_prose_is_read_as_people_write_it() -> None:
    (block, code_block, last) = text.prose(
        "# About `x`\n\n- one **bold**\n  - two\n3. `three`\n```py\nx = 1\n```\n-- no list"
    )
    assert [line.depth for line in block.lines] == [0, 0, 1, 2, 1]
    assert [s for s in block.lines[0].spans if s[1]] == [("strong", "About "), ("code", "x")]
    assert [s for s in block.lines[2].spans if s[1]] == [("", "- one "), ("strong", "bold")]
    assert block.lines[3].spans == (("", "- two"),)
    assert (code_block.language, code_block.code) == ("py", "x = 1") and last.lines[0].depth == 0


def test_a_path_is_shortened_to_what_tells_it() -> None:
    assert look.path("/home/a/proj/src/x.py", "/home/a/proj") == "src/x.py"
    assert look.path("/home/b/other/deep/src/x.py", "/home/a/proj") == "…/deep/src/x.py"
    assert look.path("C:\\work\\proj\\src\\x.py", "C:/work/proj") == "src/x.py"
    for kept in ("src/a/b/c/d.py", "pytest -q tests/a/b/c", "/etc/hosts", ""):
        assert look.path(kept, "/home/a/proj") == kept
    assert look.breaking("<a>/b") == "&lt;a&gt;/<wbr>b"


def test_code_is_escaped_line_by_line() -> None:
    made = code.lines(f"'''{HARM}\n{HARM}'''\nx = 1", path="x.py")
    assert len(made) == 3
    for row in made:
        assert HARM not in row and row.count("<span") == row.count("</span>")
    assert code.lines("a\n\nb", path="no.such-language") == ["a", "", "b"]


def test_a_change_shows_both_sides() -> None:
    made = code.change("x.py", "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 4\nc = 3\n")
    assert [ln.sign for ln in made.lines] == [" ", "-", "+", " "]
    assert (made.added, made.deleted) == (1, 1)


def test_a_change_of_endless_size_is_cut() -> None:
    made = code.change("x.py", "", "x = 1\n" * 5000)
    assert len(made.lines) == 400 and made.left == 4600


# -- commits


def test_the_graph_goes_on_where_a_page_ends(store: Store, repo: Repo) -> None:
    for n in range(4):
        repo.commit(f"main {n}")
        repo.git("switch", "-q", "-c", f"side-{n}")
        repo.commit(f"side {n}")
        repo.git("switch", "-q", "main")
        repo.commit(f"other {n}")
        repo.git("merge", "-q", "--no-ff", "-m", f"merge {n}", f"side-{n}")
    whole = [c.id for c in history.page(store.repo.location, size=100).commits]
    assert sorted(whole) == sorted(repo.lines("rev-list", "HEAD"))
    for size in (1, 2, 3, 5):
        seen: list[str] = []
        ends: tuple[str, ...] = ()
        while True:
            page = history.page(store.repo.location, ends, size)
            seen += [c.id for c in page.commits]
            ends = page.ends
            if not ends:
                break
        assert sorted(seen) == sorted(whole)


def test_an_end_that_is_no_commit_shows_nothing(store: Store) -> None:
    assert history.page(store.repo.location, ["--output=x", "f" * 40]).commits == ()
    assert not os.path.exists(os.path.join(store.repo.location.worktree or "", "x"))


def test_a_commit_shows_what_it_changed_and_its_session(store: Store, repo: Repo) -> None:
    one = store.start(goal="Double the value", agent="codex", activate=False)
    made = repo.commit("Double it", files={"src/app.py": "import os\n\nVALUE = 2\n"})
    store.link(one.id, [made])
    page = pages.commit(desk(store), made)
    assert "Double the value" in page and "Codex" in page
    assert re.search(r'class="minus".*?VALUE', page, re.S) and re.search(r'class="plus".*?VALUE', page, re.S)


# -- numbers


def test_numbers_add_up(store: Store) -> None:
    for n, status in enumerate(("completed", "completed", "failed")):
        one = store.start(goal=f"{n}", agent="codex", activate=False)
        store.usage(one.id, cost_usd=0.5, input_tokens=10)
        store.append(one.id, "tool", {"name": "Bash", "outcome": "error" if n else "ok", "duration_ms": 10})
        store.end(one.id, status=status)
    store.start(goal="open", agent="gemini", activate=False)
    made = numbers.read(desk(store).refreshed())
    assert (made.totals.sessions, made.totals.active, made.totals.ended, made.totals.tokens) == (4, 1, 3, 30)
    assert made.totals.rate == pytest.approx(2 / 3) and made.totals.cost_usd == pytest.approx(1.5)
    assert [(t.name, t.calls, t.failed) for t in made.tools] == [("Bash", 3, 2)]
    assert [(g.key, g.sum.sessions) for g in made.groups[0][2]] == [("codex", 3), ("gemini", 1)]


def test_lines_that_are_still_there_are_counted_by_agent(store: Store, repo: Repo) -> None:
    for agent, held in (("codex", "a\nb\nc\n"), ("gemini", "a\nB\nc\nd\n")):
        one = store.start(goal=agent, agent=agent, activate=False)
        store.link(one.id, [repo.commit(agent, files={"x.txt": held})])
    made = lines.count(store, desk(store).refreshed())
    assert [(r.name, r.lines.added, r.lines.alive) for r in made.agents] == [("Codex", 3, 2), ("Gemini", 2, 2)]
    page = pages.lines(desk(store), made)
    assert "80% of those added" in page and "data-later" not in page


def test_a_count_of_lines_says_how_far_it_is_and_then_what_it_found(
    store: Store, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "GOOD", 60.0)
    go_on, told = threading.Event(), threading.Event()

    def find(own: Store) -> Index:
        told.set()
        assert go_on.wait(60)
        return desk(own).refreshed()

    async def asked() -> tuple[object, object, object]:
        counting = lines.Counting(lambda: git_agent_session.open(str(repo.path)), find, lambda: False)
        first = await counting.ask()
        assert told.is_set()
        go_on.set()
        while isinstance(second := await counting.ask(), lines.Progress):
            pass
        go_on.clear()
        # what was just found is not counted again
        third = await counting.ask()
        go_on.set()
        await counting.aclose()
        return first, second, third

    first, second, third = asyncio.run(asked())
    assert first == lines.Progress(0, 0) and isinstance(second, lines.Counted) and third is second
    page = pages.lines(desk(store), lines.Progress(3, 12))
    assert "3 of 12 files" in page and 'data-later="/stats/lines"' in page


def test_a_count_of_lines_ends_with_the_server(store: Store, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE", 30.0)
    ends = threading.Event()
    one = store.start(goal="counted", activate=False)
    store.link(one.id, ["HEAD"])

    async def ended() -> None:
        counting = lines.Counting(
            lambda: git_agent_session.open(str(repo.path)), lambda own: desk(own).refreshed(), ends.is_set
        )
        ends.set()
        with pytest.raises(lines.Ending):
            await counting.ask()
        await counting.aclose()

    asyncio.run(ended())
