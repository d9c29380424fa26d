"""Sends spans to an OTLP/HTTP endpoint as JSON: nothing is sent unless a command names the place.

https://opentelemetry.io/docs/specs/otlp/#otlphttp and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/ for the variables. Redirects are not followed: headers may
hold a key that is for this server alone.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import git_agent_session
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.interchange import outside
from git_agent_session.model import Doc

PATH = "/v1/traces"
# bytes of a request before it is compressed, and of a response
MAX_REQUEST = 64 * 1024 * 1024
MAX_RESPONSE = 4 * 1024 * 1024
RETRYABLE = (429, 502, 503, 504)
TRIES = 5
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 32.0
# such as the page of a proxy that wants a password
_STRANGE = "the answer is none of OTLP's: look there whether the spans arrived"


class NotSent(AgentSessionError):
    """The endpoint did not take the spans."""

    code = "not-sent"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to send: the full URL of the traces, headers, seconds for one request, whether to compress it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    compress: bool = True

    @classmethod
    def parse(cls, url: str, env: Mapping[str, str]) -> Endpoint:
        """The endpoint `url`, or, where it is empty, that of the environment. Raises UsageError.

        A URL without a path gets `/v1/traces`, as `OTEL_EXPORTER_OTLP_ENDPOINT` does; that of
        `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is taken as it is.
        """
        if not url:
            url = _variable(env, "TRACES_ENDPOINT")
            if not url and (base := _variable(env, "ENDPOINT")):
                url = base.rstrip("/") + PATH
        if not url:
            raise UsageError(
                "no OTLP endpoint is named", hint="use otlp:URL, otlp:FILE, or set OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.username or parts.fragment or any(not c.isprintable() or c == " " for c in url):
            raise UsageError("the OTLP endpoint is no http or https URL", hint="such as http://localhost:4318")
        url = url if parts.path not in ("", "/") else parts._replace(path=PATH).geturl()
        headers = {**_headers(_variable(env, "HEADERS")), **_headers(_variable(env, "TRACES_HEADERS"))}
        compress = (_variable(env, "TRACES_COMPRESSION") or _variable(env, "COMPRESSION") or "gzip") == "gzip"
        return cls(url, headers, _timeout(env), compress)

    def shown(self) -> str:
        """The URL without its query, which may hold a key."""
        return urlsplit(self.url)._replace(query="").geturl()


def _variable(env: Mapping[str, str], name: str) -> str:
    return env.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()


def _timeout(env: Mapping[str, str]) -> float:
    """Seconds; the variable has milliseconds."""
    text = _variable(env, "TRACES_TIMEOUT") or _variable(env, "TIMEOUT")
    if not text:
        return 10.0
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise UsageError("OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds", hint="such as 10000")
    return max(int(text), 1) / 1000


def _headers(text: str) -> dict[str, str]:
    """`key=value,key=value`, the values percent-encoded. Raises UsageError, which does not repeat them."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, sep, value = part.partition("=")
        name, value = name.strip(), unquote(value.strip())
        fits = name.isascii() and name.replace("-", "").replace("_", "").isalnum() and value.isprintable()
        if not sep or not fits or not value.isascii():
            raise UsageError("OTEL_EXPORTER_OTLP_HEADERS cannot be read", hint="use key=value,key=value")
        found[name] = value
    return found


def send(endpoint: Endpoint, requests: Iterable[Doc]) -> tuple[int, list[str]]:
    """Send requests one after the other; returns how many were taken, and what the server said of any.

    One that the server cannot take now is tried again, up to five times, as long as it says. Raises NotSent.
    """
    count, said = 0, []
    for request in requests:
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(body) > MAX_REQUEST:
            said.append(f"a request of {len(body)} bytes was not sent: it is too large")
            continue
        answer = _sent(endpoint, gzip.compress(body, 6) if endpoint.compress else body)
        if answer is None and _STRANGE not in said:
            said.append(_STRANGE)
        partial = outside.table(outside.table(answer).get("partialSuccess"))
        if partial:
            rejected = outside.whole(partial.get("rejectedSpans"))
            said.append(f"{rejected} spans were rejected: {outside.text(partial.get('errorMessage'), 500)}")
        count += 1
    return count, said


def _sent(endpoint: Endpoint, body: bytes) -> Mapping[str, Any] | None:
    wait = _FIRST_WAIT
    for n in range(1, TRIES + 1):
        status, after, data = 0, "", b""
        try:
            status, after, data = _post(endpoint, body)
            problem, again = f"it answered {status}", status in RETRYABLE
        except (OSError, http.client.HTTPException) as e:
            # a certificate does not get better
            problem, again = str(e) or type(e).__name__, not isinstance(e, ssl.SSLError)
        if 200 <= status < 300:
            return _answer(data)
        if n == TRIES or not again:
            told = outside.text(outside.table(_answer(data)).get("message"), 300)
            more = f" ({told})" if told else ""
            raise NotSent(f"{endpoint.shown()} did not take the spans: {problem}{more}", hint="see docs/interchange.md")
        time.sleep(_wait(after, wait))
        wait = min(wait * 2, _LONGEST_WAIT)
    raise AssertionError("the last try returns or raises")


def _answer(data: bytes) -> Mapping[str, Any] | None:
    """The response, {} for an empty one, None for what is no JSON."""
    try:
        return outside.table(outside.value(data)) if data.strip() else {}
    except outside.Unreadable:
        return None


def _wait(after: str, wait: float) -> float:
    """Seconds until the next try: as the server says, else longer each time, not all clients at once."""
    after = after.strip()
    if after.isascii() and after.isdigit() and len(after) < 6:
        return min(float(after), 4 * _LONGEST_WAIT)
    try:
        return min(max(0.0, parsedate_to_datetime(after).timestamp() - time.time()), 4 * _LONGEST_WAIT)
    except (ValueError, TypeError, IndexError):
        return wait * (0.5 + random.random())


def _post(endpoint: Endpoint, body: bytes) -> tuple[int, str, bytes]:
    """One request; the status, `Retry-After`, and the body of the response. Raises OSError, HTTPException."""
    parts = urlsplit(endpoint.url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=endpoint.timeout)
    headers = {
        "User-Agent": f"git-agent-session/{git_agent_session.__version__}",
        **endpoint.headers,
        "Content-Type": "application/json",
        **({"Content-Encoding": "gzip"} if endpoint.compress else {}),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, headers)
        response = connection.getresponse()
        data = response.read(MAX_RESPONSE + 1)
        if len(data) > MAX_RESPONSE:
            raise NotSent(f"{endpoint.shown()} answered with more than 4 MiB", hint="is it an OTLP endpoint?")
        return response.status, response.getheader("Retry-After") or "", data
    finally:
        connection.close()
