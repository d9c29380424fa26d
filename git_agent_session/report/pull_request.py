"""What agents did in a range of commits, as Markdown for a pull request and as one HTML page that stands alone.

Goals, prompts, subjects and paths are anybody's: in Markdown they are escaped as text of one line, and can neither
mention people, refer to issues nor link; in HTML all goes through `html.esc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from git_agent_session import term
from git_agent_session.answers.pull_request import Commit, PullRequest, Told, of
from git_agent_session.report import html, verify
from git_agent_session.report import view as words
from git_agent_session.report.markdown import inline
from git_agent_session.store.reader import Reader, duration_ms

# what GitHub takes as a comment is 65,536 characters; GitLab takes more
MAX_MARKDOWN = 60_000
_FILES = 50
_COMMITS = 100
_GOAL = 120
# a space of no width behind the sign: no mention, no reference; and no link, which to an issue is a reference too
_SIGNS = re.compile(r"(?<!&)([@#!])(?=[\w-])|\b(gh-)(?=\d)|(?:https?|ftp):(?=//)|\bwww(?=\.)", re.IGNORECASE)


def gather(store: Reader, revisions: str = "") -> PullRequest:
    """The answer for a range, its commits that have an agent's marks and no session named; default: as `verify`."""
    # first of all that the range is no longer than it may be
    found = of(store, revisions or verify.default_range(store))
    return found.marked({c.commit: c.agent for c in verify.verify(store, found.range).missing})


def summary(found: PullRequest) -> str:
    """All of it in a sentence."""
    if not found.commits:
        return f"No commits in {words.revisions(found.range)}."
    linked, all_ = len(found.linked), term.count(len(found.commits), "commit")
    if not linked:
        text = f"No agent session is behind the {all_}."
    else:
        text = f"{term.count(len(found.sessions), 'agent session')} made {linked} of {all_}"
        text += f", for {words.usd(found.cost_usd)} in all." if found.cost_usd else "."
    if found.unlinked:
        count = len(found.unlinked)
        text += f" {term.count(count, 'commit')} by agents without a session."
    return text


# -- Markdown


def markdown(found: PullRequest, *, limit: int = MAX_MARKDOWN) -> Iterator[str]:
    """The report, block by block; sessions for which `limit` characters leave no room are only counted."""
    head = f"## Agent sessions\n\n{_text(summary(found))}\n"
    yield head
    end = _unlinked(found)
    room, left = limit - len(head) - len(end) - 200, 0
    for told in found.sessions:
        block = "".join(_session(told))
        if left or len(block) > room:
            left += 1
            continue
        room -= len(block)
        yield block
    if left:
        yield f"\n… and {term.count(left, 'more session')}: `git agent-session report` has room for all of them.\n"
    yield end


def _session(told: Told) -> Iterator[str]:
    yield f"\n### {_text(_about(told))}\n\n"
    yield f"{_text(_facts(told))}\n"
    if told.prompts:
        yield "\n"
        yield from (f"{n}. {_text(prompt)}\n" for n, prompt in enumerate(told.prompts, 1))
        more = told.asked - len(told.prompts)
        yield f"\n… and {term.count(more, 'more prompt')}\n" if more > 0 else ""
    yield "\n"
    yield from (_commit(commit) for commit in told.commits[:_COMMITS])
    more = len(told.commits) - _COMMITS
    yield f"- … and {more} more\n" if more > 0 else ""
    if paths := told.paths:
        yield f"\n<details>\n<summary>{term.count(len(paths), 'file')}</summary>\n\n"
        yield from (f"- {_text(path)}\n" for path in _some(paths))
        yield "\n</details>\n"


def _unlinked(found: PullRequest) -> str:
    if not found.unlinked:
        return ""
    rows = [_commit(c, f" (says {_text(c.says)})") for c in found.unlinked[:_COMMITS]]
    more = len(found.unlinked) - _COMMITS
    rows += [f"- … and {more} more\n"] if more > 0 else []
    return "".join(["\n### Commits of agents without a session\n\n", *rows])


def _commit(commit: Commit, more: str = "") -> str:
    # a commit's id is one that the host makes a link of
    return f"- {commit.id} {_text(term.fit(term.clean(commit.subject), 120))}{more}\n"


def _text(text: str) -> str:
    return _SIGNS.sub(lambda m: f"{m[0]}\u200b", inline(text))


def _about(told: Told) -> str:
    about = term.clean(told.session.about) if told.session is not None else ""
    return term.fit(" ".join(about.split()), _GOAL) or f"Session {told.id[: words.SHORT]}"


def _facts(told: Told) -> str:
    """A session's facts in a line, not escaped yet."""
    parts = [f"session {told.id[: words.SHORT]}"]
    if told.session is None:
        return ", ".join([*parts, term.clean(told.agent), "which is not in this repository"])
    session = told.session
    parts += [t for t in (words.agent(session.agent) or told.agent, session.status) if t]
    parts += [term.duration(ms)] if (ms := duration_ms(session)) else []
    parts += [t] if (t := words.usage(session.usage)) else []
    if told.elsewhere:
        parts.append(f"with {term.count(told.elsewhere, 'commit')} elsewhere")
    return ", ".join(map(term.clean, parts))


def _some(paths: Sequence[str]) -> list[str]:
    more = len(paths) - _FILES
    return [*paths[:_FILES], f"… and {more} more"] if more > 0 else list(paths)


# -- HTML


def page(found: PullRequest) -> Iterator[str]:
    """The report as one page: no script, nothing fetched, and the policy that says so."""
    title = html.esc(f"Agent sessions in {words.revisions(found.range)}")
    yield html.head(title)
    yield f"<header>\n<h1>{title}</h1>\n<p>{html.esc(summary(found))}</p>\n</header>\n<main>\n"
    for told in found.sessions:
        yield f"<section>\n<h2>{html.esc(_about(told))}</h2>\n<p><small>{html.esc(_facts(told))}</small></p>\n"
        if told.prompts:
            yield "<ol>\n"
            yield from (f"<li>{html.esc(prompt)}</li>\n" for prompt in told.prompts)
            yield "</ol>\n"
            more = told.asked - len(told.prompts)
            yield f"<p><small>… and {term.count(more, 'more prompt')}</small></p>\n" if more > 0 else ""
        yield from _list(told.commits)
        if paths := told.paths:
            yield f"<details><summary>{term.count(len(paths), 'file')}</summary><ul>\n"
            yield from (f"<li><code>{html.esc(path)}</code></li>\n" for path in paths)
            yield "</ul></details>\n"
        yield "</section>\n"
    if found.unlinked:
        yield "<section>\n<h2>Commits of agents without a session</h2>\n"
        yield from _list(found.unlinked)
        yield "</section>\n"
    yield "</main>\n</body>\n</html>\n"


def _list(commits: Sequence[Commit]) -> Iterator[str]:
    yield "<ul class=commits>\n"
    for commit in commits:
        says = f" <small>says {html.esc(commit.says)}</small>" if commit.says else ""
        yield f"<li><code>{commit.id[: words.SHORT_COMMIT]}</code> {html.esc(commit.subject)}{says}</li>\n"
    yield "</ul>\n"
