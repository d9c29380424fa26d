"""What git and a server can do to commits that a session has made: one function for each operation.

Each gets a `Case`: three commits `a`, `b`, `c` of a session on `topic`, which has ended, and one by hand on `main`. It
returns the revisions that must belong to the session afterwards. Nothing else on any branch may.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

NONE = {"GIT_AGENT_SESSION": "none"}
QUIET = {"GIT_EDITOR": "true"}
SERVER = {
    "GIT_COMMITTER_NAME": "Server",
    "GIT_COMMITTER_EMAIL": "noreply@server.invalid",
    "GIT_AUTHOR_NAME": "Ada Tester",
    "GIT_AUTHOR_EMAIL": "ada@users.server.invalid",
}
LINES = "".join(f"line {n}\n" for n in range(30))


@dataclass
class Case:
    """The repository, its session, and the bare repository that it pushes to."""

    repo: Repo
    store: Store
    session: str
    folder: Path
    trailer: bool
    commits: dict[str, str] = field(default_factory=dict)

    def git(self, *args: str, env: Mapping[str, str] | None = None, check: bool = True, input: str = "") -> str:
        return self.repo.git(*args, env={**NONE, **QUIET, **(env or {})}, check=check, input=input or None)

    def by_hand(self, name: str, files: Mapping[str, str]) -> str:
        return self.repo.commit(name, files=files, env={**NONE, **at(200)})

    def todo(self, script: str) -> dict[str, str]:
        """An editor that changes a rebase's list by a sed script."""
        path = self.folder / "todo-editor"
        path.write_text(f'#!/bin/sh\nsed -e "{script}" "$1" >"$1.x" && mv "$1.x" "$1"\n')
        path.chmod(0o755)
        return {"GIT_SEQUENCE_EDITOR": str(path)}

    def conflict(self) -> None:
        """Make `main` touch the line that `b` has changed."""
        self.git("checkout", "-q", "main")
        self.by_hand("in the way", {"shared": LINES.replace("line 12\n", "line twelve\n")})

    def resolved(self) -> None:
        self.repo.write({"shared": LINES.replace("line 12\n", "line 12 of both\n")})
        self.git("add", "shared")

    def bare(self) -> Repo:
        """A server's repository with both branches; `origin` here."""
        path = self.folder / "server.git"
        self.git("init", "-q", "--bare", str(path))
        self.git("remote", "add", "origin", str(path))
        self.git("push", "-q", "-u", "origin", "main", "topic")
        return Repo(path)

    def message(self) -> str:
        """What a server proposes for a squash: the messages of the commits one after the other."""
        texts = [self.git("log", "-1", "--format=%B", c) for c in self.commits.values()]
        return "Add the topic (#1)\n\n" + "\n\n".join(f"* {t}" for t in texts)


def at(seconds: int) -> dict[str, str]:
    """The environment of a commit that was made so many seconds ago."""
    stamp = f"{int(time.time()) - seconds} +0000"
    return {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}


def prepare(case: Case) -> None:
    """Fill the repository: `base` by hand, then the session's commits on `topic`, then `more` by hand on `main`."""
    case.repo.commit("base", files={"shared": LINES}, env={**NONE, **at(2000)})
    case.git("checkout", "-q", "-b", "topic")
    for number, name in enumerate("abc"):
        files = {name: f"{name}\n"}
        if name == "b":
            files["shared"] = LINES.replace("line 12\n", "line 12 of the session\n")
        case.commits[name] = case.repo.commit(f"{name}: work", files=files, env=at(1000 - number))
    case.store.end(case.session)
    case.git("checkout", "-q", "main")
    case.repo.commit("more", files={"other": "other\n"}, env={**NONE, **at(500)})
    case.git("checkout", "-q", "topic")


Operation = Callable[[Case], list[str]]
OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS[name] = function
        return function

    return register


TOPIC = ["topic~2", "topic~1", "topic"]


@operation("`commit --amend`")
def _amend(case: Case) -> list[str]:
    case.repo.write({"c": "better\n"})
    case.git("commit", "-q", "-a", "--amend", "-m", "c: better work")
    return TOPIC


@operation("`commit --amend`, hooks off")
def _amend_without_hooks(case: Case) -> list[str]:
    case.repo.write({"c": "better\n"})
    case.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-a", "--amend", "--no-edit")
    return TOPIC


