"""A server, and two people with a clone each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sync.team import Clone, Team


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


@pytest.fixture
def ada(team: Team) -> Clone:
    clone = team.clone("ada")
    clone.commit("root")
    return clone


@pytest.fixture
def bob(team: Team) -> Clone:
    clone = team.clone("bob")
    clone.commit("root")
    return clone
