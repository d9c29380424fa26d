"""docs/mcp.md does not drift: its reference is made from the tables, and it names every agent that can be set up."""

from __future__ import annotations

from git_agent_session.agents.settings_mcp import SERVERS
from git_agent_session.mcp.document import document
from tests.harness import ROOT

TEXT = (ROOT / "docs/mcp.md").read_text(encoding="utf-8")
MARK = "<!-- made by git_agent_session.mcp.document.document(); a test compares -->\n"


def test_the_reference_is_up_to_date() -> None:
    assert TEXT.partition(MARK)[2].strip() == document().strip(), "put document() behind the mark in docs/mcp.md"


def test_every_place_of_a_server_is_named() -> None:
    for name, servers in SERVERS.items():
        for path in servers.files.values():
            assert path in TEXT, f"{name}: {path}"