@operation("`rebase --merge`")
def _rebase_merge(case: Case) -> list[str]:
    case.git("rebase", "-q", "--merge", "main", "topic")
    return TOPIC


@operation("`rebase --apply`")
def _rebase_apply(case: Case) -> list[str]:
    case.git("rebase", "-q", "--apply", "main", "topic")
    return TOPIC


@operation("`rebase`, hooks off")
def _rebase_without_hooks(case: Case) -> list[str]:
    case.git("-c", "core.hooksPath=/dev/null", "rebase", "-q", "main", "topic")
    return TOPIC


@operation("`rebase --onto`")
def _rebase_onto(case: Case) -> list[str]:
    case.git("rebase", "-q", "--onto", "main", "topic~2", "topic")
    return ["topic~1", "topic"]


@operation("`rebase --rebase-merges`")
def _rebase_merges(case: Case) -> list[str]:
    case.git("checkout", "-q", "-b", "side", "topic~1")
    case.by_hand("side", {"side": "1\n"})
    case.git("checkout", "-q", "topic")
    case.git("merge", "-q", "--no-edit", "side")
    case.git("rebase", "-q", "--rebase-merges", "main", "topic")
    return ["topic^1~2", "topic^1~1", "topic^1", "side~2", "side~1"]


@operation("`rebase`, a conflict resolved")
def _rebase_conflict(case: Case) -> list[str]:
    case.conflict()
    case.git("rebase", "-q", "main", "topic", check=False)
    case.resolved()
    case.git("rebase", "--continue")
    return TOPIC


@operation("`rebase -i`, reword")
def _reword(case: Case) -> list[str]:
    editor = case.folder / "reword"
    editor.write_text('#!/bin/sh\nsed "1s/^/reworded /" "$1" >"$1.x" && mv "$1.x" "$1"\n')
    editor.chmod(0o755)
    case.git("rebase", "-q", "-i", "main", env={**case.todo("2s/pick/reword/"), "GIT_EDITOR": str(editor)})
    assert case.git("log", "-1", "--format=%s", "topic~1") == "reworded b: work"
    return TOPIC


@operation("`rebase -i`, fixup")
def _fixup(case: Case) -> list[str]:
    case.git("rebase", "-q", "-i", "main", env=case.todo("2s/pick/fixup/"))
    return ["topic~1", "topic"]


@operation("`rebase -i`, squash")
def _squash(case: Case) -> list[str]:
    case.git("rebase", "-q", "-i", "main", env=case.todo("2,3s/pick/squash/"))
    return ["topic"]


@operation("`rebase -i`, reordered")
def _reorder(case: Case) -> list[str]:
    case.git("rebase", "-q", "-i", "main", env=case.todo("1{h;d};2G"))
    assert case.git("log", "-1", "--format=%s", "topic~2") == "b: work"
    return TOPIC


@operation("`rebase -i`, exec")
def _exec(case: Case) -> list[str]:
    case.git("rebase", "-q", "-x", "true", "main", "topic")
    return TOPIC


@operation("`rebase -i`, edit stop, amended")
def _edit(case: Case) -> list[str]:
    case.git("rebase", "-q", "-i", "main", env=case.todo("2s/pick/edit/"))
    case.repo.write({"b": "b, edited\n"})
    case.git("commit", "-q", "-a", "--amend", "--no-edit")
    case.git("rebase", "--continue")
    return TOPIC


@operation("`rebase -i`, edit stop, a commit by hand on top")
def _edit_by_hand(case: Case) -> list[str]:
    case.git("rebase", "-q", "-i", "main", env=case.todo("2s/pick/edit/"))
    case.by_hand("by hand", {"hand": "1\n"})
    case.git("rebase", "--continue")
    return ["topic~3", "topic~2", "topic"]


@operation("`rebase --autosquash`")
def _autosquash(case: Case) -> list[str]:
    case.repo.write({"a": "a, fixed\n"})
    case.git("commit", "-q", "-a", "--fixup", "topic~2")
    case.git("rebase", "-q", "-i", "--autosquash", "main", env={"GIT_SEQUENCE_EDITOR": "true"})
    assert case.git("log", "-1", "--format=%s", "topic~2") == "a: work"
    return TOPIC


@operation("`pull --rebase`")
def _pull_rebase(case: Case) -> list[str]:
    case.bare()
    case.git("pull", "-q", "--rebase", "origin", "main")
    return [*TOPIC, "origin/topic~2", "origin/topic~1", "origin/topic"]


