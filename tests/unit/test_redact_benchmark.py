"""The measurement of redaction: what it plants, what it counts, and the least that redaction must find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import redaction
from git_agent_session.redact import Redactor
from tests.harness import ROOT


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nearly_every_planted_secret_is_found(seed: int) -> None:
    planted = redaction.planted(seed)
    assert len(planted) >= 120
    assert len(redaction.missed(planted)) <= 0.02 * len(planted)


def test_what_is_planted_is_drawn_by_the_seed() -> None:
    assert redaction.planted(1) == redaction.planted(1) != redaction.planted(2)
    assert all(p.secret in p.text for p in redaction.planted(1))


def test_a_secret_that_is_left_counts_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "Redactor", lambda: Redactor(off={"github-token", "npm-token"}))
    names = {p.name.split(" in ")[0] for p in redaction.missed(redaction.planted(1))}
    assert {"GitHub token", "npm token"} <= names


@pytest.mark.benchmarks
def test_one_command_prints_the_tables(tmp_path: Path) -> None:
    secret = "ghp" + "_" + "aB3dE6gH9" * 4
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": f"push {secret}"}) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.redaction", "--megabytes", "0.1", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "| all |" in done.stdout and "| source text | 0." in done.stdout
    assert "| transcripts, lines parsed | 0.0 | 1 |" in done.stdout


@pytest.mark.benchmarks
def test_the_tables_of_all_benchmarks_show_no_secret(tmp_path: Path) -> None:
    secret = "ghp" + "_" + "aB3dE6gH9" * 4
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": f"push {secret}"}) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "redaction", "--transcripts", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "real transcripts of 0.0 MB, as parsed records: taken for secrets    " in done.stdout
    assert secret not in done.stdout and str(tmp_path) not in done.stdout
