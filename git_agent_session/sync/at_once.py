"""A push that has begun before anything else is loaded: while git talks, the program gets ready to tell of it.

Loading the libraries and going over all refs takes as long as a push of one session does. So where files alone tell
what is to be sent (no event waits, nothing is to be archived, each ref is new or has moved), git is started with that,
and the command reads its answer when it gets there. Git and the remote refuse what is no step forward, as ever; of what
is refused, and of all that files do not tell, the whole way is gone (`run.push`).

Standard library only before git is started, and little of it.
"""

from __future__ import annotations

import os

from git_agent_session import journal, live
from git_agent_session.errors import GitError
from git_agent_session.git import ref_files
from git_agent_session.git.discover import discover, foreign_format
from git_agent_session.git.environment import clean_env
from git_agent_session.git.ref_files import NOTES, SESSIONS
from git_agent_session.git.running import Running
from git_agent_session.ids import is_session_id
from git_agent_session.store import crowded, looked, purged
from git_agent_session.sync import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from git_agent_session.git.discover import Location
    from git_agent_session.git.transport import Progress, Said
    from git_agent_session.sync.heard import Sent
    from git_agent_session.sync.remote import Remote
    from git_agent_session.sync.report import Report

# refs in one push: what git says of them fits into a pipe
MOST = 50
# what ties git to another repository, or configures it for one command: then all is left to the whole way
_TIED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT")


class Begun:
    """A `git push` that runs: of `send` (ref -> tip) to the remote `name`."""

    def __init__(self, location: Location, name: str, url: str, send: dict[str, str]) -> None:
        self.location = location
        self.name = name
        self.url = url
        self.send = send
        self.running: Running | None = None

    def start(self, *, progress: bool) -> None:
        """Raises GitError when there is no git."""
        specs = [f"{tip}:{ref}" for ref, tip in self.send.items()]
        args = words.push(self.name, specs, named=True, progress=progress)
        self.running = Running(args, _folder(self.location), clean_env(words.environment()))

    def close(self) -> None:
        """End it where nobody has heard it out."""
        if self.running is not None:
            self.running.close()


def begin(argv: Sequence[str], environ: Mapping[str, str]) -> Begun | None:
    """Start the push that `push ARGV` asks for, where that can be told so quickly. The caller hears it out (`told`),
    and closes it.
    """
    given = [word for word in argv if word != "--json"]
    if len(given) > 1 or len(argv) - len(given) > 1 or not hasattr(os, "posix_spawnp"):
        return None
    if any(name in environ for name in _TIED) or (given and not _is_name(given[0])):
        return None
    try:
        begun = _planned(given[0] if given else "", environ)
        if begun is None or not begun.send:
            return None
        begun.start(progress=len(given) == len(argv) and os.isatty(2))
        return begun
    except (GitError, OSError, ValueError):
        return None  # whatever it is: the whole way says it


def _planned(name: str, environ: Mapping[str, str]) -> Begun | None:
    location = discover(None, environ)
    if location is None or foreign_format(location.common_dir) or not _settled(location):
        return None
    name = name or _default(location)
    if not _is_name(name):
        return None
    # git itself looks whether this repository is the user's own, and what the address is
    asking = Running(["remote", "get-url", "--push", "--", name], _folder(location), clean_env())
    try:
        send = _difference(location, name)
        url = os.fsdecode(asking.stdout.read()).strip("\n")
        if asking.wait() != 0 or not url or len(send) > MOST:
            return None
    finally:
        asking.close()
    return Begun(location, name, url, send)


def _is_name(text: str) -> bool:
    return words.is_plain(text) and not text.startswith("-")


def _settled(location: Location) -> bool:
    """Whether nothing waits that a push would write into sessions first."""
    traces = os.path.join(location.private, "traces")
    rewritten = live.listed(os.path.join(location.shared, "rewrites"))
    return not (journal.waiting(location.shared) or rewritten or os.path.isdir(traces) or looked.has_moved(location))


def _default(location: Location) -> str:
    """The remote that is configured, or the only one; "" where it takes more to tell."""
    names = _asked(location, "config", "--get", words.CONFIG) or _asked(location, "remote")
    return names[0] if len(names) == 1 else ""


def _asked(location: Location, *args: str) -> list[str]:
    running = Running(args, _folder(location), clean_env())
    try:
        return os.fsdecode(running.stdout.read()).splitlines()
    finally:
        running.close()


