"""Finds the secrets of the rules in text and puts `[redacted: name]` in their place.

Agent hooks import this on every call: it loads `re` only when a marker is found and compiles only the rules whose
marker it is. A pattern is tried where its marker stands and nowhere else, so text is never searched by patterns. It
keeps nothing of what it took out. It is a filter of known shapes, not a proof that a text is clean.
"""

from __future__ import annotations

from git_agent_session.redact.table import (
    PASSWORD_MARKERS,
    PASSWORD_NAME,
    PII,
    RULES,
    SECRET_MARKERS,
    SECRET_NAME,
    TEXTS,
    WORDS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Container, Iterable, Iterator
    from typing import Any

    from git_agent_session.redact.table import Markers, Rule

    Put = Callable[[str, str], str]

# a secret taken out can lay bare the start of the one that was glued to it; more than this is no accident
_PASSES = 8
_DEPTH = 64
# characters; no rule takes less out, and no token with a prefix is shorter
_LEAST, _WORD = 8, 18
# short texts come again and again (ids, paths, names of tools): so many of those found clean are known
_KNOWN, _KNOWN_LENGTH = 4096, 256

# everything that cannot stand within a token becomes a blank
_SPLIT = bytes(c if chr(c) in "_.~-" or (c < 128 and chr(c).isalnum()) else 32 for c in range(256))
_NO_LOWER = str.maketrans({"\u0130": "I"})


class Redactor:
    """Redacts with the built-in rules and what is added to them.

    `off`: names of rules that are not used. `pii`: whether those for personal data are. `allowed` says of a value that
    it stays. `name(kind, secret)` gives the words of a mark, `kind` where there is none. `extra(text, put)` finds
    more, and puts `put(kind, secret)` in its place. An object must not be used by two threads at once.
    """

    __slots__ = ("_allowed", "_clean", "_extra", "_keys", "_name", "_off", "_texts", "_words")

    def __init__(
        self,
        *,
        off: Container[str] = (),
        pii: bool = False,
        allowed: Callable[[str], bool] | None = None,
        name: Callable[[str, str], str] | None = None,
        extra: Callable[[str, Put], str] | None = None,
    ) -> None:
        self._off = off
        self._texts = TEXTS + PII if pii else TEXTS
        self._allowed = allowed
        self._name = name
        self._extra = extra
        self._clean: set[str] = set()
        # words of clean texts in which no marker stands
        self._words: set[bytes] = set()
        # key -> what it is written as, and what `_labels` says of it; none that holds a secret
        self._keys: dict[str, tuple[str, str]] = {}

    def text(self, text: str) -> str:
        """`text` with each secret replaced by `[redacted: rule-name]`; text without one comes back as it is.

        Applying it again changes nothing. It never raises.
        """
        if len(text) < _LEAST or text in self._clean:
            return text
        found = self._redacted(text)
        if found == text and len(text) <= _KNOWN_LENGTH:
            if len(self._clean) >= _KNOWN:
                self._clean.clear()
            self._clean.add(text)
        return found

    def value(self, obj: Any) -> Any:
        """A copy of nested dicts, lists and tuples with every string redacted, keys too; a key that names a secret
        (`password`, `api_key`) condemns its value as an assignment in text would."""
        return self._value(obj, 0, "")

    def _redacted(self, text: str) -> str:
        for _ in range(_PASSES):
            before = text
            lower = _lowered(text)
            numbers, words = self._triggered(text, lower)
            for number in sorted(numbers):
                rule = RULES[number]
                if rule[0] not in self._off and rule[5] in lower:
                    found = self._apply(rule, text, lower)
                    if found is not None:
                        text = found
                        lower = _lowered(text)
            if self._extra is not None:
                text = self._extra(text, self._put)
            if text == before:
                self._remember(words)
                break
        return text

    def _triggered(self, text: str, lower: str) -> tuple[set[int], set[bytes]]:
        """The rules of which a marker is there, and the long words of the text, none of which has one."""
        numbers: set[int] = set()
        _look(lower.encode("utf-8", "surrogatepass"), self._texts, numbers)
        if len(text) < _WORD:
            return numbers, set()
        words = text.encode("utf-8", "surrogatepass").translate(_SPLIT).split()
        long = {word for word in words if len(word) >= _WORD} - self._words
        own: set[int] = set()
        if long:
            _look(b" ".join(long), WORDS, own)
        return numbers | own, set() if own else long

    def _remember(self, words: set[bytes]) -> None:
        """Note words without a marker, of a text that is clean: paths and names come again and again."""
        if len(self._words) >= _KNOWN:
            self._words.clear()
        self._words |= {word for word in words if len(word) <= _KNOWN_LENGTH}

    def _apply(self, rule: Rule, text: str, lower: str) -> str | None:
        """The text without what the rule finds; None where it finds nothing."""
        from git_agent_session.redact.judge import CHECKS

        name, _, anywhere, back, markers, _, check, pattern = rule
        judge = CHECKS[check] if check else None
        match = _compiled(pattern).match
        out: list[str] = []
        done = 0
        for place in _places(lower if anywhere else text, markers):
            for start in range(max(done, place - back), place + 1):
                found = match(text, start)
                if found is not None:
                    if (judge is None or judge(found)) and not self._stays(found[1]):
                        out += (text[done : found.start(1)], self._put(name, found[1]))
                        done = found.end(1)
                    break
        return "".join([*out, text[done:]]) if out else None

    def _stays(self, secret: str) -> bool:
        return self._allowed is not None and self._allowed(secret)

    def _put(self, kind: str, secret: str) -> str:
        return f"[redacted: {self._name(kind, secret) if self._name else kind}]"

    # -- nested values

    def _value(self, obj: Any, depth: int, labels: str) -> Any:
        if isinstance(obj, str):
            return self._named(labels, obj) if labels else self.text(obj)
        if depth > _DEPTH and isinstance(obj, (dict, list, tuple)):
            return "[redacted: nested-too-deep]"
        if isinstance(obj, dict):
            out: dict[Any, Any] = {}
            for key, value in obj.items():
                name, own = self._key(key) if isinstance(key, str) else (key, "")
                out[_unused(name, out) if name in out else name] = self._value(value, depth + 1, own)
            return out
        if isinstance(obj, (list, tuple)):
            return [self._value(item, depth + 1, labels) for item in obj]
        return obj

    def _key(self, key: str) -> tuple[str, str]:
        found = self._keys.get(key)
        if found is None:
            found = (self.text(key), _labels(key))
            if found[0] == key and len(key) <= 100:
                if len(self._keys) >= _KNOWN:
                    self._keys.clear()
                self._keys[key] = found
        return found

    def _named(self, labels: str, value: str) -> str:
        from git_agent_session.redact.judge import is_password, is_secret

        value = self.text(value)
        for label in labels.split():
            if label not in self._off and (is_password if label == "password" else is_secret)(value, True, False):
                return value if self._stays(value) else self._put(label, value)
        return value


def _lowered(text: str) -> str:
    """`text` in lower case, each character at its own place."""
    lower = text.lower()
    # one capital has two characters in lower case (Unicode's SpecialCasing.txt)
    return lower if len(lower) == len(text) else text.translate(_NO_LOWER).lower()


def _look(data: bytes, markers: Markers, numbers: set[int]) -> None:
    """Add the rules of the markers that stand in `data`."""
    for gate, gated in markers:
        if gate in data:
            for marker, of in gated:
                if marker in data:
                    numbers.update(of)


def _places(text: str, markers: Iterable[str]) -> Iterable[int]:
    """Where any of the markers stands, in order."""
    found = [_all(text, marker) for marker in markers if marker in text]
    return found[0] if len(found) == 1 else sorted({place for places in found for place in places})


def _all(text: str, marker: str) -> Iterator[int]:
    place = text.find(marker)
    while place >= 0:
        yield place
        place = text.find(marker, place + 1)


def _unused(name: Any, taken: dict[Any, Any]) -> Any:
    unused, n = name, 2
    while unused in taken:
        unused, n = f"{name} {n}", n + 1
    return unused


def _labels(key: str) -> str:
    """The kinds of secret that a value under this key may be, separated by blanks."""
    lower = key.lower()
    kinds = (("password", PASSWORD_MARKERS, PASSWORD_NAME), ("secret", SECRET_MARKERS, SECRET_NAME))
    fits = [
        label
        for label, markers, pattern in kinds
        if any(m in lower for m in markers) and _compiled(pattern).search(key[-200:])
    ]
    return " ".join(fits)


_patterns: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    found = _patterns.get(pattern)
    if found is None:
        import re

        found = _patterns[pattern] = re.compile(pattern)
    return found


_default = Redactor()
redact = _default.text
redact_value = _default.value
