"""A real PostgreSQL server for tests: made in a folder of its own, on a socket, gone afterwards."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder of the newest server's programs: Debian keeps them out of PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(Path(p).parts[4]))
    on_path = shutil.which("initdb")
    return Path(found[-1]).parent if found else Path(on_path).parent if on_path else None


class Server:
    """A running server; `folder` holds its socket."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder = folder
        self.user = user
        self._databases = 0

    def url(self, database: str = "postgres", *, password: str = "") -> str:
        """The address of one of its databases."""
        secret = f":{password}" if password else ""
        return f"postgresql://{self.user}{secret}@/{database}?host={self.folder}"

    def database(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            # the name is ours
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def running(bin: Path) -> Iterator[Server]:
    """A server, run by an ordinary user: it refuses to be root's."""
    user = _ordinary_user()
    # below the folder that everybody may enter, which pytest's own is not
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        owner = {"user": user.pw_uid, "group": user.pw_gid} if user is not None else {}
        told = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, **owner}
        init = ["--auth=trust", "--username=tester", "--encoding=UTF8", "--no-sync", "-D", str(folder / "data")]
        subprocess.run([bin / "initdb", *init], check=True, stdout=subprocess.DEVNULL, **told)  # type: ignore[call-overload]
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=20"
        control = [str(bin / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        start = [*control, "-o", options, "-l", str(folder / "log"), "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, **told)  # type: ignore[call-overload]
        try:
            yield Server(folder, "tester")
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, **told)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ordinary_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
