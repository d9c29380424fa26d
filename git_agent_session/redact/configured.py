"""The redactor of one repository: the built-in rules, and what git's configuration says.

    agentSession.redact.pii       true: personal data too (e-mail addresses, telephone numbers, home folders)
    agentSession.redact.rule      name=regex, any number of times: more to take out
    agentSession.redact.allow     a value that stays, or /regex/ for such values; any number of times
    agentSession.redact.disable   the name of a built-in rule that is not used; any number of times

Every hook call asks, so git is not: `<git dir>/agent-session/redact.settings` keeps the answer, with how each file
looked that git read, or would read if it were there. Where one differs, or the environment does, git is asked again.
"""

from __future__ import annotations

import os

from git_agent_session.redact.engine import Redactor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from git_agent_session.git.discover import Location

CACHE = "redact.settings"
_FORMAT = "3"
_SECTION = "agentsession.redact."
# keys of other sections that hooks ask for
_OTHERS = {"agentsession.enabled": "enabled", "agentsession.brief": "brief", "agentsession.briefms": "briefms"}
# what says where git's configuration is, or is some of it (git-config(1))
_VARIABLES = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "PATH")


class Settings:
    """What git's configuration says; the values of keys that may be given many times in their order."""

    __slots__ = ("allow", "disable", "pii", "rules")

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """From keys, lower-cased and without their section, and values. Keys that are unknown count for nothing."""
        self.pii = False
        self.rules: list[str] = []
        self.allow: list[str] = []
        self.disable: list[str] = []
        for key, value in rows:
            if key == "pii":
                self.pii = _is_true(value)
            elif key in ("rule", "allow", "disable"):
                {"rule": self.rules, "allow": self.allow, "disable": self.disable}[key].append(value)


def redactor(location: Location, session_id: str = "", complain: Callable[[str], None] | None = None) -> Redactor:
    """The redactor for what is stored in this repository; with `session_id` its secrets are told apart by number.

    A rule of the user's that cannot be used is left out, and `complain` is told so in a line when the configuration
    was read anew: once, not on every call. It never raises; where git cannot be asked, the last answer counts.
    """
    from git_agent_session.errors import GitError
    from git_agent_session.ids import is_session_id

    try:
        settings, fresh = _settings(location)
    except GitError as e:
        # what was asked the last time is better than nothing; the built-in rules need no git
        settings, fresh = Settings(_cached(os.path.join(location.private, CACHE), None) or ()), False
        if complain is not None:
            complain(f"redaction goes by what git's configuration was the last time it could be read: {e.message}")
    name = None
    if is_session_id(session_id):
        from git_agent_session.redact.numbers import SessionNames

        name = SessionNames(location.shared, session_id)
    made, problems = assemble(settings, name)
    if fresh and complain is not None:
        for problem in problems:
            complain(problem)
    return made


def assemble(settings: Settings, name: Callable[[str, str], str] | None = None) -> tuple[Redactor, list[str]]:
    """The redactor that the settings describe, and a line for each of them that cannot be used."""
    problems: list[str] = []
    if not (settings.rules or settings.allow):
        return Redactor(off=frozenset(settings.disable), pii=settings.pii, name=name), problems
    from git_agent_session.redact import user

    values = []
    for value in settings.allow:
        try:
            user.Allowed([value])
            values.append(value)
        except user.Refused as e:
            problems.append(f"agentSession.redact.allow: {e}")
    rules = []
    for text in settings.rules:
        try:
            rules.append(user.rule(text))
        except user.Refused as e:
            problems.append(f"agentSession.redact.rule: {e}")
    allowed = user.Allowed(values) if values else None
    extra = user.UserRules(rules, allowed) if rules else None
    made = Redactor(off=frozenset(settings.disable), pii=settings.pii, allowed=allowed, name=name, extra=extra)
    return made, problems


def read(location: Location) -> Settings:
    """The settings in force. Raises GitError when git cannot be asked."""
    return _settings(location)[0]


def setting(location: Location, name: str) -> str:
    """The value of one of the other keys that hooks ask for (`_OTHERS`); "" for none, or where git cannot be asked."""
    from git_agent_session.errors import GitError

    # a hook's process lives for milliseconds: what it has asked for once is as it was
    key = location.private
    try:
        if key not in _seen:
            _seen[key] = _rows(location)
            _next[key] = _seen[key]
        return dict(_seen[key][0]).get(name, "")
    except GitError:
        return ""


# by the worktree's private folder: what `setting` goes by, and what it hands to the redactor that is made next
_seen: dict[str, tuple[list[tuple[str, str]], bool]] = {}
_next: dict[str, tuple[list[tuple[str, str]], bool]] = {}


