"""An operation of the API: what it takes and gives as JSON Schema, and what it does.

The same schemas stand in the OpenAPI document and check each request, so the document cannot promise what is not so.
Bodies are JSON; a query's values are read by their schema. Nothing here knows a route.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from git_agent_session.store.store import Store
from git_agent_session.web.problems import Refused

Schema = Mapping[str, Any]

# seconds that a body may take to come
BODY_SECONDS = 30.0
_PARAMETER = re.compile(r"\{(\w+)\}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, checked: the names in its path, its query and its body (a table; empty where there is none)."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def session(self) -> str:
        """The session of the path."""
        return self.path["id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation gives: a value for JSON, with another status or further headers where it must."""

    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0


Do = Callable[[Store, Call], Any]
# for what is more than one call of a store; gets the parts that the application was made of
Endpoint = Callable[[Any, Request, Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. Either `do`, a call of a store in a worker, or `endpoint`."""

    method: str
    path: str
    name: str
    summary: str
    tag: str
    gives: Schema
    do: Do | None = None
    endpoint: Endpoint | None = None
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict)
    # names of the query that must be given
    needed: tuple[str, ...] = ()
    body: Schema | None = None
    body_optional: bool = False
    # of what it gives, besides JSON
    also: str = ""

    @property
    def records(self) -> bool:
        """True for what writes to a session; to delete one, or to end a run, is no recording."""
        return self.method in ("POST", "PATCH", "PUT")

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(_PARAMETER.findall(self.path))


class Checks:
    """The validators of an operation, made once."""

    def __init__(self, operation: Operation, parameters: Mapping[str, Schema]) -> None:
        self.operation = operation
        self._query = {name: Draft202012Validator(schema) for name, schema in operation.query.items()}
        self._path = {name: Draft202012Validator(parameters[name]) for name in operation.names}
        self._body = Draft202012Validator(operation.body) if operation.body is not None else None

    async def call(self, request: Request) -> Call:
        """The request as a Call. Raises Refused."""
        path = {name: str(request.path_params[name]) for name in self.operation.names}
        for name, value in path.items():
            _validate(self._path[name], value, f"{name} in the path", 404)
        query = self._read_query(request.query_params)
        return Call(path, query, await self._read_body(request))

    def _read_query(self, given: QueryParams) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name in dict.fromkeys(given):
            if name not in self._query:
                known = ", ".join(self._query) or "none"
                raise Refused(400, f"there is no parameter {name[:60]!r} here", hint=f"use {known}")
            out[name] = _typed(self.operation.query[name], given.getlist(name), name)
            _validate(self._query[name], out[name], name)
        if missing := next((name for name in self.operation.needed if name not in out), ""):
            raise Refused(400, f"the parameter {missing} is missing", hint=f"such as ?{missing}=…")
        return out

    async def _read_body(self, request: Request) -> Mapping[str, Any]:
        if self._body is None:
            return {}
        data = await _all_of(request)
        if not data and self.operation.body_optional:
            return {}
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise Refused(415, "the body must be JSON", hint="send it with `Content-Type: application/json`")
        value = parse(data)
        _validate(self._body, value, "the body")
        assert isinstance(value, dict)
        return value


def parse(data: bytes) -> Any:
    """JSON in UTF-8. Raises Refused for anything else, and for numbers that JSON does not have."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        said = "it is nested too deeply" if isinstance(e, RecursionError) else " ".join(str(e).split())[:120]
        raise Refused(400, f"the body is no JSON: {said}", hint="send a JSON object in UTF-8") from e


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


async def _all_of(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as e:
        raise Refused(408, "the body did not come in time", hint="try again") from e
    except ClientDisconnect as e:
        raise Refused(400, "the client went away before the body was complete") from e


def _typed(schema: Schema, values: list[str], name: str) -> Any:
    if schema.get("type") == "array":
        return list(values)
    if len(values) > 1:
        raise Refused(400, f"{name} is given more than once", hint="give it once")
    text = values[0]
    if schema.get("type") == "integer":
        if not _INTEGER.fullmatch(text):
            raise Refused(400, f"{name} is no whole number", hint=f"such as {name}=20")
        return int(text)
    if schema.get("type") == "boolean":
        if text not in ("true", "false"):
            raise Refused(400, f"{name} is neither true nor false", hint=f"such as {name}=true")
        return text == "true"
    return text


def _validate(validator: Draft202012Validator, value: Any, what: str, status: int = 400) -> None:
    try:
        error: ValidationError | None = next(validator.iter_errors(value), None)
    except RecursionError:
        raise Refused(400, f"{what} is nested too deeply", hint="send less") from None
    if error is None:
        return
    where = ".".join(str(p) for p in error.absolute_path)
    said = " ".join(error.message.split())
    said = said if len(said) <= 200 else f"{said[:200]}…"
    raise Refused(status, f"{what}{f', {where}' if where else ''}: {said}", hint="GET /openapi.json has what it may be")
