"""Every form that an agent's settings can have: put in, brought up to date, taken out, others' entries untouched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import registry, settings
from git_agent_session.agents.settings_entries import Entries
from git_agent_session.agents.settings_place import Place
from git_agent_session.agents.setup import COMMAND, Setup
from git_agent_session.errors import HookConflict, NotARepository, UsageError
from git_agent_session.git.discover import Location, discover
from tests.harness import Repo

FILES = {"project": ".some/settings.json", "local": ".some/local.json", "user": "settings.json"}
GROUPS = Setup(
    program="some-agent",
    home=("SOME_HOME", ".some"),
    files=FILES,
    form="groups",
    events=("Start", "Stop"),
    handler=lambda command, event: {"type": "command", "command": command, "timeout": 20},
    matchers={"Start": "*"},
    also={"hooksConfig": {"enabled": True}},
)
LIST = replace(
    GROUPS,
    form="list",
    handler=lambda command, event: {"bash": f"{command} {event}", "timeoutSec": 20},
    matchers={},
    also={"version": 1},
)
FILE = Setup(
    program="some-agent",
    home=("SOME_HOME", ".some"),
    files={"project": ".some/plugins/ours.js", "user": "plugins/ours.js"},
    form="file",
    content=lambda command: f"// made by git-agent-session\nrun({json.dumps(command)})\n",
)
OURS = COMMAND.format(agent="some")


@pytest.fixture
def at(repo: Repo, tmp_path: Path) -> Location:
    found = discover(str(repo.path))
    assert found is not None
    return found


def place(at: Location | None, setup: Setup, name: str = "some") -> Place:
    return Place(name, setup, at, {"SOME_HOME": "/nowhere", "PATH": ""})


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# -- texts


@pytest.mark.parametrize("setup", [GROUPS, LIST])
def test_an_entry_for_each_event_is_added_once(setup: Setup) -> None:
    entries = Entries("some", setup)
    text = entries.added("")
    hooks = json.loads(text)["hooks"]
    assert list(hooks) == ["Start", "Stop"] and text.count("hook some") == 2
    assert entries.added(text) == text and entries.present(text)


def test_the_list_form_has_handlers_without_groups() -> None:
    doc = json.loads(Entries("some", LIST).added(""))
    assert doc == {
        "hooks": {e: [{"bash": f"{OURS} {e}", "timeoutSec": 20}] for e in ("Start", "Stop")},
        "version": 1,
    }


def test_a_matcher_stands_in_the_group_of_the_event_that_needs_one() -> None:
    hooks = json.loads(Entries("some", GROUPS).added(""))["hooks"]
    assert hooks["Start"][0]["matcher"] == "*" and "matcher" not in hooks["Stop"][0]


def test_what_else_the_document_needs_is_set_where_it_is_missing_and_left_where_it_is_not() -> None:
    entries = Entries("some", GROUPS)
    assert json.loads(entries.added("{}"))["hooksConfig"] == {"enabled": True}
    assert json.loads(entries.added('{"hooksConfig": {"x": 1}}'))["hooksConfig"] == {"x": 1, "enabled": True}
    assert json.loads(entries.added('{"hooksConfig": {"enabled": false}}'))["hooksConfig"] == {"enabled": False}


@pytest.mark.parametrize("setup", [GROUPS, LIST])
def test_a_file_in_which_nothing_else_is_left_goes(setup: Setup) -> None:
    entries = Entries("some", setup)
    assert entries.removed(entries.added("")) is None


def test_what_came_along_stays_as_long_as_the_hook_of_another_needs_it() -> None:
    entries = Entries("some", LIST)
    doc = json.loads(entries.added(""))
    doc["hooks"]["Stop"].append({"bash": "say done"})
    left = entries.removed(json.dumps(doc), None)
    assert left is not None and json.loads(left) == {"hooks": {"Stop": [{"bash": "say done"}]}, "version": 1}


def test_what_came_along_goes_when_it_is_known_that_it_was_not_there() -> None:
    entries = Entries("some", GROUPS)
    after = entries.added('{"theme": "dark"}').replace("dark", "light")
    left = entries.removed(after, '{"theme": "dark"}')
    assert left is not None and json.loads(left) == {"theme": "light"}


def test_what_was_there_before_stays() -> None:
    entries = Entries("some", LIST)
    before = '{"version": 1, "hooks": {"Stop": [{"bash": "say done"}]}}'
    left = entries.removed(entries.added(before), before)
    assert left is not None and json.loads(left) == json.loads(before)


@pytest.mark.parametrize("setup", [GROUPS, LIST])
def test_an_entry_of_an_older_version_is_replaced_and_one_that_stands_twice_stands_once(setup: Setup) -> None:
    entries = Entries("some", setup)
    doc = json.loads(entries.added(""))
    old: Any = {"command": "git-agent-session hook some", "bash": ""}
    doc["hooks"]["Stop"].append({"hooks": [old]} if setup.form == "groups" else old)
    doc["hooks"]["Gone"] = [{"hooks": [old]} if setup.form == "groups" else old]
    assert json.loads(entries.added(json.dumps(doc))) == json.loads(entries.added(""))


def test_the_hooks_of_an_agent_whose_name_begins_alike_are_not_ours() -> None:
    other = '{"hooks": {"Stop": [{"hooks": [{"command": "exec git-agent-session hook some-other"}]}]}}'
    entries = Entries("some", GROUPS)
    assert not entries.present(other) and entries.removed(other) == other


def test_comments_stay_in_place() -> None:
    before = """{
  // what we use
  "theme": "dark", /* or light */
  "hooks": {
    "Stop": [
      // tells me
      {"hooks": [{"type": "command", "command": "say done"}]},
    ],
  },
}
"""
    entries = Entries("some", GROUPS)
    after = entries.added(before)
    assert all(c in after for c in ("// what we use\n", "/* or light */", "// tells me\n"))
    assert entries.removed(after, before) == before


SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.text(max_size=4))
FOREIGN = st.fixed_dictionaries({"command": st.text(max_size=6)})


@st.composite
def documents(draw: st.DrawFn, form: str) -> dict[str, Any]:
    doc = draw(st.dictionaries(st.text(max_size=4).filter(lambda k: k not in ("hooks", "also")), SCALARS, max_size=3))
    hooks = {}
    for event in draw(st.lists(st.sampled_from(["Start", "Stop", "Other"]), max_size=3, unique=True)):
        entries = draw(st.lists(FOREIGN, min_size=1, max_size=3))
        hooks[event] = [{"hooks": [e]} for e in entries] if form == "groups" else entries
    return {**doc, **({"hooks": hooks} if hooks else {})}


@pytest.mark.parametrize("setup", [GROUPS, LIST])
@given(data=st.data())
def test_whatever_was_there_is_there_again(setup: Setup, data: st.DataObject) -> None:
    doc = data.draw(documents(setup.form))
    indent = data.draw(st.sampled_from([None, 2, "\t"]))
    before = json.dumps(doc, indent=indent)
    entries = Entries("some", setup)
    after = entries.added(before)
    assert entries.added(after) == after
    left = entries.removed(after, before)
    assert left is not None and json.loads(left) == doc
    if doc:
        assert left == before


@pytest.mark.parametrize("text", ['{"hooks": []}', '{"hooks": {"Stop": {}}}', "[]", "{", '{"a": 1, "a": 2}'])
def test_what_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(HookConflict):
        Entries("some", LIST).added(text)


# -- files


def test_a_file_of_our_own_is_written_and_goes_with_its_folders(at: Location, repo: Repo) -> None:
    settings.put(place(at, FILE), "project")
    path = repo.path / ".some/plugins/ours.js"
    assert OURS in path.read_text().replace('\\"', '"')
    assert [x.state for x in settings.look(place(at, FILE))] == [settings.ON, settings.OFF]
    assert settings.take(place(at, FILE), "project").action == "restored"
    assert not (repo.path / ".some").exists()


def test_a_file_of_our_own_from_an_older_version_is_brought_up_to_date_and_goes_all_the_same(
    at: Location, repo: Repo
) -> None:
    path = repo.path / ".some/plugins/ours.js"
    put(path, "// git-agent-session, of old\n")
    assert settings.look(place(at, FILE))[0].state == settings.OUTDATED
    settings.put(place(at, FILE), "project")
    assert "of old" not in path.read_text()
    settings.take(place(at, FILE), "project")
    assert not path.exists() and path.parent.exists()


def test_a_file_of_somebody_elses_by_our_name_is_left_alone(at: Location, repo: Repo) -> None:
    path = repo.path / ".some/plugins/ours.js"
    put(path, "mine()\n")
    with pytest.raises(HookConflict, match="it is not ours"):
        settings.put(place(at, FILE), "project")
    assert settings.take(place(at, FILE), "project").action == "unchanged"
    assert path.read_text() == "mine()\n"


def test_folders_that_hold_something_by_now_stay(at: Location, repo: Repo) -> None:
    settings.put(place(at, FILE), "project")
    put(repo.path / ".some/other", "")
    settings.take(place(at, FILE), "project")
    assert not (repo.path / ".some/plugins").exists() and (repo.path / ".some/other").exists()


def test_a_file_that_a_colleague_enabled_goes_when_nothing_else_is_in_it(at: Location, repo: Repo) -> None:
    path = repo.path / ".some/settings.json"
    put(path, Entries("some", LIST).added(""))
    assert settings.take(place(at, LIST), "project").action == "disabled"
    assert not path.exists()


def test_enabling_over_an_older_entry_and_disabling_leaves_none(at: Location, repo: Repo) -> None:
    path = repo.path / ".some/settings.json"
    put(path, '{"a": 1, "hooks": {"Stop": [{"hooks": [{"command": "git-agent-session hook some"}]}]}}')
    settings.put(place(at, GROUPS), "project")
    settings.take(place(at, GROUPS), "project")
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_scope_that_an_agent_has_not_is_refused_with_those_it_has(at: Location) -> None:
    with pytest.raises(UsageError, match="some has no local settings") as caught:
        settings.put(place(at, FILE), "local")
    assert caught.value.hint == "use no option or --user"


def test_outside_a_repository_there_are_the_users_settings_alone() -> None:
    assert place(None, GROUPS).scopes == ("user",)
    with pytest.raises(NotARepository):
        place(None, GROUPS).file("project")


def test_an_agent_that_is_not_there_shows_no_signs(at: Location) -> None:
    assert place(at, GROUPS).signs() == () and place(at, GROUPS).program() is None


def test_program_home_and_folder_are_signs_of_an_agent(at: Location, repo: Repo, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "some-agent"
    put(program, "#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "home").mkdir()
    (repo.path / ".some").mkdir()
    here = Place("some", GROUPS, at, {"SOME_HOME": str(tmp_path / "home"), "PATH": str(program.parent)})
    assert here.signs() == ("installed", "configured", "project")


def test_the_version_is_that_of_the_package_whose_program_it_is(at: Location, tmp_path: Path) -> None:
    package = tmp_path / "lib/node_modules/some"
    put(package / "dist/run.js", "#!/usr/bin/env node\n")
    (package / "dist/run.js").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/some-agent").symlink_to(package / "dist/run.js")
    here = Place("some", GROUPS, at, {"PATH": str(tmp_path / "bin")})
    put(package / "package.json", '{"version": "9.9.9", "bin": {"another": "x"}}')
    assert here.version() == ""
    put(package / "package.json", '{"version": "1.2.3", "bin": {"some-agent": "dist/run.js"}}')
    assert here.version() == "1.2.3"


# -- the agents there are


@pytest.mark.parametrize("name", registry.names())
def test_every_agent_can_be_enabled_and_leaves_no_trace(name: str, at: Location, repo: Repo) -> None:
    here = settings.place(name, at)
    for scope in here.scopes:
        assert settings.enable(name, at, scope).changed
        assert not settings.enable(name, at, scope).changed
        assert scope in settings.enabled(name, at)
    settings.disable(name, at)
    assert settings.enabled(name, at) == () and repo.git("status", "--porcelain") == ""
    assert [p.name for p in repo.path.iterdir()] == [".git"]


@pytest.mark.parametrize("name", registry.names())
def test_no_agent_is_enabled_by_the_hooks_of_another(name: str, at: Location) -> None:
    for other in registry.names():
        if other != name:
            settings.enable(other, at)
    assert settings.enabled(name, at) == ()
