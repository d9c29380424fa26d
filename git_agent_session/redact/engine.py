"""Finds the secrets of `rules` in text and puts `[redacted: name]` in their place.

Agent hooks import this on every call: it loads `re` only when a marker is found and compiles only the rules whose
marker it is. It keeps nothing of what it took out. It is a filter of known shapes, not a proof that a text is clean.
"""

from __future__ import annotations

from git_agent_session.redact.rules import PASSWORD_MARKERS, PASSWORD_NAME, RULES, SECRET_MARKERS, SECRET_NAME, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from typing import Any

# a secret taken out can lay bare the start of the one that was glued to it; more than this is no accident
_PASSES = 8
_DEPTH = 64
_MARK = r"\[redacted: [a-z0-9-]{1,40}\]"

_WORDS = (
    " password passwd passphrase pass pwd pw secret token key apikey api_key api-key access_token user username value "
    "string str text none null nil undefined true false yes no required optional hidden redacted masked removed "
    "changeme example placeholder sample todo tbd default empty unset dummy test x-oauth-basic "
)
_STARTS = (
    *("your", "my_", "my-", "insert", "enter", "replace", "change", "example"),
    *("placeholder", "fake", "dummy", "sample", "os.", "process.", "env.", "config.", "secrets.", "self.", "this."),
)
_BLANKS = ("xxxx", "***", "...", "\u2026", "\u2022\u2022")


_MARKERS = tuple(dict.fromkeys(marker for rule in RULES for marker in rule.markers))


def redact(text: str) -> str:
    """`text` with each secret replaced by `[redacted: rule-name]`; text without one comes back as it is.

    Applying it again changes nothing. It never raises.
    """
    lower = text.lower()
    # nearly every text ends here; a plain loop, since `any` over a generator takes four times as long
    for marker in _MARKERS:
        if marker in lower:
            break
    else:
        return text
    for _ in range(_PASSES):
        before = text
        lower = text.lower()
        for rule in RULES:
            if any(marker in lower for marker in rule.markers) and rule.also in lower:
                text = _apply(rule, text)
        if text == before:
            break
    return text


def redact_value(obj: Any) -> Any:
    """A copy of nested dicts, lists and tuples with every string redacted, keys too; a key that names a secret
    (`password`, `api_key`) condemns its value as an assignment in text would."""
    return _value(obj, 0)


def _value(obj: Any, depth: int) -> Any:
    if isinstance(obj, str):
        return redact(obj)
    if depth > _DEPTH and isinstance(obj, (dict, list, tuple)):
        return "[redacted: nested-too-deep]"
    if isinstance(obj, dict):
        out: dict[Any, Any] = {}
        for key, value in obj.items():
            name, label = _name(key) if isinstance(key, str) else (key, "")
            out[_unused(name, out)] = _named(label, value) if isinstance(value, str) else _value(value, depth + 1)
        return out
    if isinstance(obj, (list, tuple)):
        return [_value(item, depth + 1) for item in obj]
    return obj


def _unused(name: Any, taken: dict[Any, Any]) -> Any:
    unused, n = name, 2
    while unused in taken:
        unused, n = f"{name} {n}", n + 1
    return unused


# key -> what it is written as, and what `_labels` says of it: the same few come again and again; none with a secret
_names: dict[str, tuple[str, str]] = {}
_NAMES = 1000


def _name(key: str) -> tuple[str, str]:
    found = _names.get(key)
    if found is None:
        found = (redact(key), _labels(key))
        if found[0] == key and len(key) <= 100:
            if len(_names) >= _NAMES:
                _names.clear()
            _names[key] = found
    return found


def _labels(key: str) -> str:
    """The kinds of secret that a value under this key may be, separated by blanks."""
    lower = key.lower()
    kinds = (("password", PASSWORD_MARKERS, PASSWORD_NAME), ("secret", SECRET_MARKERS, SECRET_NAME))
    fits = [
        label
        for label, markers, pattern in kinds
        if any(m in lower for m in markers) and _compiled(pattern).search(key)
    ]
    return " ".join(fits)


def _named(labels: str, value: str) -> str:
    value = redact(value)
    for label in labels.split():
        if (_is_password if label == "password" else _is_secret)(value, True, False):
            return f"[redacted: {label}]"
    return value


_patterns: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    found = _patterns.get(pattern)
    if found is None:
        import re

        found = _patterns[pattern] = re.compile(pattern)
    return found


def _apply(rule: Rule, text: str) -> str:
    check = _CHECKS.get(rule.check)
    mark = f"[redacted: {rule.name}]"
    out, done = [], 0
    for match in _compiled(rule.pattern).finditer(text):
        start, end = match.span(1)
        if check is None or check(match):
            out += [text[done:start], mark]
            done = end
    return "".join([*out, text[done:]]) if out else text


