"""What a table was measured on: the machine, its load, and the versions of what takes part."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
from pathlib import Path


def description(folder: Path) -> list[tuple[str, str]]:
    """Names and values; `folder` is where the repositories are made."""
    import pygit2

    return [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("file system", file_system(folder)),
        ("load at the start", load()),
        ("git", _line("git", "--version").removeprefix("git version ")),
        ("sh", _sh()),
        ("python", platform.python_version()),
        ("pygit2", f"{importlib.metadata.version('pygit2')} (libgit2 {pygit2.LIBGIT2_VERSION})"),
        ("click", importlib.metadata.version("click")),
        ("sqlite", sqlite3.sqlite_version),
    ]


def load() -> str:
    """The load of the last 1, 5 and 15 minutes; a quiet machine of N cores is well below N."""
    return " ".join(f"{n:.2f}" for n in os.getloadavg())


def file_system(folder: Path) -> str:
    """The type of the file system that `folder` lies on, as the kernel names it."""
    best, kind = "", "unknown"
    here = os.path.realpath(folder)
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _line("stat", "-f", "%T", here) or kind
    for line in mounts:
        _, point, found, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")
        if len(point) >= len(best) and (here + "/").startswith(point.rstrip("/") + "/"):
            best, kind = point, found
    return kind


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return _line("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or "unknown"


def _sh() -> str:
    sh = shutil.which("sh") or "sh"
    return Path(os.path.realpath(sh)).name


def _line(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
