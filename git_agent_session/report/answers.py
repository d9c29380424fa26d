"""`blame` and `why` for a person to read. All that comes from files, commits and sessions is cleaned here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from git_agent_session import term
from git_agent_session.agents.authorship import AGENT, HUMAN, MIXED, UNKNOWN
from git_agent_session.answers.blame import BlamedLine, Block
from git_agent_session.answers.why import Answer, Behind, Said
from git_agent_session.report import view as words
from git_agent_session.report.view import View

# lines, at least, that are put together for one write
BLOCK = 500
# columns of who wrote a line
_WHO = 40
# lines of a text, unless all of it is asked for
_FEW = 6
_TAB = 8
# what stands for a line's author in one letter where many lines are shown
WORDS = {AGENT: "agent", HUMAN: "human", MIXED: "mixed", UNKNOWN: "?"}
NOT_COMMITTED = "not committed yet"
GET = "`git agent-session fetch` gets what others have shared"


def blame(view: View, blocks: Sequence[Block]) -> Iterator[str]:
    """A line for each: commit, who wrote it, author date, number, text. Several lines come as one text."""
    rows = [block.line for block in blocks]
    last = len(str(rows[-1].number + len(blocks[-1].raw) - 1)) if rows else 1
    keys = [(row.commit, row.kind, row.session, row.prompt) for row in rows]
    firsts = dict(zip(reversed(keys), reversed(rows), strict=True))
    whos = {key: _who(view, row) for key, row in firsts.items()}
    size = max(map(term.width, whos.values()), default=0)
    left = {key: _left(view, row, whos[key], size) for key, row in firsts.items()}
    lines: list[str] = []
    for key, block in zip(keys, blocks, strict=True):
        texts, head = block.texts, left[key]
        if not "".join(texts).isprintable():
            texts = [_code(text) for text in texts]
        lines += [f"{head} {n:>{last}}) {text}".rstrip(" ") for n, text in enumerate(texts, block.line.number)]
        if len(lines) >= BLOCK:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _code(text: str) -> str:
    if text.isprintable():
        return text
    return term.clean(text.removesuffix("\r").expandtabs(_TAB))


def _who(view: View, row: BlamedLine) -> str:
    kind = f"{WORDS[row.kind]:<5}"
    if not row.session or row.kind == HUMAN:
        name = term.clean(row.author) if row.committed else NOT_COMMITTED
        return f"{kind} {term.fit(name, _WHO - 6)}"
    short = view.shorts.get(row.session, row.session[: words.SHORT])
    asked = f" #{row.prompt}" if row.prompt else ""
    here = "" if row.present else " (not here)"
    late = "" if row.committed else f", {NOT_COMMITTED}"
    return f"{kind} {short} {term.clean(row.agent)}{asked}{here}{late}"


def _left(view: View, row: BlamedLine, who: str, size: int) -> str:
    space = " " * (size - term.width(who))
    slot = "dim" if row.kind == HUMAN or not row.session else "heading"
    date = row.at[:10] or " " * 10
    return f"{view.palette.paint('id', row.commit[: words.SHORT_COMMIT])} {view.palette.paint(slot, who)}{space} {date}"


def absent(count: int) -> str:
    """What to say of sessions that notes name and that are not here."""
    return f"{term.count(count, 'session')} named by notes {'is' if count == 1 else 'are'} not here; {GET}"


def why(view: View, answers: Sequence[Answer], subject: Callable[[str], str], *, full: bool = False) -> Iterator[str]:
    """Each answer as a paragraph; `subject` gives that of a commit."""
    for n, answer in enumerate(answers):
        if n:
            yield ""
        yield from _answer(view, answer, subject, full)


def _answer(view: View, answer: Answer, subject: Callable[[str], str], full: bool) -> Iterator[str]:
    if answer.path:
        where = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in answer.ranges[:8])
        more = ",…" if len(answer.ranges) > 8 else ""
        yield f"{view.heading(f'{term.clean(answer.path)}:{where}{more}')}  {_verdict(answer)}"
        shown = answer.text if full else answer.text[:3]
        yield from (view.dim(f"    {_fit(view, text.expandtabs(_TAB), 4)}") for text in shown)
        if len(shown) < len(answer.text):
            yield view.dim(f"    … {term.count(len(answer.text) - len(shown), 'more line')}")
    if answer.commit:
        who = ", ".join(t for t in (term.clean(answer.author), view.ago(answer.at)) if t)
        yield f"commit   {view.commit(answer.commit)} {term.clean(answer.subject)} ({who})"
    for behind in answer.sessions:
        yield from _behind(view, behind, subject, full)
    others = [p for p in answer.files if p != answer.path]
    if others and answer.sessions:
        yield f"{'beside' if answer.path else 'files':<8} {_some(others)}"
    if not answer.sessions:
        yield "session  none" + ("" if answer.commit else f": {NOT_COMMITTED}")


def _verdict(answer: Answer) -> str:
    if answer.sessions and answer.kind == UNKNOWN:
        return "who wrote it is not recorded"
    said = {AGENT: "written by the agent", HUMAN: "written by a person", MIXED: "the agent's, changed by a person"}
    return said.get(answer.kind, "who wrote it is not known")


def _behind(view: View, behind: Behind, subject: Callable[[str], str], full: bool) -> Iterator[str]:
    session = behind.session
    if not behind.present:
        yield f"session  {view.id(session.id)} (not in this repository); {GET}"
        return
    about = f": {term.clean(session.about)}" if session.about else ""
    yield _fit_to(view, f"session  {view.id(session.id)} {words.agent(session.agent) or 'no agent'}{about}", full)
    yield f"known by {_via(behind)}"
    if behind.prompt is not None:
        head = f"prompt   #{behind.prompt.number}, {view.ago(behind.prompt.at)}"
        yield from _text(view, head, behind.prompt, full)
    if behind.answer is not None:
        yield from _text(view, "answer", behind.answer, full)
    if behind.lines:
        yield f"lines    {', '.join(f'{n} {kind}' for kind, n in behind.lines.items())}"
    for name, commits in (("earlier", behind.before), ("later", behind.after)):
        for commit in commits:
            yield _fit_to(view, f"{name:<8} {view.commit(commit)} {term.clean(subject(commit))}", full)


def _via(behind: Behind) -> str:
    link = behind.link
    first = " (primary)" if link.primary else ""
    old = f", rewritten from {term.clean(link.rewritten_from[: words.SHORT_COMMIT])}" if link.rewritten_from else ""
    return f"{term.clean(link.via)}{first}{old}"


def _text(view: View, head: str, said: Said, full: bool) -> Iterator[str]:
    yield head
    lines = term.clean(said.text, newlines=True).strip("\n").split("\n")
    shown = lines if full else lines[:_FEW]
    yield from (f"    {line if full else _fit(view, line, 4)}".rstrip() for line in shown)
    if len(shown) < len(lines):
        yield view.dim(f"    … {term.count(len(lines) - len(shown), 'more line')}")


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(term.clean(p) for p in paths[:8])
    return f"{shown} and {len(paths) - 8} more" if len(paths) > 8 else shown


def _fit(view: View, text: str, indent: int) -> str:
    total = view.width - indent if view.width else 200
    return term.fit(term.clean(text[: 4 * 1000]), max(total, 20))


def _fit_to(view: View, line: str, full: bool) -> str:
    # colours do not count, so only plain output is cut
    return line if full or not view.width or view.palette.enabled else term.fit(line, view.width)
