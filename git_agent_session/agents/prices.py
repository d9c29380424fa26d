"""What a request cost where the agent does not say: `genai-prices`' own table, which lies on this machine.

Nothing is fetched. An agent's own amount always wins over this one; a model that the table does not know costs nothing
and is named as unpriced.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

_DATE = re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b")


# models that the table does not know: looking for one goes through all of it
_unknown: set[str] = set()


def price(model: str, tokens: Mapping[str, int], at: str) -> float | None:
    """What `tokens` (by `model.USAGE_KEYS`) of a model cost at that time, in USD; None where no price is known."""
    if not model or model in _unknown:
        return None
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    read, written = tokens.get("cache_read_tokens", 0), tokens.get("cache_write_tokens", 0)
    usage = Usage(
        # the table's input holds what the cache gave and took (genai-prices' README, "usage")
        input_tokens=tokens.get("input_tokens", 0) + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=tokens.get("output_tokens", 0),
    )
    for name in _names(model):
        try:
            return float(calc_price(usage, name, genai_request_timestamp=_moment(at)).total_price)
        except (LookupError, ValueError):
            continue
    _unknown.add(model)
    return None


def _names(model: str) -> list[str]:
    """How a table may call a model: as it is, without the provider in front, with dashes for dots."""
    bare = model.rpartition("/")[2]
    return list(dict.fromkeys((model, bare, bare.replace(".", "-"))))


@functools.cache
def table() -> str:
    """The table's name, version and date: `genai-prices 0.2.3 (2026-11-04)`; "" where it is not installed.

    The date is the latest that the table itself names, prices of the future left out.
    """
    try:
        import genai_prices.data
    except ImportError:
        return ""
    path = Path(str(genai_prices.data.__file__))
    # the table holds dates on which prices will change: none can be known later than the file was put here
    put = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    dates = [date for date in _DATE.findall(path.read_text(encoding="utf-8")) if date <= put]
    return f"genai-prices {genai_prices.__version__}" + (f" ({max(dates)})" if dates else "")


def _moment(at: str) -> datetime:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return datetime.now(UTC)
