"""Where it is measured: a sealed environment, a launcher as install.sh writes it, and repositories of a known shape.

Everything lies in one temporary folder. The package is copied there and compiled first, as an installation is: an edit
in the checkout meanwhile changes nothing, and no call has to compile.
"""

from __future__ import annotations

import compileall
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.harness import Command, Failed, Variant, nothing

if TYPE_CHECKING:
    from git_agent_session import Store

ROOT = Path(__file__).resolve().parent.parent
# where Linux keeps a file system in memory
MEMORY = Path("/dev/shm")
HOOKS = ("prepare-commit-msg", "post-commit", "post-rewrite", "post-merge")

_CONFIG = """[user]
	name = Ada Measurer
	email = ada@example.org
[init]
	defaultBranch = main
[gc]
	auto = 0
[advice]
	detachedHead = false
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: the real thing, or a quick look whether it all still runs."""

    files: int = 300
    journal: int = 5_000_000
    sessions: int = 1_000
    ended: int = 50
    notes: int = 50_000
    picks: int = 100
    transcripts: tuple[int, int] = (100_000, 70_000_000)
    listed: int = 100
    events: int = 100
    commits_rounds: int = 60
    first_rounds: int = 25
    rebase_rounds: int = 9
    process_rounds: int = 40
    hook_rounds: int = 25
    settle_rounds: int = 15
    api_rounds: int = 300
    source: float = 20.0
    shared: int = 10_000
    shared_rounds: int = 5
    crowd: int = 100_000


QUICK = Scale(30, 50_000, 12, 5, 200, 4, (10_000, 100_000), 10, 10, 2, 2, 2, 2, 2, 2, 3, 0.1, 12, 1, 12)


def seal(home: Path) -> None:
    """Replace this process's environment by one that holds nothing of the user's; before pygit2 is imported."""
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(_CONFIG)
    path = os.environ.get("PATH", os.defpath)
    os.environ.clear()
    os.environ.update(PATH=path, HOME=str(home), GIT_CONFIG_NOSYSTEM="1", TZ="UTC", LC_ALL="C.UTF-8")
    # what waits for a person fails
    os.environ["GIT_EDITOR"] = "false"


class World:
    """The temporary folder `root` and what is in it."""

    def __init__(self, root: Path, scale: Scale, launcher: Path | None = None) -> None:
        self.root = root
        self.scale = scale
        self.python = sys.executable
        self.git = shutil.which("git") or "git"
        # of real agents, where the user names some
        self.transcripts: tuple[Path, ...] = ()
        # where the largest repositories are kept, where they are asked for
        self.large: Path | None = None
        self._number = 0
        self.launcher = launcher or self._install()

    def _install(self) -> Path:
        packages = self.root / "packages"
        shutil.copytree(
            ROOT / "git_agent_session", packages / "git_agent_session", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(ROOT / "githooks", packages / "git_agent_session" / "githooks")
        compileall.compile_dir(packages, quiet=2)
        path = f"sys.path += [{str(packages)!a}, {sysconfig.get_path('purelib')!a}]"
        code = f"import sys; {path}; from git_agent_session.__main__ import main; sys.exit(main())"
        python = shlex.quote(self.python)
        launcher = self.root / "git-agent-session"
        launcher.write_text(f'#!/bin/sh\n[ -x {python} ] && exec {python} -I -S -c {shlex.quote(code)} "$@"\n')
        launcher.chmod(0o755)
        return launcher

    def file_systems(self) -> Iterator[tuple[Path, str]]:
        """The world's folder with the name of its file system, and one in memory where there is such a one."""
        here = machine.file_system(self.root)
        yield self.root, here
        if here != "tmpfs" and MEMORY.is_dir() and machine.file_system(MEMORY) == "tmpfs":
            folder = Path(tempfile.mkdtemp(prefix="git-agent-session-benchmark-", dir=MEMORY))
            try:
                yield folder, "tmpfs"
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def place(self, name: str, root: Path | None = None) -> Path:
        """A folder name that is not taken yet, below `root` (default: the world's)."""
        self._number += 1
        return (root or self.root) / f"{self._number:02d}-{name}"

    def repo(self, name: str = "repository", root: Path | None = None) -> Repo:
        """A repository of `files` files of 2 KB in folders of ten, all committed."""
        repo = Repo(self, self.place(name, root))
        repo.path.mkdir(parents=True)
        repo.call("init", "-q")
        for n in range(self.scale.files):
            target = repo.file(n)
            target.parent.mkdir(exist_ok=True)
            target.write_text(f"# file {n}\n" + f"{n} lines that say nothing\n" * 75)
        repo.call("add", ".")
        repo.call("commit", "-q", "-m", "All files")
        return repo


class Repo:
    """A repository to measure in."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.path = path
        self._edits = 0
        # what was changed last
        self.edited = path

    def file(self, n: int) -> Path:
        """The `n`th of its files."""
        return self.path / f"folder{n // 10 % 30}" / f"file{n}.txt"

    def call(self, *args: str, input: bytes = b"") -> str:
        """What `git ARGS` prints; raises Failed when git does."""
        done = subprocess.run([self.world.git, *args], cwd=self.path, input=input, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"git {' '.join(args)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").strip()

    def copy(self, name: str) -> Repo:
        """The same repository once more."""
        other = Repo(self.world, self.world.place(name, self.path.parent))
        shutil.copytree(self.path, other.path, symlinks=True)
        other.call("update-index", "-q", "--refresh")
        return other

    def store(self) -> Store:
        """Its sessions, by the API."""
        import git_agent_session

        return git_agent_session.open(str(self.path))

    def install(self) -> Repo:
        """Put our hooks into it, as `git agent-session install` does."""
        from git_agent_session.hooks import installer

        installer.install(str(self.path))
        return self

    def install_empty(self) -> Repo:
        """Put hooks into it that do nothing, in the place of ours."""
        folder = self.path / ".git" / "hooks"
        folder.mkdir(exist_ok=True)
        for name in HOOKS:
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
        return self

    def edit(self) -> None:
        """Change one file and stage it."""
        self._edits += 1
        target = self.edited = self.file(self._edits % self.world.scale.files)
        with target.open("a") as f:
            f.write(f"change {self._edits}\n")
        self.call("add", os.fspath(target))

    def commits(self, name: str, *message: str, check: Callable[[], None] = nothing) -> Variant:
        """The variant that commits one changed file here; `check` looks afterwards whether the work was done."""
        words = [w for part in message or ("Change a file",) for w in ("-m", part)]
        command = Command(self.path, self.world.git, "commit", "-q", *words)

        def before() -> None:
            self.edit()
            command.enter()

        return Variant(name, command, before, check)

    def linked(self, session_id: str) -> Callable[[], None]:
        """A check that the last commit has its trailer, its note and its event."""

        def check() -> None:
            head, *message = self.call("rev-list", "-1", "--format=%B", "HEAD").removeprefix("commit ").splitlines()
            event = self.path / ".git" / "agent-session" / "journal" / f"{session_id}.{head}.toml"
            note = self.call("notes", "--ref=agent-sessions", "show", head)
            if f"Agent-Session: {session_id}" not in message or session_id not in note or not event.exists():
                raise Failed(f"commit {head} in {self.path} is not linked")

        return check

    def unlinked(self) -> None:
        """Check that the last commit has none of that."""
        if "Agent-Session" in self.call("log", "-1", "--format=%B"):
            raise Failed(f"the last commit in {self.path} is linked, and no session is about")
