"""Events in the form that we write: told by an expression as the parser tells them, or left to the parser."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.bounds import MAX_CLOCK
from git_agent_session.model import Event
from git_agent_session.store import known_form
from git_agent_session.store.seen import LINKING

AT = "2026-01-01T00:00:00.000Z"
keys = st.text("abcdefghijklmnopqrstuvwxyz_-019", min_size=1, max_size=6)
scalars = st.one_of(st.text(max_size=8), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-1e9, 1e9))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(keys, scalars, max_size=2))
kinds = st.sampled_from(["commit", "unlink", "rewrite", "message", "tool", "start", "a/b.c"])
events = st.builds(
    Event,
    st.text("abcXYZ0189._-", min_size=1, max_size=12).filter(lambda t: t[0] != "."),
    st.just(AT),
    kinds,
    st.dictionaries(keys, values, max_size=4),
    st.integers(0, MAX_CLOCK + 1),
)


def slowly(data: bytes) -> tuple[int, list[Event]]:
    """What the parser makes of it. Raises ValueError."""
    rows = codec.event_rows(data)
    highest = max((Event.check(row) for row in rows), default=0)
    return highest, [Event.from_dict(row) for row in rows if row["kind"] in LINKING]


def cleaned(event: Event) -> Event:
    return Event(event.id, event.at, event.kind, codec.clean_value(event.data), event.clock)


@given(st.lists(events, max_size=4))
def test_what_is_taken_is_what_the_parser_says(given: list[Event]) -> None:
    data = codec.join(cleaned(event) for event in given)
    if (found := known_form.read(data)) is not None:
        assert found == slowly(data)


PIECES = [
    *(
        "[[event]]\n",
        "# end\n",
        "[event.agent]\n",
        "[event.id]\n",
        "[event]\n",
        "\n",
        " ",
        "\t",
        '"',
        "\\",
        "\r\n",
        "[",
        "]",
    ),
    *(
        'id = "s"\n',
        f'at = "{AT}"\n',
        'kind = "commit"\n',
        "clock = 1\n",
        'x = "a"\n',
        'x = "\\u0001"\n',
        "clock = 01\n",
    ),
    *(
        'x = "\\ud800"\n',
        "x = [\n    1,\n]\n",
        "x = [\n]\n",
        "x = []\n",
        "x = 1.5\n",
        "x = 1e5\n",
        "x = -0\n",
        "x.y = 1\n",
    ),
    *(
        '"x" = 1\n',
        "x = true\n",
        "x = 2026-01-01\n",
        'x = "\x7f"\n',
        'id = "../x"\n',
        'x = "é\u2028"\n',
        "# not the end\n",
    ),
]
WHOLE = f'[[event]]\nid = "s"\nat = "{AT}"\nkind = "commit"\nclock = 1\n'


@given(st.lists(st.sampled_from([WHOLE, "# end\n", *PIECES]), max_size=12).map("".join))
@example(f"{WHOLE}x = 1\nx = 1\n# end\n")
@example(f'{WHOLE}agent = 1\n[event.agent]\ntype = "x"\n# end\n')
@example(f'{WHOLE}[event.agent]\ntype = "x"\ntype = "x"\n# end\n')
@example(f"{WHOLE}[event.clock]\nx = 1\n# end\n")
@example(f"{WHOLE}clock = 1\n# end\n")
@example(f'{WHOLE}x = [\n    "a,\\n]",\n]\n# end\n')
def test_whatever_anybody_writes_is_taken_only_where_the_parser_takes_it(text: str) -> None:
    data = text.encode()
    if (found := known_form.read(data)) is not None:
        assert found == slowly(data)


def test_what_we_write_is_known() -> None:
    agent = Event("a", AT, "start", {"goal": 'say "hi"\n', "agent": {"type": "codex"}, "tags": ["x", "y"]}, 1)
    commit = Event("b", AT, "commit", {"commit": "1" * 40, "paths": ["a", "b"], "primary": True, "n": 1.5}, 2)
    found = known_form.read(codec.join([agent, commit]))
    assert found == (2, [commit]) and known_form.read(b"") == (0, [])


@pytest.mark.parametrize("data", [b"\xff", b"[[event]]\n", WHOLE.encode(), f"{WHOLE}# end".encode()])
def test_what_is_not_whole_is_not_known(data: bytes) -> None:
    assert known_form.read(data) is None


@pytest.mark.parametrize("text", ['x = "' + "\\\\" * 400_000, "x = [\n" + '    "a",\n' * 150_000, "x = 1\n" * 200_000])
def test_nothing_takes_longer_than_its_length(text: str) -> None:
    begun = time.process_time()
    known_form.read(f"{WHOLE}{text}".encode())
    assert time.process_time() - begun < 2
