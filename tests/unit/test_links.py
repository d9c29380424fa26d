"""The text of a note: a set of lines that merges by union and keeps what is not ours."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.store.links import Edit, Noted, edited, line, parse

IDS = st.sampled_from([f"{n}" * 8 + "-0000-4000-8000-000000000000" for n in "123"])
EDITS = st.lists(st.builds(Edit, IDS, st.booleans(), st.sampled_from(["codex", "unknown"]), st.booleans()), max_size=6)
FOREIGN = st.lists(st.sampled_from(["hello", "x = 1", "sessions.zzz = {}"]), max_size=2, unique=True)


def is_noted(text: str) -> dict[str, bool]:
    return {n.session_id: n.primary for n in parse(text)}


@given(FOREIGN, EDITS)
def test_foreign_lines_stay_and_edits_repeat_harmlessly(foreign: list[str], edits: list[Edit]) -> None:
    once = edited("\n".join(foreign), edits)
    assert [ln for ln in once.splitlines() if not ln.startswith("sessions.") or "zzz" in ln] == foreign
    assert edited(once, edits[-1:]) == once
    for edit in edits[-1:]:
        assert (edit.session_id in is_noted(once)) == edit.present


@given(EDITS)
def test_a_note_is_toml_and_at_most_one_session_is_primary(edits: list[Edit]) -> None:
    text = edited("", edits)
    assert set(tomllib.loads(text).get("sessions", {})) == set(is_noted(text))
    assert sum(is_noted(text).values()) <= 1


@given(EDITS, EDITS)
def test_a_union_of_lines_is_read_without_repeats(a: list[Edit], b: list[Edit]) -> None:
    one, two = edited("", a), edited("", b)
    both = parse(f"{one}\n{two}\n{one}")
    assert {n.session_id for n in both} == set(is_noted(one)) | set(is_noted(two))
    assert len({n.session_id for n in both}) == len(both)


def test_a_line_reads_back() -> None:
    noted = Noted("939cc486-5bb3-4e44-aec8-5b7d00443063", "claude-code", True)
    assert line(noted) == 'sessions.939cc486-5bb3-4e44-aec8-5b7d00443063 = { agent = "claude-code", primary = true }'
    assert parse(line(noted)) == [noted]


def test_keys_that_a_later_version_adds_are_read_over() -> None:
    text = 'sessions.939cc486-5bb3-4e44-aec8-5b7d00443063 = { agent = "codex", primary = true, x = 1 }'
    assert [n.primary for n in parse(text)] == [True]
