"""The journal as files: order, pieces that are torn, and reading on where the last look ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from git_agent_session import codec, journal
from git_agent_session.ids import timestamp
from git_agent_session.model import Doc, Event

SESSION = "939cc486-5bb3-4e44-aec8-5b7d00443063"


def event(name: str, at: str = "2026-01-01T00:00:00.000Z", text: str = "x") -> Event:
    return Event(name, at, "message", {"role": "user", "text": text})


def put(shared: Path, *events: Event) -> None:
    journal.append(str(shared), SESSION, events)


def live(shared: Path) -> Path:
    return shared / "journal" / f"{SESSION}.toml"


def hooked(shared: Path, commit: str, ns: int) -> None:
    path = shared / "journal" / f"{SESSION}.{commit}.toml"
    path.write_text(f'[[event]]\nid = "commit-{commit}"\nkind = "commit"\ncommit = "{commit}"\n# end\n')
    os.utime(path, ns=(ns, ns))


def order(shared: Path) -> list[str]:
    return [e.id for e in journal.read(str(shared), SESSION).events]


def test_a_clock_set_back_reorders_nothing_of_the_journal(tmp_path: Path) -> None:
    now = time.time_ns()
    hour = 3600 * 10**9
    put(tmp_path, event("pause", timestamp(now)))
    put(tmp_path, event("resume", timestamp(now - hour)), event("note", timestamp(now - hour + 10**9)))
    hooked(tmp_path, "a" * 40, now - hour + 2 * 10**9)
    assert order(tmp_path) == ["pause", "resume", "note", f"commit-{'a' * 40}"]


def test_a_git_hooks_events_are_put_in_by_their_time(tmp_path: Path) -> None:
    now = time.time_ns()
    minute = 60 * 10**9
    put(tmp_path, *(event(f"e{n}", timestamp(now + n * minute)) for n in range(4)))
    hooked(tmp_path, "b" * 40, now + 2 * minute + 10**9)
    hooked(tmp_path, "a" * 40, now - minute)
    hooked(tmp_path, "c" * 40, now + 9 * minute)
    commits = [f"commit-{c * 40}" for c in "abc"]
    assert order(tmp_path) == [commits[0], "e0", "e1", "e2", commits[1], "e3", commits[2]]


def test_journals_set_aside_come_in_the_order_they_were_written(tmp_path: Path) -> None:
    for n, name in enumerate(["ffffffff", "00000000"]):
        put(tmp_path, event(f"e{n}"))
        aside = tmp_path / "journal" / f"{SESSION}.drain-{name}.toml"
        live(tmp_path).rename(aside)
        os.utime(aside, ns=(n * 10**9, n * 10**9))
    put(tmp_path, event("e2"))
    assert order(tmp_path) == ["e0", "e1", "e2"]


@pytest.mark.parametrize("name", ["x\\ny", "", ".x", "a/b", "é", "x" * 201])
def test_an_event_with_a_bad_id_is_torn_and_the_others_count(tmp_path: Path, name: str) -> None:
    put(tmp_path, event("one"))
    with live(tmp_path).open("a") as f:
        f.write(f'\n[[event]]\nid = "{name}"\nat = "2026-01-01T00:00:00.000Z"\nkind = "note"\n# end\n')
    put(tmp_path, event("two"))
    pending = journal.read(str(tmp_path), SESSION)
    assert [e.id for e in pending.events] == ["one", "two"]
    assert len(pending.torn) == 1


def test_a_whole_journal_is_parsed_at_once_and_a_torn_one_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        put(tmp_path, event(f"e{n}"))
    parses: list[int] = []
    loads = codec.loads

    def counted(data: bytes) -> Doc:
        parses.append(len(data))
        return loads(data)

    monkeypatch.setattr(codec, "loads", counted)
    assert order(tmp_path) == [f"e{n}" for n in range(20)]
    assert len(parses) == 1
    with live(tmp_path).open("a") as f:
        f.write('\n[[event]]\nid = "cut')
    assert order(tmp_path) == [f"e{n}" for n in range(20)]
    assert len(parses) == 21


def test_two_events_in_one_frame_fall_back_to_pieces(tmp_path: Path) -> None:
    put(tmp_path, event("one"))
    with live(tmp_path).open("a") as f:
        f.write('\n[[event]]\nid = "two"\nat = "2026-01-01T00:00:00.000Z"\nkind = "x"\n [[event]]\nid = "3"\n# end\n')
    assert order(tmp_path) == ["one", "two"]


def test_reading_on_gives_what_was_added(tmp_path: Path) -> None:
    put(tmp_path, event("one"))
    mark = journal.read(str(tmp_path), SESSION).mark
    assert mark is not None
    put(tmp_path, event("two"))
    more = journal.read_on(str(tmp_path), SESSION, mark)
    assert more is not None and [e.id for e in more[0]] == ["two"]
    put(tmp_path, event("three"))
    last = journal.read_on(str(tmp_path), SESSION, more[1])
    assert last is not None and [e.id for e in last[0]] == ["three"]


def test_another_file_of_the_same_number_and_size_is_not_read_on(tmp_path: Path) -> None:
    put(tmp_path, event("one"))
    mark = journal.read(str(tmp_path), SESSION).mark
    assert mark is not None
    size = live(tmp_path).stat().st_size
    os.truncate(live(tmp_path), 0)
    put(tmp_path, event("two"))
    assert live(tmp_path).stat().st_size == size
    assert journal.read_on(str(tmp_path), SESSION, mark) is None


def test_what_is_torn_is_not_read_on(tmp_path: Path) -> None:
    put(tmp_path, event("one"))
    mark = journal.read(str(tmp_path), SESSION).mark
    assert mark is not None
    with live(tmp_path).open("a") as f:
        f.write('\n[[event]]\nid = "cut')
    assert journal.read_on(str(tmp_path), SESSION, mark) is None
    assert journal.read(str(tmp_path), SESSION).mark is None
