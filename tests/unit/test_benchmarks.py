"""The benchmarks run, and what they print and write down is what they measured. Nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import table
from benchmarks.__main__ import SCENARIOS
from benchmarks.agent_hooks import AGENTS
from benchmarks.agents import CALLS, Agent
from benchmarks.harness import Amount, Command, Failed, Row, Table, Target, Variant, measure, rows
from tests.harness import ROOT


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *args], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.benchmarks
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_runs_and_prints_a_table(name: str, tmp_path: Path) -> None:
    done = run("--quick", "--dir", str(tmp_path), name)
    assert done.returncode == 0, done.stderr
    assert "the numbers mean nothing" in done.stdout
    assert "p10 – p90" in done.stdout


@pytest.mark.benchmarks
def test_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    run("--quick", "--dir", str(tmp_path), "no-session")
    assert list(tmp_path.iterdir()) == []


def test_a_quick_run_is_not_written_down(tmp_path: Path) -> None:
    done = run("--quick", "--markdown", str(tmp_path / "performance.md"))
    assert done.returncode == 2
    assert "whole run" in done.stderr


def test_a_name_that_is_no_scenario_is_refused() -> None:
    done = run("nothing")
    assert done.returncode == 2
    assert "use no-session, session" in done.stderr


def test_every_round_runs_each_variant_once() -> None:
    done: list[str] = []
    variants = [Variant(name, lambda name=name: done.append(name)) for name in "ab"]  # type: ignore[misc]
    times = measure(variants, 3, warm=1)
    assert [sorted(done[n : n + 2]) for n in range(0, 8, 2)] == [["a", "b"]] * 4
    assert [len(own) for own in times.values()] == [3, 3]


def test_preparation_and_check_are_not_timed() -> None:
    done: list[str] = []
    variant = Variant("one", lambda: done.append("run"), lambda: done.append("before"), lambda: done.append("after"))
    measure([variant], 1, warm=0)
    assert done == ["before", "run", "after"]


def test_the_ratio_is_the_median_of_each_rounds_own() -> None:
    row = Row("ours", [2.0, 30.0, 2.0], "plain", [1.0, 10.0, 2.0], Target(ratio=2))
    assert row.ratio == 2.0
    assert row.met


def test_a_target_in_milliseconds_is_missed_at_its_value() -> None:
    assert Row("ours", [0.001], target=Target(ms=1)).met is False
    assert Row("ours", [0.0009], target=Target(ms=1)).met is True
    assert Row("ours", [0.001]).met is None


def test_a_missed_target_is_shown_with_its_reason() -> None:
    missed = Row("ours", [3.0], "plain", [1.0], Target(ratio=2), "Because it is so.")
    shown = table.text([Table("A title", "A note.", [missed])])
    assert "not met" in shown
    assert "Not met: ours. Because it is so." in shown


def test_rows_are_compared_with_the_variant_named() -> None:
    plain, ours = rows({"plain": [1.0], "ours": [3.0]}, "plain", {"ours": Target(ratio=2)})
    assert not plain.baseline
    assert (ours.ratio, ours.met) == (3.0, False)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    for names in ((), ("api", "work")):
        begin, end = table.marks(names)
        document = f"before\n{begin}\nold\n{end}\nafter\n"
        assert table.replaced(document, "new", names) == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between"):
        table.replaced("nothing generated here\n", "new")


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    command = Command(tmp_path / "here", sys.executable, "-c", "raise SystemExit('it broke')")
    with pytest.raises(Failed, match="it broke"):
        command()


def test_a_command_tells_its_peak_memory(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    size = 40_000_000
    small = Command(tmp_path / "here", sys.executable, "-I", "-c", "pass").peak()
    large = Command(tmp_path / "here", sys.executable, "-I", "-c", f"bytearray(b'x') * {size}").peak()
    assert size * 0.9 < large - small < size * 2


def test_an_amount_is_judged_as_it_is_printed() -> None:
    assert Amount("speed", 4.96, "MB/s", least=5).met is True
    assert Amount("speed", 4.94, "MB/s", least=5).met is False
    assert Amount("memory", 150.2, "MB", most=150).met is False
    assert Amount("memory", 900, "MB").met is None


def test_an_amount_stands_in_a_table_with_its_target() -> None:
    shown = table.markdown([Table("A title", "A note.", [Amount("speed", 4.5, "MB/s", least=5, why="So.")])], [])
    assert "| speed | 4.5 MB/s |  |  | ≥ 5 MB/s | not met |" in shown
    assert "Not met: speed. So." in shown


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_the_agents_own_module_knows_its_calls(
    agent: type[Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from git_agent_session.agents import registry

    monkeypatch.setenv("HOME", str(tmp_path))
    played = agent(tmp_path, tmp_path / "file.txt", "00000000-1111-4222-8333-444444444444")
    for call in played.calls:
        payload = played.payload(call, "more")
        owner = registry.owner(agent.name, payload, played.env())
        assert owner is not None and agent.name == owner.NAME
        assert owner.translate(payload, played.env(), str(tmp_path)) is not None
    assert set(played.calls) & set(CALLS)


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_the_agents_own_module_reads_the_transcript(
    agent: type[Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from git_agent_session.agents import registry, transcripts

    monkeypatch.setenv("HOME", str(tmp_path))
    played = agent(tmp_path, tmp_path / "file.txt", "00000000-1111-4222-8333-444444444444")
    for name, value in played.env().items():
        monkeypatch.setenv(name, value)
    played.write(30_000)
    module = registry.load(agent.name)
    capture = module.translate(played.payload("stop"), played.env(), str(tmp_path)) if module else None
    assert module is not None and capture is not None
    source = module.sources(capture.notes["transcript"], played.env())[0]  # type: ignore[attr-defined]
    records = [record for record, _ in transcripts.reader(module)(source, None) if record is not None]
    agent_module: Any = module
    kept = [transcripts.stored(agent_module, record, source, transcripts.FULL) for record in records]
    assert sum(len(str(record)) for record in kept if record is not None) > 20_000
