"""A session of any length as a timeline: what a page of it reads, where pages join, what came twice or late."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("pygments")

import itertools

import git_agent_session
from git_agent_session.agents.protocol import Item
from git_agent_session.agents.transcripts import ITEM
from git_agent_session.ids import new_event_id
from git_agent_session.model import Event, Session
from git_agent_session.report import timeline
from git_agent_session.report.timeline import Timeline
from git_agent_session.store import drain
from git_agent_session.store.reader import Reader
from git_agent_session.store.transcript import Chunk
from git_agent_session.web.viewer import export, pages, site, story
from git_agent_session.web.viewer.places import Place
from tests.harness import Repo


def at(second: float) -> str:
    return f"2031-05-01T{int(second) // 3600:02d}:{int(second) // 60 % 60:02d}:{second % 60:06.3f}Z"


@dataclass
class Long:
    """A session whose transcript is stored chunk by chunk, and a desk that shows it."""

    repo: Repo
    files: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = git_agent_session.open(str(self.repo.path))
        self.id = self.store.start(goal="long", agent="codex", activate=False).id
        self.desk = pages.Desk(self.store, site.Served())

    def chunk(self, rows: list[dict[str, Any]], source: str = "", *, lost: bool = False, timed: bool = True) -> None:
        """A chunk, a record for each row; written by `flush`."""
        data = "".join(json.dumps({"type": ITEM, "items": [row]}) + "\n" for row in rows).encode()
        times = {"first": rows[0]["at"], "last": rows[-1]["at"]} if timed else {}
        named = {"source": source} if source else {}
        event = Event(
            new_event_id(), rows[-1]["at"], "transcript", {"records": len(rows), "bytes": len(data), **named, **times}
        )
        self.events.append(event)
        if not lost:
            self.files[f"transcript/{event.id}.jsonl"] = data

    def event(self, second: float, kind: str, **data: Any) -> str:
        self.events.append(Event(new_event_id(), at(second), kind, data))
        return self.events[-1].id

    def flush(self) -> None:
        drain.drain(self.store.repo, self.id, drain.Extra(self.events, self.files))
        self.files, self.events = {}, []

    def story(self) -> story.Story:
        return self.desk.story(self.desk.refreshed(), self.store.get(self.id))

    @property
    def read(self) -> int:
        """How many chunks have been read."""
        return self.desk.reels[self.id].read()


def row(kind: str, second: float, text: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": more.pop("id", f"{kind}-{second}"), "at": at(second), "text": text, **more}


@pytest.fixture
def long(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Long:
    repo.commit("Begin")
    # small transcripts are read whole for their counts
    monkeypatch.setattr(story, "SMALL", 0)
    return Long(repo)


def fill(long: Long, chunks: int, rows: int = 10) -> None:
    for n in range(chunks):
        long.chunk([row("answer", n * rows + m, f"said {n * rows + m}.") for m in range(rows)])
    long.flush()


def walked(told: story.Story, choice: str = "", size: int = 7) -> Iterator[story.Page]:
    """All pages of a timeline."""
    here: story.At | None = story.At()
    while here is not None:
        yield (page := told.page(here, choice, size))
        here = page.next


def texts(told: story.Story, choice: str = "", size: int = 7) -> list[str]:
    found = []
    for page in walked(told, choice, size):
        for one in page.rows:
            entry = one.place.entry
            found.append((entry.text or entry.name) if entry is not None else one.place.kind)
    return found


# -- a page reads its own part


def test_the_first_page_of_a_long_session_reads_its_first_part_alone(long: Long) -> None:
    fill(long, 40, rows=60)
    page = pages.session(long.desk, long.id, {})
    assert "said 118." in page and "said 119." not in page  # the start is a row too
    assert long.read <= 4


def test_a_later_page_reads_what_it_shows_and_what_is_beside_it(long: Long) -> None:
    fill(long, 40, rows=60)
    page = pages.session(long.desk, long.id, {"from": "30-5"})
    assert "said 1805." in page and "said 1804." not in page
    assert long.read <= 5


def test_a_hit_of_a_search_opens_its_part_alone(long: Long) -> None:
    fill(long, 40)
    noted = long.event(255.5, "decision", text="keep it simple")
    long.flush()
    page = pages.session(long.desk, long.id, {"event": noted})
    assert "keep it simple" in page and "said 254." in page and "said 240." not in page
    # 120 rows are 12 chunks of this size
    assert long.read <= 16


def test_what_was_read_is_read_again_only_where_it_is_shown(long: Long, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(long, 12)
    told = long.story()
    assert texts(told) == ["start", *(f"said {n}." for n in range(120))]
    told.count()
    read: list[str] = []
    load = timeline.items

    def noted(reader: Reader, session: Session, chunk: Chunk) -> Iterator[Item]:
        read.append(chunk.event.id)
        return load(reader, session, chunk)

    monkeypatch.setattr(timeline, "items", noted)
    long.chunk([row("answer", 500, "the newest.")])
    long.flush()
    told = long.story()
    told.count()
    assert len(read) <= 5
    counts = told.counts()
    assert counts is not None and counts[""] == 122  # with the start


def test_a_choice_looks_through_a_bounded_part_and_goes_on_from_there(
    long: Long, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "LOOKED", 5)
    fill(long, 30)
    long.chunk([row("error", 900, "it broke.")])
    long.flush()
    first = pages.session(long.desk, long.id, {"show": "trouble"})
    assert "Nothing of it in this part" in first and 'id="more"' in first and long.read <= 7
    assert texts(long.story(), "trouble") == ["it broke."]


def test_counts_come_apart_from_the_page_and_are_right(long: Long) -> None:
    fill(long, 20)
    long.chunk(
        [
            row("call", 300, name="Bash", id="c1"),
            row("result", 301, "no", id="c1", outcome="error"),
            row("prompt", 302, "and now?"),
        ]
    )
    long.event(303, "commit", commit="f" * 40)
    long.flush()
    page = pages.session(long.desk, long.id, {})
    assert f'data-later="/sessions/{long.id}/counts"' in page and "<small>" not in page.partition('id="tabs"')[2][:900]
    counted = pages.counts(long.desk, long.id, {})
    for title, n in (("All", 204), ("Conversation", 201), ("Tools", 1), ("Commits", 1), ("Trouble", 1)):
        assert f"{title} <small>{n}</small>" in counted
    assert "84 left" in pages.session(long.desk, long.id, {})


# -- pages join


def test_pages_join_without_a_gap_forth_and_back(long: Long) -> None:
    fill(long, 9, rows=7)
    told = long.story()
    starts = [page.start for page in walked(told, size=10)]
    assert texts(told, size=10) == ["start", *(f"said {n}." for n in range(63))]
    for earlier, later in itertools.pairwise(starts):
        assert told.before(later, size=10) == earlier
    assert told.before(story.At()) == story.At()


@pytest.mark.parametrize("wish", ["999999-5", "3-9999999", "x", "-1", "1-²", "7"])
def test_a_start_that_cannot_be_shows_a_part_that_is_there(long: Long, wish: str) -> None:
    fill(long, 5)
    assert '<li class="item' in pages.session(long.desk, long.id, {"from": wish})
    assert '<li class="item' in pages.session(long.desk, long.id, {"before": wish})


@pytest.mark.parametrize("seed", range(12))
def test_all_pages_together_are_the_whole_timeline(long: Long, seed: int) -> None:
    """Subagents, things that were stored again, calls with late results, events: as `Timeline` has them."""
    rng = random.Random(seed)
    moment = 0.0
    waiting: list[str] = []
    said: list[dict[str, Any]] = []
    for n in range(rng.randrange(2, 9)):
        rows = []
        for m in range(rng.randrange(1, 9)):
            moment += rng.choice((1, 1, 2, 30))
            kind = rng.choice(("answer", "call", "result", "prompt"))
            if kind == "result" and waiting:
                rows.append(row("result", moment, f"out {n}.{m}", id=waiting.pop(rng.randrange(len(waiting)))))
            elif kind == "call":
                waiting.append(f"c{n}.{m}")
                rows.append(row("call", moment, name=f"tool {n}.{m}", id=waiting[-1]))
            else:
                rows.append(row("answer", moment, f"text {n}.{m}", id=f"a{n}.{m}"))
            if rng.random() < 0.15 and said:
                rows.insert(rng.randrange(len(rows)), {**rng.choice(said), "text": f"again {n}.{m}"})
        said += [r for r in rows if r["kind"] == "answer"]
        long.chunk(rows)
        if rng.random() < 0.5:
            begun = rng.uniform(0, moment)
            inner = [row("answer", begun + k, f"inner {n}.{k}", id=f"i{n}.{k}") for k in range(rng.randrange(1, 4))]
            long.chunk(inner, source=f"agent-{n}")
            if rng.random() < 0.4:
                long.chunk([row("answer", begun + 9, f"inner {n} end", id=f"i{n}.end")], source=f"agent-{n}")
    long.flush()
    told = long.story()
    told.count()
    results = {(p.entry.source, p.entry.id): p for p in _entries(told) if p.entry is not None and p.kind == "call"}
    expected = []
    for entry in Timeline(long.store, long.store.get(long.id)).entries():
        if entry.kind == "result" and (entry.source, entry.id) in results:
            told_beside = results[entry.source, entry.id].result
            assert told_beside is not None and told_beside.text == entry.text
        else:
            expected.append(entry.text or entry.name)
    shown = [p.entry.text or p.entry.name for p in _entries(told) if p.entry is not None]
    assert shown == expected
    assert texts(told, size=rng.randrange(1, 6)) == texts(told, size=1000)


def _entries(told: story.Story) -> list[Place]:
    return [one.place for page in walked(told, size=1000) for one in page.rows]


# -- what came twice or late


def test_a_result_in_the_next_chunk_stands_beside_its_call(long: Long) -> None:
    long.chunk([row("call", 1, name="Bash", id="c1")])
    long.chunk([row("result", 2, "done at last", id="c1"), row("answer", 3, "Good.")])
    long.flush()
    page = long.story().page(story.At())
    (call,) = [one.place for one in page.rows if one.place.kind == "call"]
    assert call.result is not None and call.result.text == "done at last"
    assert "result" not in [one.place.kind for one in page.rows]


def test_what_was_stored_again_comes_once_with_what_it_said_last(long: Long) -> None:
    long.chunk([row("prompt", 1, "one"), row("answer", 2, "half an ans", id="a")])
    long.chunk([row("answer", 2, "half an answer, and the rest", id="a"), row("prompt", 4, "two")])
    long.flush()
    assert texts(long.story())[1:4] == ["one", "half an answer, and the rest", "two"]


def test_show_all_leads_to_the_very_text(long: Long) -> None:
    long.chunk([row("prompt", 1, "one"), row("answer", 2, "x" * 7000 + "the end of it")])
    long.flush()
    page = pages.session(long.desk, long.id, {})
    address = page.partition(f"/sessions/{long.id}/text?")[2].partition('"')[0].replace("&amp;", "&")
    query = dict(part.split("=") for part in address.split("&"))
    assert "the end of it" not in page and "the end of it" in pages.text(long.desk, long.id, query)
    assert "is not here" in pages.text(long.desk, long.id, {"chunk": "../x", "item": "0"})


def test_a_chunk_that_is_gone_leaves_the_events_of_its_time(long: Long) -> None:
    fill(long, 3)
    long.chunk([row("answer", 31, "unreadable"), row("answer", 39, "too")], lost=True)
    long.event(35, "message", role="user", text="what the event says")
    long.event(15, "message", role="user", text="told by the transcript")
    long.chunk([row("answer", 45, "after it")])
    long.flush()
    page = pages.session(long.desk, long.id, {})
    assert "what the event says" in page and "told by the transcript" not in page
    assert page.index("said 29.") < page.index("what the event says") < page.index("after it")


def test_a_transcript_without_times_of_chunks_is_shown_once(repo: Repo) -> None:
    repo.commit("Begin")
    long = Long(repo)
    long.event(1, "message", role="user", text="the question")
    long.chunk([row("prompt", 1, "the question"), row("answer", 5, "the answer")], timed=False)
    long.event(3, "decision", text="decided between")
    long.flush()
    page = pages.session(long.desk, long.id, {})
    assert page.count("the question") == 1
    assert page.index("the question") < page.index("decided between") < page.index("the answer")


def test_rows_keep_their_ids_while_a_session_grows(long: Long) -> None:
    fill(long, 3)
    before = [one.place.id for one in long.story().page(story.At()).rows]
    long.chunk([row("answer", 12.5, "a subagent's")], source="a1")
    long.chunk([row("answer", 99, "later")])
    long.flush()
    after = [one.place.id for one in long.story().page(story.At()).rows]
    assert len(set(after)) == len(after)
    # chunks are numbered in the order of the session, in which a subagent's may come first
    kept = [i for i in after if i in set(before)]
    assert kept == before


# -- as files


def test_an_export_of_a_long_session_has_every_row_once(long: Long, tmp_path: Path) -> None:
    fill(long, 12, rows=30)
    export.write(long.store, str(tmp_path / "out"))
    here, seen = f"{long.id}.html", []
    while here:
        page = (tmp_path / "out" / "session" / here).read_text()
        seen += re.findall(r"said (\d+)\.", page)
        assert ("From the beginning" in page) == (here != f"{long.id}.html")
        link = re.search(r'id="more" rel="next" href="([^"]+)"', page)
        here = link[1] if link else ""
    assert list(map(int, seen)) == list(range(360))
