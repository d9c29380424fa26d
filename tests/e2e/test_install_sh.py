"""install.sh in a home of its own: what a new user runs first, and what is left after --uninstall.

The packages come from whatever index pip is set up for. One installation is shared by all tests that only look at it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import ROOT

pytestmark = pytest.mark.install

NAME = "git-agent-session"
MARK = b"git-agent-session launcher, written by install.sh"

# read before the seal: the developer's index and cache, and a Python that is no shim
REAL_HOME = Path.home()
PIP_CONFIGS = [
    REAL_HOME / p for p in (".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf")
]
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)

# pip asks rustc for its version, which may leave a note in the home
NOT_OURS = (".cache", ".rustup", "Library")

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder, and how install.sh and what it installs are run in it."""

    path: Path

    @property
    def bin(self) -> Path:
        return self.path / ".local/bin"

    @property
    def path_first(self) -> str:
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def env(self, **extra: str) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "PYTHON"))}
        env |= {
            "HOME": str(self.path),
            "PYTHON": BASE_PYTHON,
            "PIP_CACHE_DIR": str(REAL_HOME / ".cache/pip"),
            "SHELL": "/bin/sh",
        }
        config = next((c for c in PIP_CONFIGS if c.is_file()), None)
        if config and "PIP_CONFIG_FILE" not in env:
            env["PIP_CONFIG_FILE"] = str(config)
        return env | extra

    def run(self, *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
        return subprocess.run(
            argv,
            cwd=cwd or self.path,
            env=self.env(**(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def install(self, *args: str, **env: str) -> Done:
        return self.run(str(ROOT / "install.sh"), *args, env=env)

    def files(self) -> set[str]:
        """Every file and folder in this home that an installation could have put there."""
        found = (p.relative_to(self.path) for p in self.path.rglob("*"))
        return {str(p) for p in found if p.parts[0] not in NOT_OURS}

    def environments(self) -> list[str]:
        return [p.name for p in (self.path / ".local/share" / NAME).glob("env-*")]


@pytest.fixture
def fresh(tmp_path: Path) -> Home:
    """A home with a little in it already."""
    (tmp_path / "home/.local/bin").mkdir(parents=True)
    (tmp_path / "home/.local/bin/other").write_text("not ours\n")
    (tmp_path / "home/.profile").write_text("# mine\n")
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the one installation of this run, made by the first worker that needs it."""
    base = tmp_path_factory.getbasetemp()
    common = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"
    try:
        common.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 300
        while not (common / "done").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return common
    home = common / "home"
    home.mkdir()
    done = Home(home).install(GIT_CONFIG_NOSYSTEM="1")
    (common / "said").write_text(done.stdout)
    (common / "done").write_text(f"{done.returncode}\n{done.stderr}")
    return common


@pytest.fixture
def installed(shared: Path) -> Home:
    """Only to be looked at: other tests look at it too."""
    assert (shared / "done").read_text() == "0\n"
    return Home(shared / "home")


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Path]:
    """A PATH with what install.sh needs from the system but for git and Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in ("sh", "sed", "tr", "dirname", "cat", "rm", "grep"):
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    yield folder


def fake(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_launcher_runs_from_anywhere_with_nothing_of_the_users_python(installed: Home, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the folder was imported')\n")
    done = installed.run(str(installed.bin / NAME), "--version", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "0.1.0"


def test_git_finds_the_command(installed: Home) -> None:
    done = installed.run("git", "agent-session", "--version", env={"PATH": installed.path_first})
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.1.0" in done.stdout


def test_nothing_is_compiled_at_run_time(installed: Home) -> None:
    share = installed.path / ".local/share" / NAME
    sources = [p for p in share.rglob("*.py") if "git_agent_session" in p.parts]
    assert sources
    assert all(list((p.parent / "__pycache__").glob(f"{p.stem}.*.pyc")) for p in sources)


def test_the_hook_files_come_along(installed: Home) -> None:
    found = list(installed.path.rglob("git_agent_session/githooks/*"))
    assert {p.name for p in found} == {p.name for p in (ROOT / "githooks").iterdir()}


def test_completions_lie_where_bash_zsh_and_fish_look(installed: Home) -> None:
    share = installed.path / ".local/share"
    for name in (
        f"bash-completion/completions/{NAME}",
        f"zsh/site-functions/_{NAME}",
        f"fish/vendor_conf.d/{NAME}.fish",
    ):
        assert NAME in (share / name).read_text(), name


def test_the_man_page_lies_beside_the_bin_folder(installed: Home) -> None:
    page = installed.path / f".local/share/man/man1/{NAME}.1"
    assert page.read_bytes() == (ROOT / f"docs/man/{NAME}.1").read_bytes()


@pytest.mark.skipif(not shutil.which("man"), reason="no man here")
def test_git_help_opens_the_page(installed: Home) -> None:
    done = installed.run("git", "agent-session", "--help", env={"PATH": installed.path_first, "MANPAGER": "cat"})
    assert done.returncode == 0, done.stderr
    assert "GIT-AGENT-SESSION(1)" in done.stdout


def test_a_bin_folder_that_is_not_on_path_is_named_with_the_line_to_add(shared: Path, installed: Home) -> None:
    said = (shared / "said").read_text()
    assert f'    export PATH="{installed.bin}:$PATH"\n' in said
    assert str(installed.path / ".profile") in said


def test_the_output_is_one_line_a_step(shared: Path, installed: Home) -> None:
    said = (shared / "said").read_text().splitlines()
    assert len(said) == 6, said
    assert all(line.startswith((f"{NAME}: ", "    export ")) for line in said)


def test_it_leaves_the_checkout_as_it_was(installed: Home) -> None:
    assert not (ROOT / "build").exists()
    assert not list(ROOT.glob("*.egg-info"))


# a whole installation of its own
def test_a_prefix_with_spaces_and_a_dollar_works_and_uninstall_leaves_nothing(fresh: Home) -> None:
    before = fresh.files()
    prefix = fresh.path / "my tools, Ada's $HOME"
    done = fresh.install("--prefix", str(prefix))
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("    export PATH="))
    assert fresh.run("sh", "-c", f'{line.strip()}; echo "${{PATH%%:*}}"').stdout == f"{prefix / 'bin'}\n"
    version = fresh.run(str(prefix / "bin" / NAME), "--version")
    assert (version.returncode, version.stderr) == (0, "")
    done = fresh.install("--prefix", str(prefix), "--uninstall")
    assert done.returncode == 0, done.stderr
    assert "git agent-session uninstall" in done.stdout and "still open" in done.stdout
    assert fresh.files() == before


def test_a_second_run_replaces_the_first_and_one_uninstall_removes_both(installed: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    before = {".profile", ".local", ".local/bin", ".local/bin/other"}
    shutil.copytree(installed.path, home.path, symlinks=True)
    (home.bin / "other").write_text("not ours\n")
    (home.path / ".profile").write_text("# mine\n")
    manifest = home.path / ".local/share" / NAME / "manifest"
    manifest.write_text(manifest.read_text().replace(str(installed.path), str(home.path)))
    old = home.environments()

    done = home.install()
    assert done.returncode == 0, done.stderr
    assert len(home.environments()) == 1
    assert home.environments() != old
    assert home.environments()[0].encode() in (home.bin / NAME).read_bytes()

    assert home.install("--uninstall").returncode == 0
    assert home.files() == before


def test_a_failing_run_leaves_the_old_one_working(installed: Home) -> None:
    before = installed.files()
    done = installed.install(PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 1
    assert f"{NAME}: pip could not install the packages:" in done.stderr
    assert installed.files() == before
    assert installed.run(str(installed.bin / NAME), "--version").returncode == 0


def test_an_interrupted_run_leaves_nothing(fresh: Home) -> None:
    before = fresh.files()
    with subprocess.Popen(
        [str(ROOT / "install.sh")],
        env=fresh.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if "installing" in line:
                break
        assert fresh.environments()
        # to pip too, as ^C would be; that one is ignored where the tests run in the background
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) != 0
    assert fresh.files() == before


def test_uninstall_with_nothing_installed_says_so(fresh: Home) -> None:
    before = fresh.files()
    done = fresh.install("--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is installed" in done.stdout
    assert fresh.files() == before


def test_a_command_from_elsewhere_is_not_overwritten(fresh: Home) -> None:
    theirs = fresh.bin / NAME
    theirs.write_text("#!/bin/sh\necho theirs\n")
    before = fresh.files()
    done = fresh.install()
    assert done.returncode == 1
    assert "not from this installer" in done.stderr
    assert fresh.files() == before
    assert "theirs" in theirs.read_text()


def test_try_shows_the_main_job_and_keeps_its_repository(fresh: Home, tmp_path: Path) -> None:
    (fresh.path / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[core]\n\thooksPath = /nowhere\n\teditor = false\n[user]\n\tuseConfigOnly = true\n"
    )
    before = (fresh.path / ".gitconfig").read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = fresh.install("--try", TMPDIR=str(scratch))
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line[2:] for line in done.stdout.splitlines() if line.startswith("$ ")]
    for command in (
        "git init",
        "git agent-session install",
        "git agent-session start",
        "git agent-session log",
        "git agent-session metric",
        "git agent-session end",
        "git agent-session status",
        "git agent-session history",
        "git log --notes=agent-sessions",
        "git cat-file -p",
    ):
        assert any(line.startswith(command) for line in shown), command
    assert (fresh.path / ".gitconfig").read_bytes() == before

    repository = next(scratch.glob("*/greet"))
    assert str(repository) in done.stdout
    refs = fresh.run("git", "for-each-ref", "--format=%(refname)", "refs/agent-sessions", cwd=repository).stdout.split()
    assert len(refs) == 1
    state = fresh.run("git", "cat-file", "-p", f"{refs[0]}:session.toml", cwd=repository).stdout
    assert 'status = "completed"' in state
    assert "commits = 2" in state
    assert len(fresh.run("git", "notes", "--ref=agent-sessions", "list", cwd=repository).stdout.splitlines()) == 2


def test_an_old_python_is_refused_with_its_version(fresh: Home, tools: Path) -> None:
    fake(tools / "git", "echo git version 2.39.5")
    fake(tools / "python3", f"printf '3.9.2\\n{tools}/python3\\n{tools}/python3\\n'")
    before = fresh.files()
    done = fresh.install(PATH=str(tools), PYTHON="")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"{NAME}: Python is too old: {tools}/python3 is Python 3.9.2"
    assert fresh.files() == before


def test_a_python_without_venv_and_pip_gets_the_package_named(fresh: Home, tools: Path) -> None:
    fake(tools / "git", "echo git version 2.39.5")
    fake(tools / "apt-get", "exit 1")
    fake(
        tools / "python3",
        f'case $2 in *find_spec*) ;; *) printf "3.13.5\\n{tools}/python3\\n{tools}/python3\\n" ;; esac',
    )
    done = fresh.install(PATH=str(tools), PYTHON="")
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr


def test_a_missing_python_is_told_plainly(fresh: Home, tools: Path) -> None:
    fake(tools / "git", "echo git version 2.39.5")
    done = fresh.install(PATH=str(tools), PYTHON="")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{NAME}: Python is not installed\n")


@pytest.mark.parametrize("told", ["git version 2.29.3", "git version 1.9.1 (Apple Git-50)"])
def test_an_old_git_is_refused(fresh: Home, tools: Path, told: str) -> None:
    fake(tools / "git", f"echo '{told}'")
    done = fresh.install(PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{NAME}: git {told.split()[2]} is too old\n")


def test_an_unknown_argument_is_a_wrong_call(fresh: Home) -> None:
    done = fresh.install("--perfix", "x")
    assert done.returncode == 2
    assert "unknown argument: --perfix" in done.stderr


def test_a_launcher_whose_python_is_gone_does_not_stop_an_agent(installed: Home, tmp_path: Path) -> None:
    launcher = tmp_path / NAME
    text = (installed.bin / NAME).read_bytes()
    assert MARK in text
    launcher.write_bytes(text.replace(b"/bin/python", b"/bin/gone"))
    launcher.chmod(0o755)

    called = installed.run(str(launcher), "hook", "claude-code")
    assert (called.returncode, "run install.sh again" in called.stderr) == (0, True)
    assert installed.run(str(launcher), "status").returncode != 0


@pytest.mark.parametrize("given", ["nothing", "web,,ui", "we*", "web ui", "web]; x"])
def test_an_extra_that_there_is_not_is_refused_before_anything_is_made(fresh: Home, given: str) -> None:
    before = fresh.files()
    done = fresh.install("--with", given)
    assert done.returncode == 1
    assert "there is no extra" in done.stderr and "choose from" in done.stderr
    assert fresh.files() == before


def test_an_extra_is_kept_by_later_runs(fresh: Home) -> None:
    assert fresh.install("--with", "ui").returncode == 0
    for _ in range(2):
        (env,) = (fresh.path / ".local/share/git-agent-session").glob("env-*")
        done = fresh.run(str(env / "bin/python"), "-c", "import textual")
        assert done.returncode == 0, done.stderr
        assert fresh.install().returncode == 0
