"""The OpenAPI document is true: what is served is in it, and Schemathesis finds no answer that it does not promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from git_agent_session import work
from git_agent_session.store.store import Store
from git_agent_session.web import app
from tests.web.conftest import Client


def test_every_operation_is_in_the_document_and_has_a_name_of_its_own(client: Client) -> None:
    document = client.get("/openapi.json")
    assert document["openapi"].startswith("3.1.")
    assert document["servers"][0]["url"] == client.address.url
    told = {(m.upper(), path): o for path, found in document["paths"].items() for m, o in found.items()}
    known = app.operations()
    assert set(told) == {(o.method, o.path) for o in known} and len(told) == len(known)
    assert len({o["operationId"] for o in told.values()}) == len(told)
    assert document["security"] == [{"token": []}]


def test_what_the_document_refers_to_is_there(client: Client) -> None:
    document = client.get("/openapi.json")

    def refs(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(refs, value.values()))
        return set().union(*map(refs, value)) if isinstance(value, list) else set()

    for ref in refs(document):
        place = document
        for part in ref.removeprefix("#/").split("/"):
            place = place[part]


# what `\s` is in ECMA 262, and so in JSON Schema
WHITE = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def test_white_space_is_what_other_languages_take_for_it(client: Client, store: Store) -> None:
    body = client.get("/openapi.json")["paths"]["/api/v1/sessions/{id}/log"]["post"]["requestBody"]["content"]
    pattern = body["application/json"]["schema"]["properties"]["text"]["pattern"]
    theirs = pattern.replace(r"\s", WHITE).replace(r"\S", f"[^{WHITE}]")
    signs = [chr(n) for n in range(0x10000)]
    assert [c for c in signs if re.search(pattern, c)] == [c for c in signs if re.search(theirs, c)]
    path = f"/api/v1/sessions/{store.start(goal='x').id}/log"
    assert client("POST", path, {"type": "note", "text": "\x1c"}).status == 400
    assert client("POST", path, {"type": "note", "text": "\x1ca"}).status == 201


@pytest.mark.parametrize("text", ["(((", "*", "-", '"'])
def test_a_search_without_a_word_finds_nothing(client: Client, store: Store, text: str) -> None:
    store.start(goal="((( * - ")
    assert client.get(f"/api/v1/search?q={quote(text)}") == []


@pytest.mark.web
def test_schemathesis_finds_nothing(client: Client, store: Store, tmp_path: Path) -> None:
    """All of its checks, none left out, on examples at the edges of each schema and on random ones.

    Execute is off here: its streams have no schema that could be checked.
    """
    session = store.start(goal="for the fuzzer").id
    work.plans.set(store, session, "a plan")
    work.tasks.add(store, session, "a task", id="T1")
    tool = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    assert tool, "the dependency group web is not installed"
    # an address that is too long is 414 here, which it does not expect
    (tmp_path / "schemathesis.toml").write_text('[checks]\nnegative_data_rejection.expected-statuses = ["4xx"]\n')
    argv = [tool, "run", f"{client.address.url}/openapi.json", "-H", f"Authorization: Bearer {client.address.token}"]
    argv += ["--checks", "all", "--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1"]
    argv += ["--continue-on-failure", "--request-timeout", "60"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "Tested: " in done.stdout
