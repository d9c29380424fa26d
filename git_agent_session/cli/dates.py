"""Dates as git reads them, for the options that take one."""

from __future__ import annotations

import re

from git_agent_session.cli.env import Env, refuse

# date.c: special, month_names, weekday_names, typelen, number_name
_DATE_WORDS = (
    *("now", "today", "yesterday", "noon", "midnight", "tea", "last"),
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("second", "minute", "hour", "day", "week", "month", "year"),
)

_DAY = re.compile(r"\s*(?:\d{4}-\d\d?-\d\d?|today)\s*", re.IGNORECASE)
_WEEKDAY = re.compile(r"\s*(?:mon|tues|wednes|thurs|fri|satur|sun)day\s*", re.IGNORECASE)


def _is_date(text: str) -> bool:
    """Whether git's date.c finds anything in `text`; where it does not, it says that it is now."""
    if any(c.isdigit() for c in text):
        return True
    words = re.findall("[a-z]{3,}", text.lower())
    return any(known.startswith(word.removesuffix("s")) or known == word for word in words for known in _DATE_WORDS)


def _whole(date: str) -> str:
    """A day alone with its first moment, so that git takes it for what it says."""
    if _WEEKDAY.fullmatch(date):
        return f"last {date} 00:00"
    return f"{date} 00:00" if _DAY.fullmatch(date) else date


def moment(env: Env, option: str, date: str | None) -> str:
    """A date as git reads it (git-rev-parse(1), --since and --until), as a time stamp; empty for none and for `never`.

    A day alone is its first moment: git would take the time of day that it is now. A weekday's name is the last one
    before today, where git would take now.
    """
    if date is None or date.strip().lower() == "never":
        return ""
    from git_agent_session.git.run import git
    from git_agent_session.ids import timestamp

    if not date.strip():
        refuse(f"{option} is empty", "give a date such as yesterday or 2026-01-31")
    if not _is_date(date):
        refuse(f"git does not understand the date {date!r}", "give one such as yesterday or 2026-01-31")
    said = git(
        "rev-parse",
        f"{option}={_whole(date)}",
        cwd=env.folder,
        env={"TZ": env.environ.get("TZ", "")} if "TZ" in env.environ else None,
    )
    seconds = said.decode("ascii", "replace").strip().partition("=")[2]
    if not seconds.isdigit():
        refuse(f"git does not understand the date {date!r}", "give one such as yesterday or 2026-01-31")
    # a whole second: what began within it counts as before its end and after its start
    return timestamp(int(seconds) * 1_000_000_000 + (999_000_000 if option == "--until" else 0))
