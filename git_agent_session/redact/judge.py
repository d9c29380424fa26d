"""Judges what a pattern has matched: whether a value is a secret, or a placeholder, a name, a path or code.

Loaded when a pattern has matched for the first time. `CHECKS` are the names that rules.toml uses; each takes a match
whose group 1 is the value. A value that is long is judged by its beginning, so that no judgement is slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log2

MARK = re.compile(r"\[redacted: [a-z0-9-]{1,40}(?: [0-9]{1,7})?\]")
_JUDGED = 256

_WORDS = (
    " password passwd passphrase pass pwd pw secret secrets token key apikey api_key api-key access_token user "
    "username value string str text none null nil undefined true false yes no required optional options hidden "
    "redacted masked removed changeme change-me example placeholder sample todo tbd default empty unset dummy test "
    "x-oauth-basic admin postgres root passw0rd hunter foobar foo bar baz secretkey mysecret my_secret my-secret "
    "supersecret letmein "
)
_STARTS = (
    *("your", "my_", "my-", "insert", "enter", "replace", "change", "example"),
    *("placeholder", "fake", "dummy", "sample", "os.", "process.", "env.", "config.", "secrets.", "self.", "this."),
)
_BLANKS = ("xxxx", "***", "...", "\u2026", "\u2022\u2022")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TYPE = re.compile(r"[A-Za-z0-9]::[A-Za-z]{0,40}\Z")
_DIGESTS = ("sha1-", "sha256-", "sha384-", "sha512-", "sha1:", "sha256:", "sha512:", "md5:")
_FILES = ("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "py", "json", "md", "html", "so", "service")

Match = re.Match[str]


def _literal(match: Match) -> bool:
    value = match[1].strip()
    return not is_placeholder(value) and f" {value.lower()} " not in _WORDS and not is_code_value(value)


def is_code_value(value: str) -> bool:
    """Whether a value is put together by a program: `{password}`, `%s`, `" + pw + "`."""
    return any(mark in value for mark in ("${", "{{", "%s", "%(", "#{")) or (value[:1] == "{" and value[-1:] == "}")


def _header(match: Match) -> bool:
    value = match[1]
    word = value.isalpha() and (value.islower() or value.istitle()) and len(value) < 20
    return not word and not is_placeholder(value)


def _bearer(match: Match) -> bool:
    return not is_placeholder(match[1]) and not is_wordy(match[1][:_JUDGED])


def _basic(match: Match) -> bool:
    """Base64 of `user:password`."""
    from binascii import Error, a2b_base64

    try:
        plain = a2b_base64(match[1] + "=" * (-len(match[1]) % 4))
    except Error:
        return False
    return b":" in plain and all(32 <= byte < 127 for byte in plain)


def _password_value(match: Match) -> bool:
    return is_password(match[1], *_style(match))


def _secret_value(match: Match) -> bool:
    # `"AWS::ApiGateway::ApiKey": "48205d4f…"`: the name of a type
    typed = _TYPE.search(match.string, max(0, match.start() - 60), match.start())
    return typed is None and is_secret(match[1], *_style(match))


def _option(match: Match) -> bool:
    """`--password VALUE` and `--token VALUE`: an argument is a literal, as if it stood between quotes."""
    name = match.string[match.start() : match.start(1)].lower()
    judge = is_password if "pass" in name else is_secret
    return judge(match[1], True, False)


def _argument(match: Match) -> bool:
    return is_password(match[1], True, False) and not is_code_value(match[1])


def _random(match: Match) -> bool:
    return is_random(match[1])


def _random_token(match: Match) -> bool:
    """A token behind a prefix that could also begin a name."""
    value = match[1][:_JUDGED]
    if is_wordy(value) or any(blank in value.lower() for blank in _BLANKS) or len(set(value)) < 8:
        return False
    return any(c.isdigit() for c in value[4:]) or sum(c.isupper() for c in value) * 3 > len(value)


def _mixed(match: Match) -> bool:
    value = match[1][4:]
    return any(c.isdigit() for c in value) and any(c.isupper() for c in value) and any(c.islower() for c in value)


def _cookie(match: Match) -> bool:
    value = match[1]
    return is_random(value) and not _UUID.fullmatch(value) and not is_code(value) and not is_placeholder(value)


def _entropy(match: Match) -> bool:
    value = match[1]
    if not is_random(value) or _UUID.fullmatch(value) or is_path(value) or value.lower().startswith(_DIGESTS):
        return False
    is_hex = all(c in "0123456789abcdefABCDEF" for c in value)
    return entropy(value) >= (3.0 if is_hex else 3.5)


def _home(match: Match) -> bool:
    name = match[1].replace("\\", "/").rpartition("/")[2].lower()
    return name not in ("shared", "public", "default", "linuxbrew", "node_modules", "name", "user", "username")


def _email(match: Match) -> bool:
    local, _, domain = match[1].lower().partition("@")
    if local in ("git", "hg", "svn", "noreply", "no-reply", "donotreply") or "noreply" in domain:
        return False
    return domain.rpartition(".")[2] not in _FILES


def _phone(match: Match) -> bool:
    digits = sum(map(str.isdigit, match[1]))
    return 8 <= digits <= 15


def _style(match: Match) -> tuple[bool, bool]:
    """How a value is assigned: between quotes, and as a shell does it (`NAME=value`, capitals, no blanks)."""
    head = match.string[match.start() : match.start(1)]
    return head[-1] in "\"'`", head.isupper() and head.rstrip("\"'`\\").endswith("=") and " " not in head


def is_password(value: str, quoted: bool, shell: bool) -> bool:
    """Whether what is assigned to a password is one; `quoted` and `shell` say how it is assigned."""
    value = MARK.sub("", value[:_JUDGED])
    if is_placeholder(value) or is_path(value):
        return False
    digit = any(c.isdigit() for c in value)
    if not digit and "passw" in value.lower() and is_wordy(value):
        return False
    if quoted or shell:
        # several words are a message about passwords; a passphrase of plain words is not told from it
        return value.count(" ") < (3 if digit else 1) and len(value) >= (4 if digit else 6)
    symbol = any(c in "!@#$%^" for c in value[1:])
    return len(value) >= 6 and (digit or symbol) and any(c.isalpha() for c in value) and not is_code(value)


def is_secret(value: str, quoted: bool, shell: bool) -> bool:
    """The same for what is assigned to a token, a key or a secret."""
    value = MARK.sub("", value[:_JUDGED])
    if len(value) < 6 or " " in value or "*" in value or is_placeholder(value) or is_path(value) or is_code(value):
        return False
    if value.lower().startswith(_DIGESTS):
        return False
    letters = sum(c.isalpha() for c in value)
    digits = sum(c.isdigit() for c in value)
    if shell:
        return (letters > 0 and not value.replace("_", "").isalpha()) or len(value) >= 16 or value.islower()
    if len(value) < 8 or len(set(value)) < 6 or is_wordy(value):
        return False
    # letters alone are as a rule a name
    return letters > 0 and (digits > 0 or (quoted and len(value) >= 32))


def is_random(value: str) -> bool:
    """Whether a value looks drawn by lot: letters and digits of many kinds, and no words."""
    value = value[:_JUDGED]
    return (
        any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and len(set(value)) >= 8
        and not is_wordy(value)
    )


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    value = value[:_JUDGED]
    shares = [value.count(c) / len(value) for c in set(value)]
    bits: float = sum(share * log2(share) for share in shares)
    return -bits


def is_placeholder(value: str) -> bool:
    """Whether `value` stands for a secret instead of being one: `changeme`, `<token>`, `${VAR}`, `xxxxxx`."""
    lower = value.strip().lower()
    return not lower or f" {lower} " in _WORDS or lower.startswith(_STARTS) or _is_substitution(lower)


def _is_substitution(lower: str) -> bool:
    if lower.startswith(("<", "{", "%", "(", "[redacted")) or any(blank in lower for blank in _BLANKS):
        return True
    # `$NAME`, `${NAME}`, `$(command)`; `$2b$…` is a password's hash
    return len(set(lower)) == 1 or (lower[0] == "$" and not lower[1:2].isdigit())


def is_path(value: str) -> bool:
    """Whether a value is the path of a file, or a URL."""
    if value.startswith(("./", "../", "~/", "http://", "https://", "file:", "arn:")) or value[1:3] in (":\\", ":/"):
        return True
    return value[0] == "/" and all(map(is_wordy, value[1:].split("/")))


def is_code(value: str) -> bool:
    """Whether a bare value is a name, a member or a call (`self.token2`, `get_token(…)`), not a literal."""
    if any(c in value for c in "(){}[]") or value[0] in "=!*&|.:+-":
        return True
    pieces = value.rstrip(".").split(".")
    return len(pieces) > 1 and all(piece.isidentifier() and _is_name(piece) for piece in pieces)


def _is_name(piece: str) -> bool:
    """Whether a part of a dotted name reads as one: words, camelCase, at most one number (`Ed25519PrivateKey`)."""
    number = "".join(c if c.isdigit() else " " for c in piece).split()
    capitals = sum(c.isupper() for c in piece)
    return is_wordy(piece) or (len(number) < 2 and len("".join(number)) <= 5 and capitals * 3 <= len(piece))


def is_wordy(value: str) -> bool:
    """Whether every part between separators is a word, a short number, or a word and a short number."""
    for separator in "_.-/:+= ":
        value = value.replace(separator, "\n")
    for piece in value.split("\n"):
        word = piece.rstrip("0123456789")
        if len(piece) - len(word) > 4 or not (
            not word or (word.isalpha() and (word[1:].islower() or word.isupper() or len(word) == 1))
        ):
            return False
    return True


CHECKS: dict[str, Callable[[Match], bool]] = {
    "argument": _argument,
    "basic": _basic,
    "bearer": _bearer,
    "cookie": _cookie,
    "email": _email,
    "entropy": _entropy,
    "header": _header,
    "home": _home,
    "literal": _literal,
    "mixed": _mixed,
    "option": _option,
    "password": _password_value,
    "phone": _phone,
    "random": _random,
    "random-token": _random_token,
    "secret": _secret_value,
}
