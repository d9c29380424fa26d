"""Who may ask the server: the token, its own name, no other page; and how much at once."""

from __future__ import annotations

import socket

import pytest

from git_agent_session.store.store import Store
from git_agent_session.web import guard
from tests.harness import Repo
from tests.web.conftest import Client, Reply, read

MUST = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def refused(reply: Reply, status: int) -> str:
    """Check that it is a refusal in the one form; returns what it says."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert {k: reply.headers[k] for k in MUST} == MUST
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    detail: str = reply.json["detail"]
    assert "\n" not in detail and reply.json["hint"]
    return detail


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer x", "Basic {token}", "bearer  {token}x", "{token}"])
def test_without_the_token_nothing_is_told(client: Client, given: str | None) -> None:
    headers = {"Authorization": given.format(token=client.address.token)} if given is not None else {}
    for path in ("/sessions", "/openapi.json", "/nothing"):
        connection = client.connect()
        connection.request("GET", path, headers={"Host": client.place, **headers})
        reply = read(connection.getresponse())
        refused(reply, 401)
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_the_token_lets_in_and_every_answer_is_secured(client: Client) -> None:
    reply = client("GET", "/sessions", status=200)
    assert {k: reply.headers[k] for k in MUST} == MUST
    assert "server" not in reply.headers
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "name", ["example.org", "127.0.0.1", "127.0.0.1:1", "localhost.example.org:{port}", "", "0.0.0.0:{port}"]
)
def test_a_page_by_a_name_of_its_own_that_points_here_is_refused(client: Client, name: str) -> None:
    port = client.place.rpartition(":")[2]
    refused(client("GET", "/sessions", headers={"Host": name.format(port=port)}), 421)


def test_where_recording_is_switched_off_only_what_reads_is_answered(client: Client, repo: Repo, store: Store) -> None:
    session = store.start(goal="keep").id
    repo.git("config", "agentSession.enabled", "false")
    assert "recorded" in refused(client("POST", "/api/v1/sessions", {"goal": "x"}), 409)
    assert "recorded" in refused(client("PATCH", f"/api/v1/sessions/{session}", {"goal": "x"}), 409)
    assert [s["id"] for s in client.get("/api/v1/sessions")] == [session]
    repo.git("config", "agentSession.enabled", "true")
    client("PATCH", f"/api/v1/sessions/{session}", {"goal": "other"}, status=200)


def test_it_answers_to_its_own_names(client: Client) -> None:
    port = client.place.rpartition(":")[2]
    for name in ("localhost", "LocalHost", "127.0.0.1", "[::1]"):
        client("GET", "/sessions", headers={"Host": f"{name}:{port}"}, status=200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_of_another_page_is_refused_even_with_the_token(client: Client, headers: dict[str, str]) -> None:
    refused(client("POST", "/sessions", {}, headers=headers), 403)
    assert client.get("/sessions") == []


def test_a_page_of_its_own_may_ask(client: Client) -> None:
    own = {"Origin": f"http://{client.place}", "Sec-Fetch-Site": "same-origin"}
    client("POST", "/sessions", {}, headers=own, status=201)


def test_a_preflight_gets_no_leave(client: Client) -> None:
    asked = {"Origin": "http://example.org", "Access-Control-Request-Method": "POST"}
    refused(client("OPTIONS", "/sessions", headers=asked), 403)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
def test_what_a_form_of_a_page_could_send_is_no_body(client: Client, media: str) -> None:
    reply = client("POST", "/sessions", headers={"Content-Type": media}, body=b'{"goal": "x"}')
    refused(reply, 415)
    assert client.get("/sessions") == []


def test_a_body_is_bounded_by_what_it_declares(client: Client) -> None:
    with socket.create_connection(client.place.split(":"), timeout=60) as raw:  # type: ignore[arg-type]
        raw.sendall(_head(client, f"Content-Length: {guard.MAX_BODY + 1}"))
        assert b" 413 " in raw.recv(65536).split(b"\r\n")[0]


def test_a_body_without_a_length_is_bounded_too(client: Client) -> None:
    with socket.create_connection(client.place.split(":"), timeout=60) as raw:  # type: ignore[arg-type]
        raw.sendall(_head(client, "Transfer-Encoding: chunked"))
        chunk = b"x" * 65536
        answer = b""
        try:
            for _ in range(guard.MAX_BODY // len(chunk) + 64):
                raw.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        except OSError:  # it has answered and closed
            pass
        answer = raw.recv(65536)
        assert b" 413 " in answer.split(b"\r\n")[0]


def _head(client: Client, more: str) -> bytes:
    lines = ["POST /sessions HTTP/1.1", f"Host: {client.place}", f"Authorization: Bearer {client.address.token}"]
    return "\r\n".join([*lines, "Content-Type: application/json", more, "", ""]).encode()


def test_headers_are_bounded(client: Client) -> None:
    many = {f"X-{n}": "x" for n in range(guard.MAX_HEADER_COUNT)}
    refused(client("GET", "/sessions", headers=many), 431)
    assert client("GET", "/sessions", headers={"X-Long": "x" * 2 * guard.MAX_HEADERS}).status in (400, 431)
    assert client.get("/sessions") == []


def test_an_address_is_bounded(client: Client) -> None:
    refused(client("GET", f"/sessions?user={'x' * guard.MAX_TARGET}"), 414)


NO_BODIES = {
    "empty": b"",
    "cut": b"{",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "no number": b'{"goal": NaN}',
    "a number": b'{"goal": 1}',
    "unknown": b'{"other": "x"}',
    "no UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "long": b'{"goal": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("body", NO_BODIES.values(), ids=NO_BODIES)
def test_a_body_that_is_none_is_refused(client: Client, body: bytes) -> None:
    refused(client("POST", "/api/v1/sessions/@/log", headers={"Content-Type": "application/json"}, body=body), 400)


def test_what_is_not_there_and_what_is_not_for_it(client: Client) -> None:
    assert "/nothing" in refused(client("GET", "/nothing"), 404)
    refused(client("GET", "/sessions/"), 404)
    reply = client("PUT", "/sessions", {})
    refused(reply, 405)
    assert set(reply.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "path", ["/sessions/../../etc/passwd", "/sessions/%2e%2e%2fx", "/sessions/@%7B-1%7D", "/sessions/zz"]
)
def test_a_name_that_is_no_session_is_not_found(client: Client, path: str) -> None:
    refused(client("GET", path), 404)
