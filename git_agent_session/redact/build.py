"""Makes `table.py`, which agents' hooks import, of `rules.toml`, which people edit: parsing TOML costs hooks too much.

python -m git_agent_session.redact.build           write table.py
python -m git_agent_session.redact.build --check   exit 1 when it is not what rules.toml says
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "rules.toml"
TABLE = HERE / "table.py"

_KEYS = {"name", "group", "markers", "find", "back", "also", "pattern", "check", "samples", "stays"}
_NAME = re.compile(r"[a-z0-9-]{1,40}")
# what several markers have in common, the longest first; what is rare in ordinary text saves most
_WORD_GATES = (
    *(
        "pscale_",
        "access-",
        "sntry",
        "_pat_",
        "dckr_",
        "live_",
        "test_",
        "prod_",
        "lsv2_",
        "_v1_",
        "CCIP",
        "snyk",
        "dp.",
    ),
    *(
        "shp",
        "sk-",
        "xox",
        "ik_",
        "lk_",
        "EAA",
        "gl",
        "NR",
        "gh",
        "vc",
        "nf",
        "cf",
        "bk",
        "sq",
        "fm",
        "fig",
        "AT",
        "AK",
    ),
    *("EZ", "hv", "_", "-", "."),
)
_TEXT_GATES = (
    *("secret", "token", "pass", "key", "sess", "=", ":", "webhook", "mysql", "auth", "cred"),
    *("_ap", "-ap", "mar", "/1"),
)
_PII_GATES = ("users", "@")
_HEAD = '''"""The rules of rules.toml as plain tuples. Made by git_agent_session.redact.build: do not edit."""

# ruff: noqa: E501
# fmt: off
from __future__ import annotations

# name, group, whether its markers are looked for in any case, back, markers, also, check, pattern
Rule = tuple[str, str, bool, int, tuple[str, ...], str, str, str]
Markers = tuple[tuple[bytes, tuple[tuple[bytes, tuple[int, ...]], ...]], ...]

'''


def load() -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The parts and the rules, their patterns complete. Raises ValueError for a rule that is wrong."""
    with SOURCE.open("rb") as f:
        doc = tomllib.load(f)
    shared = {name: _complete(text, doc["parts"]) for name, text in doc["parts"].items()}
    rules = [{**rule, "pattern": _complete(rule["pattern"], shared)} for rule in doc["rule"]]
    for rule in rules:
        _check(rule)
    return shared, rules


def _complete(pattern: str, shared: Mapping[str, str]) -> str:
    return re.sub(r"\{\{([a-z]+)\}\}", lambda found: shared[found[1]], pattern)


def _check(rule: Mapping[str, Any]) -> None:
    name = str(rule["name"])
    if unknown := set(rule) - _KEYS:
        raise ValueError(f"{name}: unknown keys {sorted(unknown)}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: use up to 40 of a-z, 0-9 and -")
    if re.compile(rule["pattern"]).groups != 1:
        raise ValueError(f"{name}: the pattern needs one group, not more")
    if rule.get("find", "word") not in ("word", "text"):
        raise ValueError(f"{name}: find is word or text")
    if rule.get("find") == "text" and any(m != m.lower() for m in rule["markers"]):
        raise ValueError(f"{name}: markers that are found in any case are written in lower case")
    if not rule["markers"] or not rule["samples"]:
        raise ValueError(f"{name}: it has no marker or no sample")


def table() -> str:
    """The text of table.py."""
    shared, rules = load()
    rows = [
        (
            *(r["name"], r["group"], r.get("find") == "text", r.get("back", 0)),
            *(tuple(r["markers"]), r.get("also", ""), r.get("check", ""), r["pattern"]),
        )
        for r in rules
    ]
    out = [_HEAD, "RULES: tuple[Rule, ...] = (\n", *(f"    {row!r},\n" for row in rows), ")\n\n"]
    out.append("# each marker, and the rules (by number) that it belongs to; looked for only where its gate stands\n")
    out.append(_gated("WORDS", _markers(rules, lambda r: r.get("find") != "text"), _WORD_GATES))
    out.append(_gated("TEXTS", _markers(rules, _is_text), _TEXT_GATES))
    out.append(_gated("PII", _markers(rules, _is_pii), _PII_GATES))
    for name in ("password", "secret"):
        markers = next(tuple(r["markers"]) for r in rules if r.get("check") == name)
        pattern = f"(?i){shared[name]}{shared['tail']}\\Z"
        out.append(f"\n{name.upper()}_MARKERS = {markers!r}\n{name.upper()}_NAME = {pattern!r}\n")
    return "".join(out)


def _is_text(rule: Mapping[str, Any]) -> bool:
    return rule.get("find") == "text" and rule["group"] != "pii"


def _is_pii(rule: Mapping[str, Any]) -> bool:
    return bool(rule["group"] == "pii")


def _markers(rules: Sequence[Mapping[str, Any]], takes: Any) -> list[tuple[str, tuple[int, ...]]]:
    found: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        if takes(rule):
            for marker in rule["markers"]:
                found.setdefault(marker, []).append(number)
    return [(marker, tuple(of)) for marker, of in found.items()]


def _gated(name: str, markers: Sequence[tuple[str, tuple[int, ...]]], gates: Sequence[str]) -> str:
    """The markers, those of one gate together: a text without the gate needs one look instead of many."""
    groups: dict[str, list[tuple[bytes, tuple[int, ...]]]] = {gate: [] for gate in (*gates, "")}
    for marker, of in markers:
        groups[next((gate for gate in gates if gate in marker), "")].append((marker.encode(), of))
    lines = [f"    ({gate.encode()!r}, {tuple(rows)!r}),\n" for gate, rows in groups.items() if rows]
    return f"{name}: Markers = (\n{''.join(lines)})\n"


def main(argv: Sequence[str]) -> int:
    """Write table.py, or compare it; returns the exit status."""
    text = table()
    if list(argv) == ["--check"]:
        if TABLE.read_text(encoding="utf-8") == text:
            return 0
        print("table.py is not what rules.toml says: run `python -m git_agent_session.redact.build`", file=sys.stderr)
        return 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
