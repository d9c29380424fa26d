"""What `blame` and `why` do once git is at work: read, and show. Without click, so that both ways in share it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from git_agent_session.answers import why as reasons
from git_agent_session.answers.blame import Blamed, BlamedLine
from git_agent_session.cli.early import Begun, Call
from git_agent_session.cli.env import Env
from git_agent_session.errors import GitError
from git_agent_session.git.blame import Blame
from git_agent_session.git.light import Light
from git_agent_session.report import answers
from git_agent_session.store.reader import Reader

if TYPE_CHECKING:
    from git_agent_session.answers.why import Answer

# answers of `why` that are shown
FEW = 5


def blame(env: Env, call: Call, begun: Begun) -> None:
    """Print who wrote each line."""
    with _read(env, begun) as blamed:
        if call.form == "json":
            env.json([line.to_dict() for line in blamed.lines()])
        elif call.form == "porcelain":
            _porcelain(env, blamed)
        else:
            _show(env, blamed)
        for error in blamed.attribution.broken:
            env.warn(error.line())


def why(env: Env, call: Call, begun: Begun, number: int | None = None) -> None:
    """Print why lines are there, at most `number` answers (None: FEW, of JSON all)."""
    # what is needed once git has answered, loaded while it is at work
    import datetime  # noqa: F401

    import tomli  # noqa: F401

    from git_agent_session import plain_toml  # noqa: F401

    with _read(env, begun) as blamed:
        found = reasons.of_blamed(blamed, call.path)
        if not call.options.ranges:
            found.sort(key=lambda a: -a.count)
        if not found and call.form != "json":
            env.say(f"{call.path} has no lines; `git log` lists the commits that changed it, `why COMMIT` asks of one")
        show_why(env, found, number, as_json=call.form == "json", full=call.full)
        for error in blamed.attribution.broken:
            env.warn(error.line())


def show_why(env: Env, found: Sequence[Answer], number: int | None, *, as_json: bool, full: bool) -> None:
    """Print answers."""
    shown = found if as_json and number is None else found[: number or FEW]
    if as_json:
        env.json([answer.to_dict() for answer in shown])
        return
    lines = answers.why(env.view(paged=True), shown, lambda c: str(env.facts(c).get("subject", "")), full=full)
    env.lines(lines, paged=True)
    _remark_absent(env, {s.session.id for a in shown for s in a.sessions if not s.present})
    if len(shown) < len(found):
        env.say(f"{len(found) - len(shown)} more; -n {len(found)} shows all")


@contextlib.contextmanager
def _read(env: Env, begun: Begun) -> Iterator[Blamed]:
    """What git's blame says, and who wrote it; what runs for it ends with the `with`."""
    with Blame(begun.running) as running, contextlib.closing(Light(begun.location, env.environ)) as repo:
        env.repo = repo
        repo.start()
        try:
            # who prints to no terminal need not load what draws
            with env.busy("Reading sessions", "sessions") if env.err.isatty() else contextlib.nullcontext() as bar:
                blamed = Blamed(Reader(repo, env.environ), running, begun.whole, bar)
        except GitError:
            # where libgit2 refuses the repository, it says better why
            assert repo.raw is not None
            raise
        yield blamed


def _show(env: Env, blamed: Blamed) -> None:
    blocks = list(blamed.blocks())
    ids = {block.line.session for block in blocks if block.line.session}
    env.lines(answers.blame(env.view(paged=True, shorts=ids), blocks), paged=True)
    _remark_absent(env, {block.line.session for block in blocks if not block.line.present})


def _remark_absent(env: Env, sessions: set[str]) -> None:
    """Say on stderr that sessions are not here, and how to get them."""
    if sessions:
        env.say(answers.absent(len(sessions)))


def _porcelain(env: Env, blamed: Blamed) -> None:
    """git's own bytes, and before each text the header lines that say who wrote it."""
    parts: list[bytes] = []
    for block in blamed.blocks():
        own = b"\n" + _heads(block.line)
        parts += [part for head, text in zip(block.heads, block.raw, strict=True) for part in (head, own, text, b"\n")]
    data = b"".join(parts)
    env.out.flush()
    stream = getattr(env.out, "buffer", None)
    if stream is not None:
        stream.write(data)
        stream.flush()
    else:
        env.out.write(data.decode("utf-8", "surrogateescape"))


def _heads(line: BlamedLine) -> bytes:
    heads = [f"agent-session-kind {line.kind}"]
    if line.session:
        heads += [f"agent-session-id {line.session}", f"agent-session-agent {line.agent or 'unknown'}"]
        heads += [f"agent-session-prompt {line.prompt}"] if line.prompt else []
        heads += [] if line.present else ["agent-session-absent"]
    return "".join(f"{head}\n" for head in heads).encode("utf-8", "replace")
