"""Keys, focus and names in a real Chromium: all can be reached, nothing is lost on the way."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from git_agent_session.web.viewer import serve, story
from tests.browser.conftest import Looking, World, paths

pytestmark = pytest.mark.browser

# pages whose rows are walked, and what a row of them is
WALKED = {
    "sessions": ".session",
    "search": ".hits .row",
    "session": ".item",
    "commits": ".row.commit",
    "commit": ".file-diff",
    "folder": ".folder .row",
    "file": ".blame tr.first",
    "stats": ".sums tbody tr",
}


@pytest.mark.parametrize("name", WALKED)
def test_rows_are_walked_by_j_and_k_on_every_page_that_has_rows(looking: Looking, world: World, name: str) -> None:
    page = looking.open(paths(world)[name])
    seen = []
    for _ in range(2):
        page.keyboard.press("j")
        seen.append(
            page.evaluate(
                "s => [...document.querySelectorAll(s)].findIndex(r => r.contains(document.activeElement))",
                WALKED[name],
            )
        )
    assert seen[0] >= 0
    # the last one stays where it is
    assert seen[1] == seen[0] + (page.locator(WALKED[name]).count() > 1)
    page.keyboard.press("k")
    assert page.locator(WALKED[name]).nth(seen[0]).evaluate("r => r.contains(document.activeElement)")


def test_the_help_names_every_key_and_closes_by_two_of_them(looking: Looking) -> None:
    page = looking.open("/")
    for key in ("?", "Escape"):
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        # keys that lead elsewhere do nothing behind it
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        page.keyboard.press(key)
        expect(page.locator("dialog")).to_be_hidden()
    script = page.evaluate("fetch(document.querySelector('script[src*=viewer]').src).then((r) => r.text())")
    known = set(re.findall(r'^    "?([a-z/?])"?: ', script, re.M)) | {"g", "s", "c", "f", "t", "Esc"}
    assert set(page.locator("dialog kbd").all_text_contents()) == known


def test_prompts_are_walked_back_and_all_is_unfolded_and_folded(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.shown}")
    for key in ("n", "n", "p"):
        page.keyboard.press(key)
    expect(page.locator(".k-prompt").nth(0)).to_be_focused()
    page.keyboard.press("e")
    assert page.locator(".timeline details:not([open])").count() == 0
    page.keyboard.press("e")
    assert page.locator(".timeline details[open]").count() == 0
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/")


def test_a_g_that_was_pressed_long_ago_leads_nowhere(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.shown}")
    page.keyboard.press("g")
    page.wait_for_timeout(2200)
    page.keyboard.press("c")
    page.wait_for_timeout(300)
    assert page.url.endswith(world.shown)


def test_focus_is_kept_where_a_filter_was_set(looking: Looking) -> None:
    page = looking.open("/")
    page.get_by_label("Agent").select_option("codex")
    page.wait_for_url("**agent=codex**")
    expect(page.get_by_label("Agent")).to_be_focused()
    looking.open("/")
    assert page.evaluate("document.activeElement === document.body")


def test_focus_goes_to_the_first_row_that_came(looking: Looking, world: World) -> None:
    store = world.store()
    one = store.start(goal="A long one", activate=False)
    for n in range(story.PAGE + 5):
        store.log(one.id, "note", f"Note {n}")
    page = looking.open(f"/sessions/{one.id}")
    page.get_by_text("Show more").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".item").nth(story.PAGE)).to_be_focused()
    expect(page.get_by_text("Show more")).to_have_count(0)


def test_axe_finds_nothing_serious_where_all_is_unfolded(browser: Browser, viewing: serve.Server, world: World) -> None:
    context = browser.new_context(bypass_csp=True, viewport={"width": 390, "height": 800})
    looking = Looking(context, viewing)
    found = {}
    for name in ("sessions", "session", "harmful", "commit"):
        page = looking.open(paths(world)[name])
        page.keyboard.press("e")
        if name == "sessions":
            page.locator(".filters summary").click()
            page.keyboard.press("?")
        faults = Axe().run(page).response["violations"]
        if serious := [
            (v["id"], v["nodes"][0]["html"][:200]) for v in faults if v["impact"] in ("serious", "critical")
        ]:
            found[name] = serious
    context.close()
    assert not found, json.dumps(found, indent=1)


# -- what comes later


def test_the_counts_of_a_long_session_come_by_themselves(
    looking: Looking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "SMALL", 0)
    page = looking.open(f"/sessions/{world.shown}")
    expect(page.locator("#tabs a").first).to_have_text("All 24")
    expect(page.locator("#tabs a", has_text="Tools")).to_have_text("Tools 7")
    assert looking.said == []


def test_lines_that_are_still_there_come_by_themselves(looking: Looking) -> None:
    page = looking.open("/stats")
    tiles = page.locator("#lines .tiles")
    expect(tiles).to_contain_text("of those added", timeout=60_000)
    expect(page.locator("#lines tbody th").first).to_have_text("Claude Code")
    assert looking.said == [] and looking.strangers() == []


# -- the look


def test_a_badge_stays_in_one_piece_on_a_phone(looking: Looking, world: World) -> None:
    looking.page.set_viewport_size({"width": 390, "height": 800})
    for name in ("session", "harmful"):
        for badge in looking.open(paths(world)[name]).locator(".badge:visible").all():
            box = badge.bounding_box()
            assert box is not None and box["height"] < 30, badge.inner_text()


def test_what_is_printed_from_the_dark_is_dark_on_white(looking: Looking, world: World) -> None:
    page = looking.open(f"/sessions/{world.shown}")
    page.keyboard.press("t")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    light = page.evaluate(ink)
    page.emulate_media(media="print")
    dark = page.evaluate(ink)
    assert light != dark and sum(map(int, dark.removeprefix("rgb(").rstrip(")").split(","))) < 150
    assert not page.locator(".top").is_visible()
