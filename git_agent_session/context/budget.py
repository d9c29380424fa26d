"""Cuts a snapshot until its text fits a number of tokens, always in the same order, and says what it cut.

Lists go first, the least useful one before the others; what is left over belongs to the texts of the files to read
first, in fair shares. Nothing is read or asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from git_agent_session.context.model import Document, Snapshot

# the first is cut first
_ORDER = ("tasks", "languages", "folders", "changes", "commits", "documents")
_WORTH = 120


def tokens(text: str) -> int:
    """How many tokens `text` is estimated to have: a quarter of its characters, rounded up."""
    return -(-len(text) // 4)


def fit(snapshot: Snapshot, totals: Mapping[str, int]) -> Snapshot:
    """`snapshot` within its budget. `totals` says how many entries each list would have had."""
    texts = {d.path: d.text for d in snapshot.documents}
    notes = snapshot.truncated
    bare = replace(snapshot, documents=tuple(replace(d, text="") for d in snapshot.documents))
    bare = _noted(bare, totals, notes)
    for name in _ORDER:
        while _length(bare) > _limit(bare) and (kept := _count(bare, name)):
            bare = _noted(_cut(bare, name, kept // 2), totals, notes)
    fitted, room = bare, _limit(bare) - _length(bare)
    while texts:
        filled = _filled(bare, texts, room)
        over = _length(filled) - _limit(bare)
        if over <= 0:
            fitted = filled
        if over <= 0 or room < _WORTH:
            break
        # a fence had to grow, or a note was added: what they take comes off the text
        room = min(room - over, room * 3 // 4)
    return replace(fitted, token_estimate=tokens(fitted.to_markdown()))


def _limit(snapshot: Snapshot) -> int:
    return snapshot.budget * 4


def _length(snapshot: Snapshot) -> int:
    return len(snapshot.to_markdown())


def _count(snapshot: Snapshot, name: str) -> int:
    return len(snapshot.changes.paths if name == "changes" else getattr(snapshot, name))


def _cut(snapshot: Snapshot, name: str, n: int) -> Snapshot:
    if name == "changes":
        return replace(snapshot, changes=replace(snapshot.changes, paths=snapshot.changes.paths[:n]))
    kept = getattr(snapshot, name)[:n]
    return replace(snapshot, **{name: kept})


def _noted(snapshot: Snapshot, totals: Mapping[str, int], notes: tuple[str, ...]) -> Snapshot:
    said = [
        f"{name}: {_count(snapshot, name)} of {totals[name]}"
        for name in reversed(_ORDER)
        if _count(snapshot, name) < totals.get(name, 0)
    ]
    return replace(snapshot, truncated=(*said, *notes))


def _filled(snapshot: Snapshot, texts: Mapping[str, str], room: int) -> Snapshot:
    heads = _share(texts, room)
    documents = tuple(_with_head(d, texts[d.path], heads[d.path]) for d in snapshot.documents)
    cut = sum(heads[d.path] != texts[d.path] for d in documents)
    note = (f"texts of documents: {cut} of {len(documents)} cut",) if cut else ()
    return replace(snapshot, documents=documents, truncated=(*snapshot.truncated, *note))


def _share(texts: Mapping[str, str], room: int) -> dict[str, str]:
    """The head of each text in `room` characters; what a short one leaves goes to the longer ones."""
    heads = {}
    waiting = sorted(texts, key=lambda path: len(texts[path]))
    for i, path in enumerate(waiting):
        # fences, blank lines and a note take some 40
        heads[path] = head = _head(texts[path], room // (len(waiting) - i) - 40)
        room -= len(head) + 40 if head else 0
    return heads


def _with_head(document: Document, text: str, head: str) -> Document:
    if head == text:
        return replace(document, text=text)
    return replace(document, text=head, note="head only" if head else "text left out")


def _head(text: str, n: int) -> str:
    if len(text) <= n:
        return text
    if n < _WORTH:
        return ""
    end = text.rfind("\n", n // 2, n)
    return text[: end if end > 0 else n].rstrip()
