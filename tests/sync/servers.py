"""Real servers for the tests: sshd, nginx with git http-backend, and a proxy that makes a line slow or cuts it.

Each runs on a port of its own for one test and is ended by its own process id. Where a program is missing, the test is
skipped and says which.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
USER, PASSWORD = "ada", "open sesame"

_NGINX = """daemon off; error_log {root}/error.log; pid {root}/nginx.pid; worker_processes 1;
{user}
events {{ worker_connections 64; }}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi; client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      auth_basic git; auth_basic_user_file {root}/passwords;
      fastcgi_pass unix:{root}/cgi.sock;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_PROJECT_ROOT {repos}; fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param PATH_INFO $uri; fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
    }}
  }}
}}
"""


def program(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    found = shutil.which(name, path=PATH)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def running(log: Path, *argv: str, port: int = 0, path: Path | None = None) -> Iterator[None]:
    """A server process, from when it listens until the block ends."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "PATH": PATH}
        )
    try:
        for _ in range(200):
            if process.poll() is not None or _listens(port, path):
                break
            time.sleep(0.02)
        if process.poll() is not None or not _listens(port, path):
            pytest.skip(f"{argv[0]} does not run here: {log.read_text(errors='replace')[-300:]}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int, path: Path | None) -> bool:
    if path is not None:
        return path.exists()
    with socket.socket() as s:
        s.settimeout(0.2)
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def sshd(root: Path) -> Iterator[tuple[str, str]]:
    """A local sshd; gives the start of an address and the GIT_SSH_COMMAND that may log in."""
    daemon, _ = program("sshd"), program("ssh")
    if os.geteuid() == 0:
        # sshd of root wants this folder, which boot makes
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    root.mkdir()
    for name in ("host", "user"):
        subprocess.run(
            [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], check=True, timeout=30
        )
    (root / "authorized").write_text((root / "user.pub").read_text())
    port = free_port()
    (root / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    command = (
        f"ssh -F /dev/null -i {root}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    )
    with running(root / "log", daemon, "-D", "-e", "-f", str(root / "config"), port=port):
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}", command


@contextlib.contextmanager
def http(root: Path, repos: Path) -> Iterator[int]:
    """nginx before git http-backend, which asks for a password; gives its port."""
    nginx, wrap = program("nginx"), program("fcgiwrap")
    where = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    backend = Path(where) / "git-http-backend"
    if not backend.exists():
        pytest.skip("git http-backend is not installed")
    root.mkdir()
    port = free_port()
    (root / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    user = "user root root;" if os.geteuid() == 0 else ""
    (root / "conf").write_text(_NGINX.format(root=root, port=port, backend=backend, repos=repos, user=user))
    cgi = running(root / "cgi.log", wrap, "-s", f"unix:{root}/cgi.sock", path=root / "cgi.sock")
    argv = (nginx, "-p", str(root), "-e", str(root / "error.log"), "-c", str(root / "conf"))
    with cgi, running(root / "log", *argv, port=port):
        yield port


class Line:
    """A TCP proxy to a local port. `rate` is bytes a second (0: as fast as it goes); after `cut` bytes from the
    client the connection is gone (0: never).
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.rate = 0
        self.cut = 0
        self.passed = 0
        self.cuts = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
                for source, sink, out in ((client, there, True), (there, client, False)):
                    threading.Thread(target=self._pass, args=(source, sink, out), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, out: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if self.rate:
                    time.sleep(len(data) / self.rate)
                if out:
                    self.passed += len(data)
                if out and self.cut and self.passed > self.cut:
                    self.cuts += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def line(port: int) -> Iterator[Line]:
    """A `Line` to a port, until the block ends."""
    made = Line(port)
    try:
        yield made
    finally:
        made.close()
