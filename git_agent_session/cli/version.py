"""`version`: this program's version, and those of what it stands on."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@json_option
@pass_env
def command(env: Env, as_json: bool) -> None:
    """Print the version.

    And those of Python, git and pygit2, for a bug report."""
    import platform
    from importlib import metadata

    import git_agent_session
    from git_agent_session.cli.commands import PROGRAM
    from git_agent_session.git.run import git

    said = git("version", cwd=".").decode("utf-8", "replace").strip()
    versions = {
        "version": git_agent_session.__version__,
        "python": platform.python_version(),
        "git": said.removeprefix("git version "),
        "pygit2": metadata.version("pygit2"),
        "click": metadata.version("click"),
    }
    if as_json:
        env.json(versions)
    else:
        env.write(f"{PROGRAM} version {versions.pop('version')}")
        env.write(", ".join(f"{name} {version}" for name, version in versions.items()))
