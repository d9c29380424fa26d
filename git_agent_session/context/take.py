"""Makes a snapshot: asks git, reads heads of files, takes out secrets and control characters, fits the budget."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from git_agent_session.context import budget as budgets
from git_agent_session.context import gather, reading
from git_agent_session.context.languages import language
from git_agent_session.context.model import Change, Changes, Commit, Document, Folder, Language, Snapshot, Task
from git_agent_session.errors import NotARepository, UsageError
from git_agent_session.git.discover import discover
from git_agent_session.redact import redact
from git_agent_session.term import clean

# branch, head and counts take about 300 tokens at their longest
MINIMUM_BUDGET = 500

_COMMITS = 10
_CHANGES = 50
_LANGUAGES = 8
_FOLDERS = 30
_TASKS = 20
_TASKS_OF_A_FILE = 3
_EXCLUDED = 100


def snapshot(repo_path: str, *, budget: int = 8000, now: datetime | None = None) -> Snapshot:
    """What is worth knowing of the repository around the folder `repo_path`, in at most `budget` tokens (estimated).

    Raises NotARepository, UsageError for a budget under MINIMUM_BUDGET, and GitError when git fails.
    """
    if budget < MINIMUM_BUDGET:
        raise UsageError(f"a budget of {budget} tokens is too small", hint=f"give at least {MINIMUM_BUDGET}")
    found = discover(repo_path)
    if found is None:
        raise NotARepository(f"{repo_path} is not in a git repository", hint="run `git init` or name another folder")
    place = gather.Place(found.worktree or found.git_dir, bare=found.worktree is None)
    whole, totals = _whole(place)
    whole = replace(whole, taken_at=_timestamp(now or datetime.now(UTC)), budget=budget)
    return budgets.fit(whole, totals)


def _whole(place: gather.Place) -> tuple[Snapshot, dict[str, int]]:
    """The snapshot before any budget, and how many entries each of its lists would have without its bound."""
    status = gather.status(place)
    tree = gather.tree(place, status.head)
    commits = tuple(Commit(*map(_line, fields)) for fields in _commits(place, status))
    languages, folders = _languages(tree.files), _folders(tree.files)
    documents, boxes = _read(place, tree, status)
    marks, marked, notes = _marks(place, tree, status)
    if not tree.measured:
        notes.append(f"sizes: the first {gather.SIZED_FILES} files measured")
    whole = Snapshot(
        branch=_line(status.branch),
        head=commits[0] if commits else None,
        bare=place.bare,
        upstream=_line(status.upstream),
        ahead=status.ahead,
        behind=status.behind,
        file_count=len(tree.files),
        byte_count=sum(f.size for f in tree.files),
        submodules=tree.submodules,
        changes=_changes(place, status),
        commits=commits,
        languages=tuple(languages[:_LANGUAGES]),
        folders=tuple(folders[:_FOLDERS]),
        documents=tuple(documents),
        tasks=tuple(boxes[:_TASKS] + marks),
        truncated=tuple(notes),
    )
    found = {"tasks": len(boxes) + marked, "languages": len(languages), "folders": len(folders)}
    return whole, {**found, "changes": len(status.changes), "commits": len(commits), "documents": len(documents)}


def _line(text: str, n: int = 200) -> str:
    """`text` as one clean line of at most `n` characters, without secrets."""
    text = redact(clean(text)).strip()
    return text if len(text) <= n else text[: n - 1] + "…"


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _commits(place: gather.Place, status: gather.Status) -> list[list[str]]:
    return gather.commits(place, _COMMITS) if status.head else []


def _changes(place: gather.Place, status: gather.Status) -> Changes:
    tracked = [c for c in status.changes if c.code != "??"]
    untracked = [c for c in status.changes if c.code == "??"]
    folders = gather.Folders(place.path)
    small = [c.path for c in tracked if folders.size(c.path) <= gather.LARGE_DIFF][: gather.DIFFED_PATHS]
    counts = gather.line_counts(place, small, initial=not status.head)
    shown = tracked[: _CHANGES - min(len(untracked), 20)] + untracked
    return Changes(
        staged=sum(c.code[0] not in ".U" for c in tracked),
        unstaged=sum(c.code[1] not in ".U" for c in tracked),
        untracked=len(untracked),
        conflicted=sum(c.code == "UU" for c in tracked),
        added=sum(added for added, _ in counts.values()),
        deleted=sum(deleted for _, deleted in counts.values()),
        paths=tuple(Change(_line(c.path), c.code, *counts.get(c.path, (0, 0))) for c in shown[:_CHANGES]),
    )


def _languages(files: Iterable[gather.File]) -> list[Language]:
    """Largest first; what has no name comes after all that has."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for file in files:
        if not file.link:
            name = language(file.path)
            counts[name] += 1
            sizes[name] += file.size
    names = sorted(counts, key=lambda n: (n == "other" or n.startswith("."), -sizes[n], n))
    return [Language(_line(n), counts[n], sizes[n]) for n in names]