def _difference(location: Location, name: str) -> dict[str, str]:
    """Our refs that the remote is not known to have as they are. Raises ValueError where more is to be done."""
    common = location.common_dir
    unlike, count = ref_files.differing(common, SESSIONS, words.tracking(name))
    noted, known = ref_files.read(common, NOTES, words.noted(name))
    if crowded.due(location.shared, count):
        raise ValueError("there may be sessions to archive")
    if any(words.is_archive(below) for below in unlike):
        raise ValueError("an archive is to be looked into")
    barred = purged.ids(location.shared)
    send = {SESSIONS + i: tip for i, tip in sorted(unlike.items()) if is_session_id(i) and i not in barred}
    if noted and noted != known:
        send[NOTES] = noted[""]
    return send


def _folder(location: Location) -> str:
    # without GIT_DIR, so that git looks whose repository it is (git-config(1), safe.directory)
    return location.worktree or location.git_dir


# -- when the command gets there


def told(begun: Begun, progress: Progress | None, *, whole: bool) -> tuple[Report, bool]:
    """What became of the push: the report, with `whole` also of each ref that the remote has already; and False where
    something was refused that the whole way may explain.
    """
    from git_agent_session.sync.remote import Remote
    from git_agent_session.sync.report import SENT, Report, Result

    remote = Remote(begun.name, begun.url, begun.name, True)
    report = Report(remote)
    report.results += (Result(ref, SENT, "up-to-date") for ref in (_same(begun) if whole else ()))
    try:
        sent = list(_sent(begun, remote, progress, report))
    finally:
        begun.close()
    good = [one for one in sent if one.status != "rejected"]
    report.results += (Result(one.ref, SENT, one.status, "", begun.send.get(one.ref, "")) for one in good)
    _remember(begun, remote, report, good)
    return report, len(good) == len(sent)


def _same(begun: Begun) -> list[str]:
    """The refs that the remote is known to have as they are."""
    try:
        ours, theirs, noted, known = ref_files.read(
            begun.location.common_dir, SESSIONS, words.tracking(begun.name), NOTES, words.noted(begun.name)
        )
    except (OSError, ValueError):
        return []  # moved just now
    names = (i for i, tip in ours.items() if theirs.get(i) == tip and SESSIONS + i not in begun.send)
    same = [SESSIONS + i for i in names if is_session_id(i) or words.is_archive(i)]
    return [*same, NOTES] if noted and noted == known and NOTES not in begun.send else same


def _sent(begun: Begun, remote: Remote, progress: Progress | None, report: Report) -> Iterator[Sent]:
    from git_agent_session.sync import heard

    try:
        yield from heard.pushed(remote, _heard_out(begun, progress), begun.send)
    except GitError as e:
        report.errors.append(e.line())


def _heard_out(begun: Begun, progress: Progress | None) -> Said:
    """All that git says until it ends; a helper that it leaves behind may keep its standard error open."""
    import select

    from git_agent_session.git.transport import KEPT, Said, harmless, lines

    assert begun.running is not None
    out, err = begun.running.stdout.fileno(), begun.running.stderr.fileno()
    said = {out: bytearray(), err: bytearray()}
    open_streams = {out, err}
    while out in open_streams:
        for stream in select.select(list(open_streams), [], [])[0]:
            chunk = os.read(stream, 65536)
            if not chunk:
                open_streams.discard(stream)
            said[stream] += chunk
            if stream == err:
                del said[err][:-KEPT]
                if progress is not None:
                    progress(harmless(chunk.decode("utf-8", "replace")))
    status = begun.running.wait()
    while err in open_streams and select.select([err], [], [], 0)[0] and (chunk := os.read(err, 65536)):
        said[err] += chunk
    return Said(status, said[out].decode("utf-8", "replace"), lines(bytes(said[err][-KEPT:])))


def _remember(begun: Begun, remote: Remote, report: Report, good: Sequence[Sent]) -> None:
    """What a push that went through leaves here, as `run.push` does."""
    from git_agent_session.sync import consent

    sent = {one.ref: begun.send[one.ref] for one in good if one.ref in begun.send}
    if not sent:
        return
    tracked = {words.tracking(begun.name) + ref[len(SESSIONS) :]: tip for ref, tip in sent.items() if ref != NOTES}
    if NOTES in sent:
        tracked[words.noted(begun.name)] = sent[NOTES]
    running = Running(["update-ref", "-z", "--stdin"], _folder(begun.location), clean_env(), stdin=True)
    try:
        assert running.stdin is not None
        running.stdin.write(b"".join(b"update %s\0%s\0\0" % (r.encode(), t.encode()) for r, t in tracked.items()))
        running.stdin.close()
        running.wait()
    except OSError:
        pass  # a cache: what is not remembered is offered once more
    finally:
        running.close()
    report.warnings += consent.public(begun.location.shared, remote)
    consent.confirm(begun.location.shared, remote)