def _settings(location: Location) -> tuple[Settings, bool]:
    """The settings, and whether git was asked for them."""
    asked = _next.pop(location.private) if location.private in _next else _rows(location)
    return Settings(asked[0]), asked[1]


def _rows(location: Location) -> tuple[list[tuple[str, str]], bool]:
    path = os.path.join(location.private, CACHE)
    env = _environment()
    rows = _cached(path, env)
    if rows is not None:
        return rows, False
    rows, files = _asked(location)
    # how the files look is taken down after git read them, so a change in between may be missed only if it leaves
    # number, size and time of the file as they were
    _keep(path, env, rows, files)
    return rows, True


def _environment() -> str:
    """A digest of what the environment says about git's configuration: it may hold secrets, so not the thing itself."""
    from _blake2 import blake2b

    found = [f"{k}={v}" for k, v in os.environ.items() if k in _VARIABLES or k.startswith("GIT_CONFIG")]
    return blake2b("\0".join(sorted(found)).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _cached(path: str, env: str | None) -> list[tuple[str, str]] | None:
    """What is kept, None where it is out of date; with `env` None whatever its age."""
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        if lines[-1] != "end" or not lines[0].startswith(f"{_FORMAT} {env or ''}"):
            return None
        rows = []
        for line in lines[1:-1]:
            kind, first, second = line.split(" ")
            if kind == "file" and env is not None and _look(os.fsdecode(bytes.fromhex(second))) != first:
                return None
            if kind == "set":
                rows.append((first, bytes.fromhex(second).decode("utf-8", "surrogateescape")))
        return rows
    except (OSError, ValueError):
        return None


def _look(path: str) -> str:
    """How a file looks: number, size, time of change; `-` for one that is not there."""
    try:
        stat = os.stat(path)
    except OSError:
        return "-"
    return f"{stat.st_ino}/{stat.st_size}/{stat.st_mtime_ns}"


def _keep(path: str, env: str, rows: Iterable[tuple[str, str]], files: Iterable[str]) -> None:
    from git_agent_session import live

    lines = [f"{_FORMAT} {env}"]
    lines += [f"file {_look(file)} {os.fsencode(file).hex()}" for file in files]
    lines += [f"set {key} {value.encode('utf-8', 'surrogateescape').hex()}" for key, value in rows]
    try:
        live.replace(path, "\n".join([*lines, "end"]))
    except OSError:
        return  # a repository that cannot be written: git is asked each time


def _asked(location: Location) -> tuple[list[tuple[str, str]], list[str]]:
    """From git: our keys with their values, and the files to watch. Raises GitError."""
    from git_agent_session.git.run import git

    mine = {k: v for k, v in os.environ.items() if k.startswith("GIT_CONFIG")}
    cwd = location.worktree if location.worktree and os.path.isdir(location.worktree) else location.git_dir
    mine["GIT_DIR"] = os.path.abspath(location.git_dir)
    listed = os.fsdecode(git("config", "--list", "--show-origin", "-z", cwd=cwd, env=mine)).split("\0")
    rows: list[tuple[str, str]] = []
    files = _usual(location)
    for origin, entry in zip(listed[::2], listed[1::2], strict=False):
        key, sep, value = entry.partition("\n")
        key = key.lower()
        file = os.path.join(cwd, origin[5:]) if origin.startswith("file:") else ""
        if file:
            files.append(file)
        if key.startswith(_SECTION):
            rows.append((key[len(_SECTION) :], value if sep else "true"))
        elif key in _OTHERS:
            rows.append((_OTHERS[key], value if sep else "true"))
        elif key == "include.path" or (key.startswith("includeif.") and key.endswith(".path")):
            # a file that is not there yet
            files.append(os.path.join(os.path.dirname(file), os.path.expanduser(value)))
            if ".onbranch:" in key or key.startswith("includeif.onbranch:"):
                files.append(os.path.join(location.git_dir, "HEAD"))
    return rows, list(dict.fromkeys(os.path.abspath(file) for file in files))


def _usual(location: Location) -> list[str]:
    """The files that git reads where they are there (git-config(1), FILES)."""
    home = os.path.expanduser("~")
    xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [
        os.environ.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig",
        *([given] if (given := os.environ.get("GIT_CONFIG_GLOBAL")) else []),
        os.path.join(xdg, "git", "config"),
        os.path.join(home, ".gitconfig"),
        os.path.join(location.common_dir, "config"),
        os.path.join(location.git_dir, "config.worktree"),
    ]


def _is_true(value: str) -> bool:
    """As git reads a boolean; what is none counts as true, since this one protects."""
    return value.strip().lower() not in ("false", "no", "off", "0", "")
