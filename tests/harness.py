"""What the tests drive the project with: real repositories and real processes, nothing faked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Repo:
    """A real git repository in a folder of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def init(cls, path: Path, *args: str) -> Repo:
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        repo.git("init", "-q", "-b", "main", *args)
        return repo

    def run(
        self,
        *argv: str | os.PathLike[str],
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        check: bool = False,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run any command in the repository; text in and out, undecodable bytes kept as surrogates."""
        given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(
            [os.fspath(a) for a in argv],
            cwd=self.path,
            env={**os.environ, **(env or {})},
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            capture_output=True,
            timeout=timeout,
            check=False,
            **given,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{argv} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def git(
        self, *args: str, env: Mapping[str, str] | None = None, input: str | None = None, check: bool = True
    ) -> str:
        return self.run("git", *args, env=env, input=input, check=check).stdout.rstrip("\n")

    def cli(
        self, *args: str, env: Mapping[str, str] | None = None, input: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "git_agent_session", *args, env=env, input=input, check=check)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(
        self,
        message: str = "c",
        *args: str,
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Commit `files` (or nothing: an empty commit) with `-m message`; returns the commit's id."""
        if files:
            self.write(files)
            self.git("add", "--", *files)
        self.git("commit", "-q", "--allow-empty", "-m", message, *args, env=env)
        return self.git("rev-parse", "HEAD")

    def lines(self, *args: str) -> Sequence[str]:
        return self.git(*args).splitlines()
