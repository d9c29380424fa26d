"""Reads JSON without the `json` package, which would cost a hook the 8 ms of its pattern module."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def parse(text: str) -> Any:
    """The JSON value in `text`, by the scanner that `json` itself runs on. Raises ValueError or RecursionError."""
    try:
        from _json import make_scanner

        scan = make_scanner(_Strict)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads(text)
    text = text.strip(" \t\n\r")
    try:
        value, end = scan(text, 0)
    except StopIteration:
        raise ValueError("no value") from None
    except SystemError:
        # the scanner takes its error from json.decoder, which is not loaded
        import json

        return json.loads(text)
    if end != len(text):
        raise ValueError(f"something follows the value at character {end}")
    return value


class _Strict:
    """What the scanner asks of a decoder; json.decoder.JSONDecoder has the same."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: Mapping[str, str] = {}
