"""Checkpoints of Entire's command line: the branch `entire/checkpoints/v1`, and the trailer `Entire-Checkpoint`.

https://github.com/entireio/cli/blob/main/docs/architecture/sessions-and-checkpoints.md (MIT). A checkpoint lies in
`<first 2 digits>/<other 10>/`, each of its sessions in a folder with a number. A checkpoint of ours is one commit; what
Entire has written there stays. The branch is only ever added to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from git_agent_session.git import foreign
from git_agent_session.git.foreign import Step
from git_agent_session.git.repository import Repository, Tip
from git_agent_session.git.run import git
from git_agent_session.interchange import names, outside
from git_agent_session.interchange.work import Part, by_commit
from git_agent_session.model import Doc, Session
from git_agent_session.store import transcript
from git_agent_session.store.reader import Reader

REF = "refs/heads/entire/checkpoints/v1"
REMOTE = "refs/remotes/origin/entire/checkpoints/v1"
TRAILER = "Entire-Checkpoint"
BETWEEN = "\n\n---\n\n"
# bytes that Entire puts into one file of a transcript
MAX_TRANSCRIPT = 50 * 1024 * 1024
# checkpoints that get a commit each, as Entire makes them
MOST_COMMITS = 50
# agents whose records Entire keeps as the agent wrote them, a line each
JSON_LINES = frozenset({"claude-code", "codex", "copilot", "droid", "pi"})

# path -> blob
Files = dict[str, str]

_ID = re.compile(r"[0-9a-f]{12}")
_TOKENS = (
    ("input_tokens", "input_tokens"),
    ("cache_creation_tokens", "cache_write_tokens"),
    ("cache_read_tokens", "cache_read_tokens"),
    ("output_tokens", "output_tokens"),
)


def trailers(repo: Repository) -> dict[str, str]:
    """Checkpoint by commit, as the trailers of commits on branches and tags name it. Raises GitError."""
    where = repo.location.worktree or repo.location.git_dir
    form = f"--format=%H%x09%(trailers:key={TRAILER},valueonly,separator=%x20)"
    asked = ("log", "--branches", "--tags", "--remotes", f"--grep=^{TRAILER}:", form)
    env = {"GIT_DIR": repo.location.git_dir}
    found = {}
    for row in git(*asked, cwd=where, env=env).decode("utf-8", "replace").splitlines():
        commit, _, named = row.partition("\t")
        ids = [word for word in named.split() if _ID.fullmatch(word)]
        if ids:
            found[commit] = ids[-1]
    return found


# -- out


def write(reader: Reader, sessions: Iterable[Session]) -> tuple[int, int]:
    """Add a checkpoint for each commit of the sessions; returns how many were, and how many are Entire's own.

    Raises AgentSessionError.
    """
    named = trailers(reader.repo)
    wanted = {}
    told: dict[str, Files] = {}
    for commit, parts in by_commit(reader, sessions, whole=True):
        checkpoint = named.get(commit) or hashlib.sha256(f"{names.OWN}:{commit}".encode()).hexdigest()[:12]
        wanted[checkpoint] = (commit, parts)
    kept = 0

    def plan(tip: Tip | None) -> list[Step]:
        nonlocal kept
        there, kept = _folders(reader.repo, tip), 0
        steps = []
        for checkpoint, (commit, parts) in wanted.items():
            folder = f"{checkpoint[:2]}/{checkpoint[2:]}"
            before = there.get(folder, {})
            if before and not _is_ours(reader.repo, before.get(f"{folder}/metadata.json", "")):
                kept += 1
                continue
            step = _step(reader, checkpoint, commit, parts, told)
            if before != step.folders[folder]:
                steps.append(step)
        return steps if len(steps) <= MOST_COMMITS else [_together(steps)]

    made = foreign.add(reader.repo, REF, plan, "checkpoints of git agent-session", start=REMOTE) if wanted else []
    return sum(len(step.folders) for step in made), kept


def _folders(repo: Repository, tip: Tip | None) -> dict[str, dict[str, str]]:
    """By the folder of each checkpoint its files: path -> blob."""
    found: dict[str, dict[str, str]] = {}
    for file in foreign.files(repo, tip):
        parts = file.path.split("/")
        if len(parts) > 2 and _ID.fullmatch(parts[0] + parts[1]):
            found.setdefault("/".join(parts[:2]), {})[file.path] = file.blob
    return found


def _is_ours(repo: Repository, blob: str) -> bool:
    data = foreign.content(repo, blob, outside.MAX_LINE) if blob else None
    try:
        found = outside.value(data) if data else None
    except outside.Unreadable:
        return False
    return isinstance(found, dict) and names.OWN in found


def _step(reader: Reader, checkpoint: str, commit: str, parts: Sequence[Part], told: dict[str, Files]) -> Step:
    folder = f"{checkpoint[:2]}/{checkpoint[2:]}"
    files: Files = {}
    listed, tokens = [], []
    for n, part in enumerate(parts):
        session = part.session
        if session.id not in told:
            told[session.id] = _told(reader, session)
        own = {f"{folder}/{n}/{name}": blob for name, blob in told[session.id].items()}
        meta = _metadata(checkpoint, commit, part)
        tokens.append(meta.get("token_usage"))
        files |= {**own, f"{folder}/{n}/metadata.json": _json(reader, meta)}
        listed.append({key: _place(files, f"{folder}/{n}/{name}") for key, name in _PLACES})
    summary: Doc = {
        "checkpoint_id": checkpoint,
        "strategy": "manual-commit",
        "checkpoints_count": len(parts),
        "files_touched": sorted({path for part in parts for path in part.link.paths}),
        "sessions": listed,
        names.OWN: {"commit": commit},
    }
    if any(tokens):
        summary["token_usage"] = {k: sum(t[k] for t in tokens if t) for k in (*dict(_TOKENS), "api_call_count")}
    files[f"{folder}/metadata.json"] = _json(reader, summary)
    first = parts[0].session
    said = f"Entire-Session: {_native(first)}\nEntire-Strategy: manual-commit\n"
    agent = f"Entire-Agent: {names.entire_agent(first.agent.type)}\n"
    return Step({folder: files}, f"Checkpoint: {checkpoint}\n\n{said}{agent}")


def _together(steps: Sequence[Step]) -> Step:
    """One commit for many: Entire reads the tree at the tip, and each commit more costs a tree of all checkpoints."""
    folders = {folder: files for step in steps for folder, files in step.folders.items()}
    return Step(folders, f"Checkpoints: {len(folders)}\n\nEntire-Strategy: manual-commit\n")


_PLACES = (
    ("metadata", "metadata.json"),
    ("transcript", "full.jsonl"),
    ("context", "context.md"),
    ("content_hash", "content_hash.txt"),
    ("prompt", "prompt.txt"),
)


def _place(files: Files, path: str) -> str:
    return f"/{path}" if path in files else ""


def _native(session: Session) -> str:
    return session.agent.native_id or session.id


def _metadata(checkpoint: str, commit: str, part: Part) -> Doc:
    session = part.session
    doc: Doc = {
        "checkpoint_id": checkpoint,
        "session_id": _native(session),
        "strategy": "manual-commit",
        "created_at": part.link.at or session.started_at,
        "checkpoints_count": 1,
        "files_touched": sorted(part.link.paths),
        "agent": names.entire_agent(session.agent.type),
    }
    if any(session.usage.get(ours) for _, ours in _TOKENS):
        doc["token_usage"] = {theirs: int(session.usage.get(ours, 0)) for theirs, ours in _TOKENS}
        doc["token_usage"]["api_call_count"] = 0  # nobody has counted them
    agent = {k: v for k in ("type", "version", "model", "native_id") if (v := getattr(session.agent, k))}
    own = {"session": session.id, "commit": commit, "agent": agent, "title": session.about, "user": session.user}
    return {**doc, names.OWN: {k: v for k, v in own.items() if v}}


def _told(reader: Reader, session: Session) -> Files:
    """What a session said, by the names of Entire's files: its prompts, and the agent's own records where it may."""
    found: Files = {}
    prompts = list(prompts_of(reader, session.id))
    if prompts:
        found["prompt.txt"] = foreign.store(reader.repo, BETWEEN.join(prompts).encode("utf-8", "replace"))
    if session.agent.type in JSON_LINES:
        data = b"".join(_records(reader, session.id))
        if data:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            found["full.jsonl"] = foreign.store(reader.repo, data)
            found["content_hash.txt"] = foreign.store(reader.repo, digest.encode())
    return found


def prompts_of(reader: Reader, session_id: str) -> Iterator[str]:
    """What people said in a session."""
    for event in reader.history(session_id, kinds=("message", "interaction")):
        said = event.data.get("text")
        if event.data.get("role") == "user" and isinstance(said, str) and said:
            yield said


def _records(reader: Reader, session_id: str) -> Iterator[bytes]:
    """The session's own records, as many as one file of Entire's takes; those of subagents have no place in it."""
    room = MAX_TRANSCRIPT
    for event, data in transcript.chunks(reader, session_id):
        room -= len(data)
        if room < 0:
            return
        if not event.data.get("source"):
            yield data


def _json(reader: Reader, doc: Any) -> str:
    return foreign.store(reader.repo, (json.dumps(doc, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
