"""Who wrote a line: decided from edits alone, and never in the agent's favour without one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import authorship
from git_agent_session.agents.authorship import AGENT, HUMAN, MIXED, UNKNOWN, Edit, Line, attribute, lines_of
from git_agent_session.agents.edits import is_quiet, made_by, patched


def kinds(before: str, after: str, *edits: Edit, certain: bool = True) -> dict[int, str]:
    found = attribute(lines_of(before), lines_of(after), edits, certain=certain)
    return {number: line.kind for number, line in found.items()}


def replaced(old: str, new: str, *, whole: bool = False, prompt: int = 1) -> Edit:
    return Edit("f", new, old, whole=whole, prompt=prompt)


# -- single cases


def test_a_file_that_the_agent_wrote_is_the_agents() -> None:
    assert kinds("", "one\ntwo\n", Edit("f", "one\ntwo\n")) == {1: AGENT, 2: AGENT}


def test_lines_that_were_there_before_are_nobodys_question() -> None:
    assert kinds("one\ntwo\n", "one\ntwo\nthree\n", Edit("f", "one\ntwo\nthree\n")) == {3: AGENT}


def test_a_line_beside_an_edit_is_a_persons() -> None:
    assert kinds("a\nb\n", "a\nbee\nperson's\n", replaced("b\n", "bee\n")) == {2: AGENT, 3: HUMAN}


def test_without_certainty_a_line_beside_an_edit_is_unknown() -> None:
    assert kinds("a\nb\n", "a\nbee\nsomebody's\n", replaced("b\n", "bee\n"), certain=False) == {2: AGENT, 3: UNKNOWN}


def test_a_line_of_which_the_agent_wrote_a_part_is_the_agents() -> None:
    assert kinds("x = call(1)\n", "x = call(2)\n", replaced("call(1)", "call(2)")) == {1: AGENT}


def test_an_agents_line_that_a_person_changed_is_mixed() -> None:
    edit = Edit("f", "def limit(rate):\n    return rate\n")
    assert kinds("", "def limit(rate, burst):\n    return rate\n", edit) == {1: MIXED, 2: AGENT}


def test_a_line_that_a_person_put_in_the_place_of_the_agents_is_a_persons() -> None:
    assert kinds("", "nothing of the kind at all\n", Edit("f", "x = 1\n")) == {1: HUMAN}


def test_an_edit_whose_place_a_person_had_changed_counts_by_its_whole_lines() -> None:
    edit = replaced("typed by a person\n", "typed by a person\nadded by the agent\nand this one\n")
    after = "start\ntyped by a person\nadded by the agent\nand this one\n"
    assert kinds("start\n", after, edit) == {2: HUMAN, 3: AGENT, 4: AGENT}


def test_the_part_of_a_line_that_an_edit_without_a_place_wrote_makes_it_mixed() -> None:
    assert kinds("", "value = compute_all(rate)\n", replaced("old_name", "compute_all")) == {1: MIXED}


def test_a_bracket_without_a_place_is_nobodys_for_sure() -> None:
    edit = replaced("gone\n", "gone\n}\nlonger line\n")
    assert kinds("a\n", "a\n}\nlonger line\n", edit) == {2: UNKNOWN, 3: AGENT}


def test_an_edit_that_was_committed_before_adds_nothing() -> None:
    assert kinds("new\n", "new\nnew\n", replaced("old", "new")) == {2: HUMAN}


def test_a_text_with_a_secret_taken_out_leaves_its_lines_unknown() -> None:
    edit = Edit("f", "key = '[redacted: aws-key]'\nplain = 1\n")
    assert kinds("", "key = 'AKIA1234'\nplain = 1\nmore\n", edit) == {1: UNKNOWN, 2: AGENT, 3: UNKNOWN}


def test_crlf_is_no_difference() -> None:
    assert kinds("a\r\nb\r\n", "a\r\nbee\r\nc\r\n", replaced("b\n", "bee\n")) == {2: AGENT, 3: HUMAN}


def test_every_place_is_changed_where_the_edit_says_so() -> None:
    edit = Edit("f", "new", "old", everywhere=True)
    assert kinds("old 1\nkeep\nold 2\n", "new 1\nkeep\nnew 2\n", edit) == {1: AGENT, 3: AGENT}


def test_the_last_of_two_edits_of_a_line_counts() -> None:
    edits = [replaced("one", "two", prompt=1), replaced("two", "three", prompt=2)]
    assert attribute(["one"], ["three"], edits, certain=True) == {1: Line(AGENT, 2)}


def test_a_file_that_is_too_long_is_not_looked_at() -> None:
    long = ["x"] * (authorship.MOST_LINES + 1)
    assert attribute([], long, [Edit("f", "\n".join(long))], certain=True) == {}


def test_two_long_texts_without_a_common_line_take_no_time() -> None:
    before, after = [f"a{n}" for n in range(9000)], [f"b{n}" for n in range(9000)]
    found = attribute(before, after, [], certain=True)
    assert set(found.values()) == {Line(HUMAN)} and len(found) == 9000


@pytest.mark.parametrize(
    ("after", "edits"),
    [
        (["}", "b"] * 1000, [Edit("f", "b\n}\na\n" * 700)]),
        (
            ["abcd" * 200 + str(n) for n in range(4000)],
            [Edit("f", "".join(f"{'dcba' * 200}{n}\n" for n in range(4000)))],
        ),
        ([f"line {n}" for n in range(20_000)], [Edit("f", f"part{n} " * 5, "gone") for n in range(3000)]),
        ([f"line {n}" for n in range(20_000)], [Edit("f", f"new {n}", f"line {n}\n") for n in range(3000)]),
    ],
)
def test_texts_made_to_be_slow_are_not(after: list[str], edits: list[Edit]) -> None:
    begun = time.process_time()
    attribute(["a", "}"] * 1000, after, edits, certain=True)
    # seconds; without bounds these take minutes
    assert time.process_time() - begun < 20


# -- any edits


_WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta", "", "}", "  if x:"])
_TEXTS = st.lists(_WORDS, max_size=8).map(lambda rows: "".join(f"{row}\n" for row in rows))
_PERSONS = st.lists(st.integers(0, 99).map(lambda n: f"HUMAN{n}"), max_size=5)
_EDITS = st.lists(
    st.builds(
        Edit,
        path=st.just("f"),
        new=_TEXTS | _WORDS,
        old=st.none() | _TEXTS | _WORDS,
        everywhere=st.booleans(),
        whole=st.booleans(),
        prompt=st.integers(0, 5),
    ),
    max_size=6,
)


@given(_TEXTS, _TEXTS, _PERSONS, st.integers(0, 8), _EDITS, st.booleans())
def test_no_line_is_the_agents_that_no_edit_holds(
    before: str, kept: str, typed: list[str], place: int, edits: list[Edit], certain: bool
) -> None:
    after = lines_of(kept)
    after[place:place] = typed
    written = {text for e in edits for text in lines_of(e.new)}
    for number, line in attribute(lines_of(before), after, edits, certain=certain).items():
        text = after[number - 1]
        assert not (text.startswith("HUMAN") and line.kind in (AGENT, MIXED)), (text, line)
        if line.kind == AGENT:
            assert any(part in text for part in written) or text == ""
        if not certain:
            assert line.kind != HUMAN


@given(_TEXTS, _TEXTS, st.booleans())
def test_without_any_edit_nothing_is_the_agents(before: str, after: str, certain: bool) -> None:
    found = set(kinds(before, after, certain=certain).values())
    assert found <= ({HUMAN} if certain else {UNKNOWN})


@given(_TEXTS, _TEXTS)
def test_what_the_agent_wrote_whole_is_all_the_agents(before: str, after: str) -> None:
    assert set(kinds(before, after, Edit("f", after)).values()) <= {AGENT}


# -- the forms of edits


def test_a_patch_is_read_hunk_by_hunk() -> None:
    patch = (
        "*** Begin Patch\n*** Update File: a.py\n@@ def f\n one\n-two\n+2\n@@\n-three\n+3\n"
        "*** Add File: b.py\n+new\n*** Delete File: c.py\n*** End Patch\n"
    )
    found = list(patched(patch))
    assert found == [("a.py", "one\ntwo\n", "one\n2\n"), ("a.py", "three\n", "3\n"), ("b.py", None, "new\n")]


PATCH = "*** Begin Patch\n*** Update File: a\n@@\n-old\n+new\n*** End Patch"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"file_path": "a", "content": "new"}, [("a", None, "new")]),
        ({"path": "a", "file_text": "new"}, [("a", None, "new")]),
        ({"file_path": "a", "old_string": "old", "new_string": "new"}, [("a", "old", "new")]),
        ({"filePath": "a", "oldString": "old", "newString": "new"}, [("a", "old", "new")]),
        ({"path": "a", "old_str": "old", "new_str": "new"}, [("a", "old", "new")]),
        ({"path": "a", "edits": [{"oldText": "old", "newText": "new"}]}, [("a", "old", "new")]),
        ({"input": PATCH}, [("a", "old\n", "new\n")]),
        ({"command": ["apply_patch", PATCH]}, [("a", "old\n", "new\n")]),
        ({"file_path": "a", "insert_line": 3, "insert_text": "new"}, []),
        *(({"command": "ls"}, []), ({"file_path": 3, "content": []}, []), ({}, [])),
    ],
)
def test_every_agents_arguments_are_understood(given: dict[str, Any], found: list[tuple[str, str | None, str]]) -> None:
    assert [(e.path, e.old, e.new) for e in made_by(given, "", 1)] == found


@pytest.mark.parametrize(
    ("command", "quiet"),
    [
        *(("git add -A && git commit -m 'x'", True), ("ls -la | grep x", True), ("git diff 2>&1 | head", True)),
        *(("git checkout -- f", False), ("echo x > f", False), ("make", False), ("cat $(make)", False), ("", False)),
        *(("sed -i s/a/b/ f", False), ("env X=1 make", False), ("git diff --output=f", False), ("tee f", False)),
    ],
)
def test_what_a_command_of_the_shell_may_have_written(command: str, quiet: bool) -> None:
    assert is_quiet(command) is quiet
