"""Runs commands of the command line inside the test's own process: the same code as `repo.cli`, without the start-up.

What needs a process (encodings of the real streams, signals, a terminal) uses `repo.cli` or a pseudo-terminal instead.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session.cli.env import Env
from git_agent_session.cli.main import main
from tests.harness import Repo


@dataclass(frozen=True)
class Done:
    """What a command did: its exit status and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Cli:
    """`cli("status", "--json")` in the folder of a repository."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo

    def __call__(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
        tty: bool = False,
        code: int | None = 0,
    ) -> Done:
        """Run a command and check its exit `code` (None: whatever it is); with `tty` all streams are terminals."""
        kind = Terminal if tty else io.TextIOWrapper
        raw = io.BytesIO(), io.BytesIO()
        out, err = (kind(r, encoding="utf-8", errors="replace", write_through=True) for r in raw)
        stdin = kind(io.BytesIO(input or b""), encoding="utf-8")
        environ = {**os.environ, **(env or {})}
        world = Env(environ=environ, start=str(self.repo.path), out=out, err=err, input=stdin)
        with contextlib.redirect_stdout(out):
            status = main(args, world)
        done = Done(status, *(r.getvalue().decode("utf-8") for r in raw))
        if code is not None:
            assert done.code == code, f"{args} exited {done.code}\n{done.out}\n{done.err}"
        return done

    def start(self, *args: str) -> str:
        """Start a session without a snapshot; returns its id."""
        return self("start", "--no-context", "--quiet", *args).out.strip()

    def fails(self, *args: str, code: int = 1, input: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run what must fail: nothing on stdout, one line on stderr, which is returned."""
        done = self(*args, code=code, input=input, env=env)
        assert done.out == "", done.out
        assert done.err.startswith("error: "), done.err
        assert done.err.count("\n") == 1 and done.err.endswith("\n"), done.err
        return done.err
