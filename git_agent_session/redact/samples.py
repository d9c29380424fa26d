"""Fills the samples of rules.toml: `{an36}` becomes 36 letters and digits, so that no whole secret is written down.

A sample has its secret between « and ». Used where rules are tested, never where text is redacted.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
CLASSES = {
    "an": _DIGITS + _LOWER + _UPPER,
    "b64": _DIGITS + _LOWER + _UPPER + "+/",
    "dig": _DIGITS,
    "hex": _DIGITS + "abcdef",
    "low": _DIGITS + _LOWER,
    "up": _DIGITS + _UPPER,
    "url": _DIGITS + _LOWER + _UPPER + "-_",
}
BEGIN, END = "«", "»"


def fill(sample: str, random: Random) -> str:
    """`sample` with its shapes filled; `{}` is nothing (it keeps a sample from looking whole), `{uuid}` a UUID, and
    `{b64}` a line of 64 characters of base64. Other braces stay as they are."""
    out: list[str] = []
    rest = sample
    while rest:
        before, brace, rest = rest.partition("{")
        out.append(before)
        if not brace:
            break
        inside, closing, after = rest.partition("}")
        shape = _shape(inside, random) if closing else None
        if shape is None:
            out.append(brace)
        else:
            out.append(shape)
            rest = after
    return "".join(out)


def parts(filled: str) -> tuple[str, str, str]:
    """What stands before the secret, the secret, and what follows it. Raises ValueError where none is marked."""
    before, begin, rest = filled.partition(BEGIN)
    secret, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no secret between {BEGIN} and {END} in {filled[:40]!r}")
    return before, secret, after


def _shape(inside: str, random: Random) -> str | None:
    if inside == "":
        return ""
    if inside == "uuid":
        return "-".join(_some("hex", n, random) for n in (8, 4, 4, 4, 12))
    if inside == "b64":
        return "MII" + _some("b64", 61, random)
    for name in sorted(CLASSES, key=len, reverse=True):
        if inside.startswith(name) and inside[len(name) :].isdecimal():
            return _some(name, int(inside[len(name) :]), random)
    return None


def _some(name: str, count: int, random: Random) -> str:
    """Random characters of a class; a digit and a letter among the first, as every real token has."""
    letters = CLASSES[name]
    found = [random.choice(letters) for _ in range(count)]
    if name in ("an", "low", "hex", "up") and count >= 6:
        found[1], found[3] = random.choice(_DIGITS), random.choice("ABCDEF" if name == "up" else "abcdef")
    return "".join(found)
