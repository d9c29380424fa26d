"""The OpenAPI document (3.1.1) of the operations: made from what checks each request, so that it is true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import git_agent_session
from git_agent_session.web import schemas as s
from git_agent_session.web.operations import Operation
from git_agent_session.web.problems import MEDIA_TYPE

VERSION = "3.1.1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document(operations: Iterable[Operation], servers: Iterable[str] = ()) -> dict[str, Any]:
    """The document for these operations, served at these addresses."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    problem = {"description": "What is wrong, and what to do next", "content": {MEDIA_TYPE: {"schema": s.PROBLEM}}}
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "git agent-session",
            "version": git_agent_session.__version__,
            "summary": "The sessions of coding agents in one git repository",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url} for url in servers],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": problem},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    out: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_path(operation), *(_query(k, v, k in operation.needed) for k, v in operation.query.items())],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        out["requestBody"] = {"required": not operation.body_optional, "content": content}
    return out


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [{"name": n, "in": "path", "required": True, "schema": s.PARAMETERS[n]} for n in operation.names]


def _query(name: str, schema: Mapping[str, Any], needed: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": name, "in": "query", "required": needed, "schema": schema}
    if schema.get("type") == "array":
        out |= {"style": "form", "explode": True}
    return out


def _responses(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": operation.gives}}
    if operation.also:
        content[operation.also] = {"schema": {"type": "string"}}
    done: dict[str, Any] = {"description": operation.summary, "content": content}
    out: dict[str, Any] = {str(operation.status): done}
    if "cursor" in operation.query:
        text = {"schema": {"type": "string"}}
        done["headers"] = {"ETag": {**text, "required": True}, "Link": text}
        out["304"] = {"description": "It is as the client has it", "headers": {"ETag": text}}
    problem = {"$ref": "#/components/responses/Problem"}
    return out | dict.fromkeys(("400", "401", "403", "404", "409", "default"), problem)
