"""What redaction finds, what it takes for a secret and is none, and how fast it is; one command prints Markdown tables.

    python -m benchmarks.redaction [--megabytes N] [--seed N] [TRANSCRIPTS ...]

Secrets are drawn by lot and planted in texts as they turn up in sessions, plain and as JSON within JSON. The source
text is that of the running interpreter, of the packages installed beside it and of node's. Each transcript is a file of
JSON lines, or a folder of them: they stay where they are, and only what is found in them is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.redaction_shapes import CONTEXTS, PLACES, TOKENS
from git_agent_session.redact import Redactor

_SOURCES = (
    ".py",
    ".pyi",
    ".js",
    ".mjs",
    ".cjs",
    ".ts",
    ".json",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".sh",
    ".c",
    ".h",
    ".css",
)
# what stays of a secret may be no longer than this: the prefix that tells its kind
_REST = 8
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Planted:
    """A text with a secret in it, what kind it is, and the secret."""

    kind: str
    name: str
    text: str
    secret: str


def planted(seed: int) -> list[Planted]:
    """Every shape in three contexts drawn by lot, and every place, each both plain and as JSON within JSON."""
    draw = random.Random(seed)
    found = []
    for kind, shapes in TOKENS.items():
        for name, shape in shapes.items():
            for where, context in draw.sample(CONTEXTS, 3):
                secret = shape(draw)
                found.append(Planted(kind, f"{name} in {where}", context.replace("%s", secret), secret))
    for kind, places in PLACES.items():
        for place, shape in places:
            secret = shape(draw)
            found.append(Planted(kind, place, place.replace("%s", secret), secret))
    return [*found, *(_escaped(p) for p in found)]


def _escaped(p: Planted) -> Planted:
    inner = json.dumps({"stdout": f"first\n{p.text}\nlast"})
    secret = json.dumps(json.dumps(p.secret)[1:-1])[1:-1]
    return Planted(p.kind, f"{p.name}, JSON in JSON", json.dumps({"line": inner}), secret)


def missed(texts: Iterable[Planted]) -> list[Planted]:
    """Those of which more is left than a prefix."""
    redactor = Redactor()
    return [p for p in texts if _is_left(p.secret, redactor.text(p.text))]


def _is_left(secret: str, text: str) -> bool:
    size = min(_REST + 1, len(secret))
    return any(secret[n : n + size] in text for n in range(len(secret) - size + 1))


class Hits:
    """Takes down what a redactor finds, each secret once."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], str] = {}
        self.where = ""

    def __call__(self, kind: str, secret: str) -> str:
        """The name of a mark, as Redactor asks for it."""
        self.found.setdefault((kind, secret), self.where)
        return kind


def source(megabytes: float, seed: int) -> list[tuple[str, str]]:
    """Paths and texts of installed source files, drawn by lot until they are so many MB (10^6 characters)."""
    files = sorted({path for root in _roots() for path in _files(root, _SOURCES)})
    random.Random(seed).shuffle(files)
    found: list[tuple[str, str]] = []
    size = 0
    for path in files:
        if size >= megabytes * 1e6:
            break
        text = path.read_text(encoding="utf-8", errors="replace")
        found.append((str(path), text))
        size += len(text)
    return found


def _roots() -> list[Path]:
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    if npm := shutil.which("npm"):
        done = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False)
        roots.append(Path(done.stdout.strip() or os.devnull))
    return [root for root in roots if root.is_dir()]


def _files(root: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(endings))


def lines(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """The lines of transcripts, each with its file."""
    files = [file for path in paths for file in _files(path, (".jsonl",))]
    texts = ((str(f), f.read_text(encoding="utf-8", errors="replace")) for f in files)
    return [(file, line) for file, text in texts for line in text.split("\n") if line.strip()]


def speed(
    given: Sequence[tuple[str, Any]], size: int, apply: Callable[[Redactor], Callable[[Any], Any]]
) -> tuple[float, float, Hits]:
    """MB/s by the clock and by the processor's time, the best of some rounds, each with a redactor that knows nothing
    yet; and what was found."""
    best, used, hits = 0.0, 0.0, Hits()
    for _ in range(_ROUNDS):
        hits = Hits()
        run = apply(Redactor(name=hits))
        begun, spent = time.perf_counter(), time.process_time()
        for hits.where, item in given:
            run(item)
        used = max(used, size / 1e6 / (time.process_time() - spent))
        best = max(best, size / 1e6 / (time.perf_counter() - begun))
    return best, used, hits


def parsed(given: Iterable[tuple[str, str]]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for path, line in given:
        try:
            found.append((path, json.loads(line)))
        except ValueError:
            found.append((path, line))
    return found


def _recall(seed: int) -> list[str]:
    everything = planted(seed)
    gone = missed(everything)
    out = ["### Recall", "", "| kind | planted | found | recall |", "|---|---:|---:|---:|"]
    for kind in [*dict.fromkeys(p.kind for p in everything), "all"]:
        of = [p for p in everything if kind in (p.kind, "all")]
        lost = sum(p in of for p in gone)
        out.append(f"| {kind} | {len(of)} | {len(of) - lost} | {100 * (1 - lost / len(of)):.1f} % |")
    return [*out, "", *(f"Not found: {p.name}." for p in gone)]


def _corpora(asked: argparse.Namespace) -> Iterator[tuple[str, int, float, float, Hits]]:
    texts = source(asked.megabytes, asked.seed)
    size = sum(len(text) for _, text in texts)
    yield ("source text", size, *speed(texts, size, lambda r: r.text))
    rows = lines(asked.transcripts)
    if rows:
        size = sum(len(line) for _, line in rows)
        yield ("transcripts, lines parsed", size, *speed(parsed(rows), size, lambda r: r.value))
        yield ("transcripts, lines as text", size, *speed(rows, size, lambda r: r.text))


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redaction", description="Measure redaction.")
    parser.add_argument("transcripts", nargs="*", type=Path, help="files of JSON lines, or folders of them")
    parser.add_argument("--megabytes", type=float, default=20.0, help="how much source text to take (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn by lot (default 1)")
    asked = parser.parse_args(argv)
    print("\n".join(_recall(asked.seed)))
    print("\n### False positives and speed\n")
    print("| text | MB | secrets found | MB/s | MB/s of processor time |\n|---|---:|---:|---:|---:|")
    shown: list[tuple[str, Hits]] = []
    for name, size, rate, used, hits in _corpora(asked):
        print(f"| {name} | {size / 1e6:.1f} | {len(hits.found)} | {rate:.1f} | {used:.1f} |", flush=True)
        shown.append((name, hits))
    for name, hits in shown:
        print(f"\nFound in {name}, to be judged by hand:\n")
        for (kind, secret), where in hits.found.items():
            print(f"- {kind}: `{' '.join(secret.split())[:60]}` in {Path(where).name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