@operation("`cherry-pick`")
def _pick(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("cherry-pick", "topic~1")
    return ["main", *TOPIC]


@operation("`cherry-pick` of several")
def _picks(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("cherry-pick", "topic~3..topic")
    return ["main~2", "main~1", "main", *TOPIC]


@operation("`cherry-pick -x`")
def _pick_x(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("cherry-pick", "-x", "topic")
    return ["main", *TOPIC]


@operation("`cherry-pick`, a conflict resolved, `--continue`")
def _pick_continue(case: Case) -> list[str]:
    case.conflict()
    case.git("cherry-pick", "topic~1", check=False)
    case.resolved()
    case.git("cherry-pick", "--continue")
    return ["main", *TOPIC]


@operation("`cherry-pick`, a conflict resolved, `commit`")
def _pick_commit(case: Case) -> list[str]:
    case.conflict()
    case.git("cherry-pick", "topic~1", check=False)
    case.resolved()
    case.git("commit", "-q", "--no-edit")
    return ["main", *TOPIC]


@operation("`cherry-pick --no-commit`, `commit -m`")
def _pick_no_commit(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("cherry-pick", "--no-commit", "topic~1")
    case.git("commit", "-q", "-m", "brought over")
    return ["main", *TOPIC]


@operation("`commit -C`, with other content")
def _reuse(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.repo.write({"a": "a, otherwise\n"})
    case.git("add", "a")
    case.git("commit", "-q", "-C", "topic~2")
    return ["main", *TOPIC]


@operation("`format-patch`, `am`")
def _am(case: Case) -> list[str]:
    case.git("format-patch", "-q", "-o", str(case.folder / "mail"), "topic~3..topic")
    case.git("checkout", "-q", "main")
    case.git("am", "-q", *(str(p) for p in sorted((case.folder / "mail").iterdir())))
    return ["main~2", "main~1", "main", *TOPIC]


@operation("`am --3way`, a conflict resolved")
def _am_conflict(case: Case) -> list[str]:
    case.conflict()
    case.git("format-patch", "-q", "-1", "-o", str(case.folder / "mail"), "topic~1")
    case.git("am", "-q", "--3way", *(str(p) for p in (case.folder / "mail").iterdir()), check=False)
    case.resolved()
    case.git("am", "--continue")
    return ["main", *TOPIC]


@operation("`apply`, `commit` by hand")
def _apply(case: Case) -> list[str]:
    patch = case.git("diff", "topic~2", "topic~1") + "\n"
    case.git("checkout", "-q", "main")
    case.git("apply", "--index", input=patch)
    case.git("commit", "-q", "-m", "taken over")
    return ["main", *TOPIC]


@operation("`merge --squash`")
def _merge_squash(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("merge", "-q", "--squash", "topic")
    case.git("commit", "-q", "--no-edit")
    return ["main", *TOPIC]


@operation("`merge --squash`, a message of one's own")
def _merge_squash_named(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("merge", "-q", "--squash", "topic")
    case.git("commit", "-q", "-m", "the topic")
    return ["main", *TOPIC]


@operation("`merge --squash`, both sides changed a file")
def _merge_squash_beside(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.by_hand("beside", {"shared": LINES.replace("line 25\n", "line twenty-five\n")})
    case.git("merge", "-q", "--squash", "topic")
    case.git("commit", "-q", "-m", "the topic")
    return ["main", *TOPIC]


@operation("`merge --no-ff`")
def _merge(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    return ["main^2", *TOPIC]


@operation("server: squash merge, `pull`")
def _server_squash(case: Case) -> list[str]:
    _squash_on(case, case.bare())
    case.git("checkout", "-q", "main")
    case.git("pull", "-q", "--ff-only")
    return ["main", *TOPIC]


@operation("server: squash merge, a title of one's own, branch deleted, `pull`")
def _server_squash_deleted(case: Case) -> list[str]:
    _squash_on(case, case.bare(), "Something else (#1)")
    case.git("push", "-q", "origin", ":topic")
    case.git("checkout", "-q", "main")
    case.git("pull", "-q", "--ff-only", "--prune")
    case.git("branch", "-q", "-D", "topic")
    return ["main", *case.commits.values()]


@operation("server: squash merge, both sides changed a file, `fetch`, `reset`")
def _server_squash_beside(case: Case) -> list[str]:
    case.git("checkout", "-q", "main")
    case.by_hand("beside", {"shared": LINES.replace("line 25\n", "line twenty-five\n")})
    _squash_on(case, case.bare(), "Something else (#1)")
    case.git("fetch", "-q")
    case.git("reset", "-q", "--hard", "origin/main")
    return ["main", *TOPIC]


@operation("server: squash merge with a commit by hand on the branch, `pull`")
def _server_squash_mixed(case: Case) -> list[str]:
    case.by_hand("by hand", {"hand": "1\n"})
    _squash_on(case, case.bare(), "Something else (#1)")
    case.git("checkout", "-q", "main")
    case.git("pull", "-q", "--ff-only")
    return ["main", "topic~3", "topic~2", "topic~1"]


@operation("server: rebase merge, `fetch`, `merge --ff-only`")
def _server_rebase(case: Case) -> list[str]:
    _rebase_on(case, case.bare())
    case.git("checkout", "-q", "main")
    case.git("fetch", "-q")
    case.git("merge", "-q", "--ff-only", "origin/main")
    return ["main~2", "main~1", "main", *TOPIC]


@operation("server: rebase merge, branch deleted, `pull --rebase`")
def _server_rebase_deleted(case: Case) -> list[str]:
    _rebase_on(case, case.bare())
    case.git("push", "-q", "origin", ":topic")
    case.git("checkout", "-q", "main")
    case.git("branch", "-q", "-D", "topic")
    case.git("pull", "-q", "--rebase")
    return ["main~2", "main~1", "main", *case.commits.values()]


@operation("server: rebase merge, `fetch` alone, `relink origin/main`")
def _server_rebase_fetched(case: Case) -> list[str]:
    _rebase_on(case, case.bare())
    case.git("fetch", "-q")
    Cli(case.repo)("relink", "origin/main")
    return ["origin/main~2", "origin/main~1", "origin/main", *TOPIC]


@operation("filter-repo, `relink --commit-map`")
def _filter_repo(case: Case) -> list[str]:
    lines, new = ["old                                      new"], ""
    for old in case.git("rev-list", "--reverse", "topic").split():
        parents = ["-p", new] if new else []
        tree, name = case.git("log", "-1", "--format=%T %s", old).split(" ", 1)
        new = case.git("commit-tree", tree, *parents, "-m", name, env=at(3000))
        lines.append(f"{old} {new}")
    lines.append(f"{case.git('rev-parse', 'main')} {'0' * 40}")
    path = case.folder / "commit-map"
    path.write_text("\n".join(lines) + "\n")
    case.git("reset", "-q", "--hard", new)
    Cli(case.repo)("relink", "--commit-map", str(path))
    return TOPIC


def _squash_on(case: Case, bare: Repo, message: str = "") -> None:
    """What a server does at `squash and merge`: one commit with the merged tree; its title is the user's."""
    text = message or case.message()
    if message and case.trailer:
        text += f"\n\nAgent-Session: {case.session}"
    tree = bare.git("merge-tree", "--write-tree", "main", "topic").splitlines()[0]
    new = bare.git("commit-tree", tree, "-p", "main", "-F", "-", env={**SERVER, **at(100)}, input=text)
    bare.git("update-ref", "refs/heads/main", new)


def _rebase_on(case: Case, bare: Repo) -> None:
    """What a server does at `rebase and merge`: new commits with the author's name and time, its own as committer."""
    base = bare.git("merge-base", "main", "topic")
    for old in bare.git("rev-list", "--reverse", f"{base}..topic").split():
        name, mail, when, parent = bare.git("log", "-1", "--format=%an%n%ae%n%ad%n%P", "--date=raw", old).splitlines()
        env = {**SERVER, **at(100), "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": when}
        tree = _picked_tree(bare, parent, old)
        text = bare.git("log", "-1", "--format=%B", old)
        new = bare.git("commit-tree", tree, "-p", "main", "-F", "-", env=env, input=text)
        bare.git("update-ref", "refs/heads/main", new)


def _picked_tree(bare: Repo, parent: str, commit: str) -> str:
    """The tree of `main` with what a commit changes."""
    env = {"GIT_INDEX_FILE": os.fspath(bare.path / "picked-index")}
    bare.git("read-tree", "main", env=env)
    patch = bare.run("git", "diff-tree", "-p", "--binary", "--full-index", parent, commit).stdout
    bare.git("apply", "--cached", env=env, input=patch)
    return bare.git("write-tree", env=env)
