"""The benchmarks run, and what they print and write down is what they measured. Nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.harness import Failed, Row, Table, Target, Variant, measure, rows
from tests.harness import ROOT


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *args], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["no-session", "session", "rebase", "agent-hook", "api", "command"])
def test_every_scenario_runs_and_prints_a_table(name: str, tmp_path: Path) -> None:
    done = run("--quick", "--dir", str(tmp_path), name)
    assert done.returncode == 0, done.stderr
    assert "the numbers mean nothing" in done.stdout
    assert "p10 – p90" in done.stdout


def test_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    run("--quick", "--dir", str(tmp_path), "command")
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
    document = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.replaced(document, "new") == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between"):
        table.replaced("nothing generated here\n", "new")


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    from benchmarks.harness import Command

    (tmp_path / "here").mkdir()
    command = Command(tmp_path / "here", sys.executable, "-c", "raise SystemExit('it broke')")
    with pytest.raises(Failed, match="it broke"):
        command()
