"""Which repository sessions go to and come from, by the names and addresses that git knows.

Nothing here talks to it. What a user types is never taken for an option, and an address never shows its password.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.git.run import run
from git_agent_session.sync import words
from git_agent_session.sync.words import CONFIG

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository

# forges where a repository is public unless somebody chose otherwise; which it is cannot be seen from here
FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitea.com", "git.sr.ht", "gitee.com")

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*::?//|^[^/]+:|^[./~]|^[A-Za-z]:[\\/]|/")
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/@]*:[^/@]*@")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository to share with: `given` is what git is told, `url` where that leads, `key` its name in our refs."""

    given: str
    url: str
    key: str
    named: bool

    @property
    def shown(self) -> str:
        """For people: the name, or the address without its password."""
        return self.given if self.named else without_password(self.url)

    @property
    def tracking(self) -> str:
        """Where its sessions are fetched to; ends with a slash."""
        return words.tracking(self.key)

    @property
    def notes(self) -> str:
        """Where its notes are fetched to."""
        return words.noted(self.key)

    @property
    def host(self) -> str:
        """The host in its address, "" for a folder."""
        match = re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?\[?([^/:\]]+)", self.url)
        match = match or re.match(r"^(?:[^/@]*@)?([^/:]{2,}):", self.url)
        return match[1].lower() if match and not self.url.startswith("file:") else ""

    @property
    def looks_public(self) -> bool:
        """Whether it is on a forge for everybody. A private repository there looks the same: this is a reason to
        mention it, no knowledge.
        """
        return any(self.host == forge or self.host.endswith(f".{forge}") for forge in FORGES)


def find(repo: Repository, text: str = "") -> Remote:
    """The remote that `text` names: a name, an address, or "" for the one that is configured.

    That is agentSession.remote, else the remote of the branch, else the only one, else `origin`. Raises UsageError for
    what can be neither, AgentSessionError where there is none.
    """
    given = text or repo.config(CONFIG) or _default(repo)
    if given.startswith("-") or any(ord(c) < 32 or ord(c) == 127 for c in given) or given != given.strip():
        raise UsageError(f"{given[:80]!r} is no remote", hint="give a name that `git remote` lists, or an address")
    url = _url(repo, given)
    if url:
        return Remote(given, url, _key(given), True)
    if not _ADDRESS.search(given):
        raise AgentSessionError(
            f"there is no remote {given!r}", hint="`git remote -v` lists them, `git remote add NAME URL` makes one"
        )
    digest = hashlib.sha256(without_password(given).encode("utf-8", "surrogateescape")).hexdigest()
    return Remote(given, given, f"url-{digest[:16]}", False)


def without_password(url: str) -> str:
    """An address as it may be shown and stored."""
    return _USERINFO.sub(r"\1", url)


def folder(repo: Repository) -> str:
    """Where git is run: addresses may be relative to the top of the worktree."""
    return repo.location.worktree or repo.location.git_dir


def names(repo: Repository) -> list[str]:
    """The remotes of this repository."""
    said = run("remote", cwd=folder(repo), env=git_dir(repo)).stdout
    return said.decode("utf-8", "surrogateescape").splitlines()


def git_dir(repo: Repository) -> dict[str, str]:
    """What a git command in `folder` needs to find this very repository."""
    env = {"GIT_DIR": os.path.abspath(repo.location.git_dir)}
    if repo.location.worktree:
        env["GIT_WORK_TREE"] = os.path.abspath(repo.location.worktree)
    return env


def _url(repo: Repository, name: str) -> str:
    # git answers for any name, with the name itself
    done = run("remote", "get-url", "--push", "--", name, cwd=folder(repo), env=git_dir(repo), check=False)
    return done.stdout.decode("utf-8", "surrogateescape").strip("\n") if done.returncode == 0 else ""


def _default(repo: Repository) -> str:
    known = names(repo)
    if not known:
        raise AgentSessionError(
            "this repository has no remote", hint="`git remote add origin URL` makes one, or give an address"
        )
    head = run("symbolic-ref", "-q", "--short", "HEAD", cwd=folder(repo), env=git_dir(repo), check=False)
    branch = head.stdout.decode("utf-8", "surrogateescape").strip()
    of_branch = repo.config(f"branch.{branch}.remote") if branch else None
    if of_branch and of_branch in known:
        return of_branch
    return known[0] if len(known) == 1 or "origin" not in known else "origin"


def _key(name: str) -> str:
    """A name as one part of a ref: what git would not take there, or what would make two parts, as %XX."""
    if words.is_plain(name):
        return name
    raw = name.encode("utf-8", "surrogateescape")
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    return "".join(chr(b) if b in plain else f"%{b:02X}" for b in raw)
