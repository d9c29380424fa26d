"""The viewer in a real Chromium: nothing harmful runs, everybody can use it, and it keeps up with an agent at work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from git_agent_session.web.viewer import export, serve, story
from tests.browser.conftest import Looking, World, paths

pytestmark = pytest.mark.browser
WIDTHS = (390, 820, 1440)


# -- what is harmful stays text


def harmful_chunk(world: World) -> str:
    return world.store().history(world.harmful, kinds=("transcript",))[0].id


def test_markup_in_a_session_is_shown_and_never_run(looking: Looking, world: World) -> None:
    for path in (
        "/",
        f"/sessions/{world.harmful}",
        "/stats",
        "/?q=window.hit",
        f"/sessions/{world.harmful}/text?chunk={harmful_chunk(world)}&item=0",
    ):
        page = looking.open(path)
        page.wait_for_timeout(200)
        assert page.evaluate("window.hit") is None
        assert page.locator("iframe, img, object, embed, main script").count() == 0
        assert "<script>window.hit=1</script>" in page.inner_text("main")
        assert "49" not in page.title()
    assert looking.said == []
    assert looking.strangers() == []


def test_unfolding_all_of_a_harmful_session_runs_nothing(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.harmful}")
    page.keyboard.press("e")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("window.hit") is None and looking.said == []


def test_what_turns_the_direction_is_shown_as_a_mark(looking: Looking, world: World) -> None:
    text = looking.open(f"/sessions/{world.harmful}").inner_text("main")
    assert "⟨U+202E⟩" in text and "\u202e" not in text and "\u2066" not in text
    assert "\x1b" not in text and "\x9b" not in text and "red link" in text


def test_a_text_of_five_megabytes_comes_in_parts(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.harmful}")
    assert len(page.content()) < 300_000
    page.locator(".item.answer a", has_text="Show all").last.click()
    expect(page.locator(".head")).to_contain_text("5,000,000 characters, part 1 of 25")
    page.get_by_text("Next part").click()
    expect(page.locator(".head")).to_contain_text("part 2 of 25")
    assert len(page.content()) < 300_000


def test_a_broken_session_says_so_and_the_others_are_there(looking: Looking, world: World) -> None:
    looking.open(f"/sessions/{world.broken}", status=409)
    assert "cannot be read" in looking.page.inner_text("main")
    assert looking.open("/").locator(".session").count() > 10


def test_the_policy_keeps_a_script_that_got_in_from_running(looking: Looking) -> None:
    page = looking.open("/")
    added = "const s = document.createElement('script'); s.text = 'window.hit = 1'; document.body.append(s)"
    with pytest.raises(Exception, match="TrustedScript"):
        page.evaluate(added)
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    assert page.evaluate("window.hit") is None


# -- the look


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, viewing: serve.Server, world: World, theme: str) -> None:
    context = browser.new_context(bypass_csp=True, color_scheme="dark" if theme == "dark" else "light")
    looking = Looking(context, viewing)
    found = {}
    for name, path in paths(world).items():
        looking.open(path)
        faults = Axe().run(looking.page).response["violations"]
        serious = [v for v in faults if v["impact"] in ("serious", "critical")]
        if serious:
            found[name] = [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in serious]
    context.close()
    assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(looking: Looking, world: World, width: int) -> None:
    looking.page.set_viewport_size({"width": width, "height": 800})
    wide = {}
    for name, path in paths(world).items():
        inner = looking.open(path).evaluate("document.documentElement.scrollWidth")
        if inner > width:
            wide[name] = inner
    assert not wide
    assert looking.said == [] and looking.strangers() == []


def test_a_theme_is_kept_from_page_to_page(looking: Looking) -> None:
    page = looking.open("/")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.keyboard.press("t")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dark != light
    assert looking.open("/stats").evaluate("getComputedStyle(document.documentElement).backgroundColor") == dark


# -- the keyboard


def test_all_of_it_can_be_reached_by_keys(looking: Looking, world: World) -> None:
    page = looking.open("/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    first = page.locator(".session .title").nth(1)
    expect(first).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(".session .title").nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/*")
    for letter, address in (("c", "**/commits"), ("f", "**/files/"), ("t", "**/stats")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(address)
    page.keyboard.press("/")
    page.keyboard.type("token bucket\n")
    page.wait_for_url("**/?q=token+bucket")
    page.locator(".hits .title").first.click()
    page.wait_for_url(f"**/sessions/{world.shown}?event=*")


def test_prompts_are_walked_and_rows_unfolded_by_keys(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.shown}")
    page.keyboard.press("n")
    page.keyboard.press("n")
    expect(page.locator(".k-prompt").nth(1)).to_be_focused()
    row = page.locator(".item.failed").first
    expect(row.locator("pre").first).to_be_hidden()
    row.focus()
    page.keyboard.press("o")
    expect(row).to_contain_text("assert bucket.take(now=1.0)")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()


# -- what it shows


def test_a_timeline_has_prompts_answers_tools_diffs_subagents_and_commits(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.shown}")
    assert page.locator(".k-prompt").count() == 3
    assert page.locator(".branch").inner_text() == "Subagent explore (a01)"
    edit = page.locator(".item", has_text="Edit").filter(has=page.locator("table.diff")).first
    expect(edit.locator("tr.minus")).to_contain_text("self.filled_at - now")
    expect(edit.locator("tr.plus .t-bp")).to_have_text("self")
    expect(page.locator("aside .chart")).to_have_attribute("aria-label", "Cost along time: grows to $0.29")
    page.locator(".item.commit a").click()
    expect(page.locator("h1")).to_have_text("Limit requests by a token bucket")
    expect(page.locator(".behind")).to_contain_text("by the agent")


def test_a_file_names_the_session_of_each_line(looking: Looking, world: World) -> None:
    page = looking.open("/files/src/limiter.py")
    expect(page.locator("#L3 .by")).to_contain_text("Claude Code #1")
    expect(page.locator("#L6 .by")).to_contain_text("Jonas Weber")
    page.locator("#L3 .by a").first.click()
    page.wait_for_url(f"**/sessions/{world.shown}")


def test_a_filter_applies_as_it_is_chosen(looking: Looking) -> None:
    page = looking.open("/")
    page.get_by_label("Agent").select_option("codex")
    page.wait_for_url("**agent=codex**")
    assert set(page.locator(".session .a-name").all_inner_texts()) == {"Codex"}


def test_more_commits_come_in_place_and_none_twice(looking: Looking, world: World) -> None:
    page = looking.open("/commits")
    seen = page.locator(".row.commit").count()
    while page.locator(".pager .next").count():
        page.locator(".pager .next").click()
        page.wait_for_function("n => document.querySelectorAll('.row.commit').length > n", arg=seen)
        seen = page.locator(".row.commit").count()
    ids = page.locator(".row.commit .facts code").all_inner_texts()
    assert len(ids) == len(set(ids)) == seen
    assert page.url.endswith("/commits")


# -- live


def test_a_session_shows_what_happens_while_it_is_open(looking: Looking, world: World) -> None:
    store = world.store()
    one = store.start(goal="Watch me", agent="codex", activate=False)
    page = looking.open(f"/sessions/{one.id}")
    expect(page.locator("#pulse")).to_be_visible()
    page.evaluate("window.same = true")
    store.append(one.id, "message", {"role": "user", "text": "Is anybody there?"})
    expect(page.locator(".item.prompt")).to_contain_text("Is anybody there?")
    store.append(one.id, "tool", {"name": "shell", "summary": "ls", "outcome": "ok"})
    expect(page.locator(".item.call")).to_contain_text("shell")
    store.end(one.id)
    expect(page.locator("#facts")).to_contain_text("completed")
    assert page.evaluate("window.same")
    assert looking.said == []


def test_a_long_session_that_was_unrolled_in_place_goes_on_living(looking: Looking, world: World) -> None:
    store = world.store()
    one = store.start(goal="Long and alive", agent="codex", activate=False)
    for n in range(story.PAGE + 3):
        store.log(one.id, "note", f"Note {n}")
    page = looking.open(f"/sessions/{one.id}")
    page.get_by_text("Show more").click()
    expect(page.locator(".item")).to_have_count(story.PAGE + 4)
    store.append(one.id, "message", {"role": "user", "text": "And one more"})
    expect(page.locator(".item").last).to_contain_text("And one more")
    expect(page.locator("#tabs a").first).to_have_text(f"All {story.PAGE + 5}")
    ids = page.locator(".item").evaluate_all("rows => rows.map((r) => r.id)")
    assert len(set(ids)) == len(ids) == story.PAGE + 5
    assert looking.said == []


def test_the_list_takes_in_a_new_session(looking: Looking, world: World) -> None:
    page = looking.open("/")
    expect(page.locator("#pulse")).to_be_visible()
    world.store().start(goal="Appeared out of nowhere", agent="gemini", activate=False)
    expect(page.locator(".session .title").first).to_have_text("Appeared out of nowhere")


# -- the door


def test_a_link_opens_once_and_nothing_opens_without(browser: Browser, looking: Looking, viewing: serve.Server) -> None:
    stranger = browser.new_context().new_page()
    for address in (viewing.link, f"{viewing.url}/", f"{viewing.url}/open?key=guess"):
        stranger.goto(address)
        assert "needs the link" in stranger.inner_text("h1")
    stranger.context.close()
    cookie = looking.context.cookies()[0]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"


# -- static files


def test_exported_pages_work_from_disk(browser: Browser, world: World, tmp_path: Path) -> None:
    done = export.write(world.store(), str(tmp_path / "out"))
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: said.append(m.text))
    page.on("request", lambda r: asked.append(r.url))
    page.goto(Path(done.path).as_uri())
    page.get_by_text("Replace the request counter by a token bucket").click()
    assert page.locator(".timeline .item").count() > 15
    page.locator(".item.commit a").click()
    expect(page.locator("h1")).to_have_text("Limit requests by a token bucket")
    for name in ("Files", "Statistics", "Commits", "Sessions"):
        page.locator(".top nav").get_by_text(name).click()
        expect(page.locator("h1")).to_have_text(name)
    page.goto((tmp_path / "out" / "session" / f"{world.harmful}.html").as_uri())
    assert page.evaluate("window.hit") is None
    assert said == [] and all(address.startswith("file:") for address in asked)
    page.close()