def _literal(match: re.Match[str]) -> bool:
    return not _is_substitution(match[1].lower())


def _header(match: re.Match[str]) -> bool:
    value = match[1]
    word = value.isalpha() and (value.islower() or value.istitle()) and len(value) < 20
    return not word and not _is_placeholder(value)


def _bearer(match: re.Match[str]) -> bool:
    return not _is_placeholder(match[1]) and not _is_wordy(match[1])


def _password_value(match: re.Match[str]) -> bool:
    return _is_password(match[1], *_style(match))


def _secret_value(match: re.Match[str]) -> bool:
    return _is_secret(match[1], *_style(match))


def _option(match: re.Match[str]) -> bool:
    """`--password VALUE` and `--token VALUE`: an argument is a literal, as if it stood between quotes."""
    name = match.string[match.start() : match.start(1)].lower()
    judge = _is_password if any(m in name for m in PASSWORD_MARKERS) else _is_secret
    return judge(match[1], True, False)


def _style(match: re.Match[str]) -> tuple[bool, bool]:
    """How a value is assigned: between quotes, and as a shell does it (`NAME=value`, capitals, no blanks)."""
    head = match.string[match.start() : match.start(1)]
    return head[-1] in "\"'`", head.isupper() and head.rstrip("\"'`\\").endswith("=") and " " not in head


def _is_password(value: str, quoted: bool, shell: bool) -> bool:
    value = _compiled(_MARK).sub("", value)
    if _is_placeholder(value) or _is_path(value):
        return False
    digit = any(c.isdigit() for c in value)
    if not digit and "password" in value.lower() and _is_wordy(value):
        return False
    if quoted or shell:
        # several words are a message about passwords; a passphrase of plain words is not told from it
        return value.count(" ") < (3 if digit else 1) and len(value) >= (4 if digit else 6)
    symbol = any(c in "!@#$%^" for c in value[1:])
    return len(value) >= 6 and (digit or symbol) and any(c.isalpha() for c in value) and not _is_code(value)


def _is_secret(value: str, quoted: bool, shell: bool) -> bool:
    value = _compiled(_MARK).sub("", value)
    if len(value) < 6 or " " in value or "*" in value or _is_placeholder(value) or _is_path(value) or _is_code(value):
        return False
    if value.lower().startswith(("sha1-", "sha256-", "sha384-", "sha512-", "sha256:", "sha512:")):
        return False
    letters = sum(c.isalpha() for c in value)
    digits = sum(c.isdigit() for c in value)
    if shell:
        return (letters > 0 and not value.replace("_", "").isalpha()) or len(value) >= 16 or value.islower()
    if len(value) < 8 or len(set(value)) < 6 or _is_wordy(value):
        return False
    # letters alone are as a rule a name
    return letters > 0 and (digits > 0 or (quoted and len(value) >= 32))


def _is_placeholder(value: str) -> bool:
    """Whether `value` stands for a secret instead of being one: `changeme`, `<token>`, `${VAR}`, `xxxxxx`."""
    lower = value.strip().lower()
    return not lower or f" {lower} " in _WORDS or lower.startswith(_STARTS) or _is_substitution(lower)


def _is_substitution(lower: str) -> bool:
    if lower.startswith(("<", "{", "%", "(", "[redacted")) or any(blank in lower for blank in _BLANKS):
        return True
    # `$NAME`, `${NAME}`, `$(command)`; `$2b$…` is a password's hash
    return len(set(lower)) == 1 or (lower[0] == "$" and not lower[1:2].isdigit())


def _is_path(value: str) -> bool:
    if value.startswith(("./", "../", "~/", "http://", "https://", "file:")) or value[1:3] in (":\\", ":/"):
        return True
    return value[0] == "/" and all(map(_is_wordy, value[1:].split("/")))


def _is_code(value: str) -> bool:
    """Whether a bare value is a name, a member or a call (`self.token2`, `get_token(…)`), not a literal."""
    if any(c in value for c in "(){}[]") or value[0] in "=!*&|.:+-":
        return True
    parts = value.split(".")
    return len(parts) > 1 and all(part.isidentifier() and _is_wordy(part) for part in parts)


def _is_wordy(value: str) -> bool:
    """Whether every part between separators is a word, a short number, or a word and a short number."""
    for separator in "_.-/:+= ":
        value = value.replace(separator, "\n")
    for part in value.split("\n"):
        word = part.rstrip("0123456789")
        if len(part) - len(word) > 4 or not (
            not word or (word.isalpha() and (word[1:].islower() or word.isupper() or len(word) == 1))
        ):
            return False
    return True


_CHECKS: dict[str, Callable[[re.Match[str]], bool]] = {
    "literal": _literal,
    "header": _header,
    "bearer": _bearer,
    "option": _option,
    "password-value": _password_value,
    "secret-value": _secret_value,
}