def _folders(files: Iterable[gather.File]) -> list[Folder]:
    """Fullest first; the files of the top level itself count as `.`."""
    tops = [(f"{top}/" if slash else ".") for top, slash, _ in (f.path.partition("/") for f in files)]
    return [Folder(_line(top), n) for top, n in sorted(Counter(tops).items(), key=lambda item: (-item[1], item[0]))]


def _read(place: gather.Place, tree: gather.Tree, status: gather.Status) -> tuple[list[Document], list[Task]]:
    folders = gather.Folders(place.path)
    files = {f.path: f for f in tree.files}
    for change in status.changes:
        if change.code == "??" and not change.path.endswith("/"):
            link = os.path.islink(os.path.join(place.path, change.path))
            files.setdefault(change.path, gather.File(change.path, folders.size(change.path), "", link))
    first, plans = reading.first(files), reading.plans(files)
    heads = reading.heads(place, [files[p] for p in dict.fromkeys(first + plans)], folders)
    texts = {path: reading.decode(head) for path, head in heads.items()}
    boxes = [
        Task(_line(path), number, _line(item))
        for path in plans
        for number, item in reading.boxes(texts.get(path) or "")
    ]
    return [_document(files[path], path in heads, texts.get(path)) for path in first], boxes


def _document(file: gather.File, read: bool, text: str | None) -> Document:
    path = _line(file.path)
    if file.link:
        return Document(path, file.size, note="symbolic link")
    if text is None:
        return Document(path, file.size, note="not text" if read else "not read")
    note = "head only" if file.size > reading.HEAD_BYTES else ""
    return Document(path, file.size, redact(clean(text, newlines=True)).strip("\n"), note)


def _marks(place: gather.Place, tree: gather.Tree, status: gather.Status) -> tuple[list[Task], int, list[str]]:
    """Marked lines, changed files and the first three of a file before the rest; how many there are; what was left."""
    if not tree.files or (place.bare and not status.head):
        return [], 0, []
    large = [f.path for f in tree.files if f.size > gather.LARGE_FILE]
    if len(tree.files) > gather.SEARCHED_FILES or len(large) > _EXCLUDED:
        return [], 0, [f"TODO marks: not searched, {len(tree.files)} files and {len(large)} of them large"]
    found = gather.marks(place, large + _unreal(place, tree))
    changed = {c.path for c in status.changes}
    seen: Counter[str] = Counter()
    ranked = []
    for path, number, line in found:
        seen[path] += 1
        ranked.append((seen[path] > _TASKS_OF_A_FILE, path not in changed, path, number, line))
    ranked.sort()
    tasks = [Task(_line(path), n, _line(line, 160)) for _, _, path, n, line in ranked[:_TASKS]]
    return tasks, len(ranked), []


def _unreal(place: gather.Place, tree: gather.Tree) -> list[str]:
    """Folders of tracked files that are symbolic links by now: git would read what they point to."""
    if place.bare:
        return []
    folders = gather.Folders(place.path)
    parents = {f.path.rpartition("/")[0] for f in tree.files}
    return [p for p in sorted(parents) if not folders.real(p)][:_EXCLUDED]
