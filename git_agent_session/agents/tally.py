"""Adds up tokens and costs as a transcript is read: each request once, whatever the agent writes twice or corrects.

All it knows lies in `memory`, plain JSON values that outlive the process and do not grow with the transcript. Amounts
are kept by model. What a request cost is, in this order: the agent's own running total, the agent's own amount for the
request, the price table's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import prices
from git_agent_session.ids import is_timestamp
from git_agent_session.model import TOKENS, Doc

if TYPE_CHECKING:
    from git_agent_session.agents.reading import Elsewhere

# records of a request stand together: this many requests back a later record still corrects the count
RECENT = 1024
# the label of costs that the agent itself has recorded
OWN = "agent"
# what memory holds for the tally, dropped when a transcript is read anew
KEYS = ("recent", "totals", "running", "own", "owns", "priced", "unpriced", "run")


class Tally:
    """See `protocol.Tally`. `elsewhere` knows what another session has counted already."""

    def __init__(self, memory: Doc, elsewhere: Elsewhere) -> None:
        self.memory = memory
        self.elsewhere = elsewhere

    def message(self, key: str, at: str, model: str, tokens: Mapping[str, int]) -> None:
        """See `protocol.Tally.message`."""
        if self._counts(key, at):
            row = self._row(key, at)
            self._add(row, model or row["model"], _amounts(tokens))
            self._remember(key, row)

    def cost(self, key: str, at: str, usd: float) -> None:
        """See `protocol.Tally.cost`."""
        if self._counts(key, at) and _is_cost(usd):
            row = self._row(key, at)
            self._price(row, row.get("tokens", {}), usd)
            self._remember(key, row)

    def total(self, model: str, tokens: Mapping[str, int]) -> None:
        """See `protocol.Tally.total`. A total that fell has started anew."""
        now = _amounts(tokens)
        running = self.memory.setdefault("running", {})
        before = running.get(model, {})
        if any(now.get(k, 0) < n for k, n in before.items()):
            before = {}
        gained = {k: n - before.get(k, 0) for k, n in now.items()}
        running[model] = now
        if any(gained.values()):
            self._add({"model": "", "tokens": {}, "at": ""}, model, gained)

    def total_cost(self, usd: float, start: int) -> None:
        """See `protocol.Tally.total_cost`. Its rise is taken; a total that fell has started anew."""
        if not _is_cost(usd):
            return
        run = self.memory.get("run")
        before = run["total"] if run else min(self.elsewhere.cost(start), usd)
        gained = usd - before if usd >= before else usd
        self.memory["run"] = {"total": usd, "start": start, "usd": round((run["usd"] if run else 0) + gained, 6)}

    def name(self, *, model: str = "", version: str = "") -> None:
        """See `protocol.Tally.name`."""
        self.memory.update({k: v for k, v in (("model", model), ("version", version)) if _is_name(v)})

    # -- what came out

    @property
    def totals(self) -> dict[str, dict[str, int]]:
        """Tokens by model."""
        return dict(self.memory.get("totals", {}))

    @property
    def cost_usd(self) -> float:
        """The costs that are known."""
        run = self.memory.get("run")
        return float(run["usd"] if run else round(self.memory.get("own", 0) + self.memory.get("priced", 0), 6))

    @property
    def cost_by(self) -> str:
        """Where the costs come from: `agent`, the price table's name, both, or "" while there are none."""
        if self.memory.get("run"):
            return OWN
        both = ((OWN, self.memory.get("owns")), (prices.table(), self.memory.get("priced")))
        return ", ".join(name for name, given in both if given)

    @property
    def unpriced(self) -> list[str]:
        """The models whose tokens have no cost."""
        return [] if self.memory.get("run") else sorted(k for k, n in self.memory.get("unpriced", {}).items() if n)

    # -- one request

    def _counts(self, key: str, at: str) -> bool:
        return not (is_timestamp(at) and self.elsewhere.counted(key, at))

    def _row(self, key: str, at: str) -> Doc:
        known = self.memory.setdefault("recent", {}).pop(key, None)
        return known if isinstance(known, dict) else {"model": "", "tokens": {}, "at": at}

    def _remember(self, key: str, row: Doc) -> None:
        recent = self.memory["recent"]
        recent[key] = row
        if len(recent) > RECENT:
            del recent[next(iter(recent))]

    def _add(self, row: Doc, model: str, now: Mapping[str, int]) -> None:
        """Put `now` in the place of what the row held."""
        totals = self.memory.setdefault("totals", {})
        for name, amounts, sign in ((row["model"], row["tokens"], -1), (model, now, 1)):
            if any(amounts.values()):
                mine = totals.setdefault(name, {})
                for key, n in amounts.items():
                    mine[key] = mine.get(key, 0) + sign * n
        self._unprice(row)
        row.update({"model": model, "tokens": dict(now)})
        self._price(row, now, row.get("own"))

    def _price(self, row: Doc, tokens: Mapping[str, int], own: float | None) -> None:
        self._unprice(row)
        if own is not None:
            row["own"] = own
            self.memory["own"] = round(self.memory.get("own", 0) + own, 9)
            self.memory["owns"] = True
            return
        if not any(tokens.values()):
            return
        usd = prices.price(row["model"], tokens, row["at"])
        if usd is not None:
            row["priced"] = usd
            self.memory["priced"] = round(self.memory.get("priced", 0) + usd, 9)
        else:
            self._unpriced(row["model"], 1)
            row["unpriced"] = row["model"]

    def _unprice(self, row: Doc) -> None:
        """Take the row's part out of the sums; what the agent itself said stays known in the row."""
        if row.get("own") is not None:
            self.memory["own"] = round(self.memory.get("own", 0) - row["own"], 9)
        self.memory["priced"] = round(self.memory.get("priced", 0) - row.pop("priced", 0), 9)
        if "unpriced" in row:
            self._unpriced(row.pop("unpriced"), -1)

    def _unpriced(self, model: str, n: int) -> None:
        unpriced = self.memory.setdefault("unpriced", {})
        unpriced[model or "unknown"] = unpriced.get(model or "unknown", 0) + n


def _amounts(tokens: Mapping[str, Any]) -> dict[str, int]:
    return {k: _whole(tokens[k]) for k in TOKENS if k in tokens}


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        return 0
    return value


def _is_cost(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < 1e9


def _is_name(value: object) -> bool:
    # what Claude says in the model's place names itself `<synthetic>`
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value[0] != "<"
