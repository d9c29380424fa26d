"""`export`: a session as Markdown, JSON, JSON lines and one HTML page, whatever its texts hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import sys
import time
import tracemalloc
from html.parser import HTMLParser

import pytest

from git_agent_session.report import export
from git_agent_session.report.markdown import body, inline
from git_agent_session.report.timeline import Timeline
from tests.e2e.cli import Cli
from tests.e2e.kept import Kept, answer, at, call, prompt, result, thinking
from tests.harness import Repo

EVIL = (
    "</title></style></pre></details><script>alert(1)</script><img src=x onerror=alert(1)>"
    "\" onload=\"x' onclick='y --> ]]> <!-- &lt;b&gt; \x1b[31m \u202egnirts \ud800"
)
VOID = {"meta", "link", "br", "hr", "img", "input"}
MARKS = {"class", "datetime", "lang", "charset", "http-equiv", "content", "name"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, their attributes, texts, and whether each is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.fixture
def kept(repo: Repo) -> Kept:
    repo.commit("one")
    kept = Kept(repo, tags=["auth"], meta={"ticket": "A-1"})
    commit = repo.commit("Limit the logins", files={"login.py": "1\n"})
    kept.store.link(kept.id, [commit])
    kept.store.append(kept.id, "tool", {"name": "Bash", "summary": "make", "outcome": "ok", "duration_ms": 1200})
    kept.store.usage(kept.id, input_tokens=12340, output_tokens=2100, cost_usd=0.1234)
    kept.store.append(kept.id, "agent", {"action": "start", "agent_id": "a01", "type": "Explore"})
    kept.chunk(
        prompt(1, "Limit the **logins**"),
        thinking(2, "Where?"),
        answer(3, "## Plan\n\nFirst `Dict[str, int]`.\n\n```python\nif a < b:\n    pass\n```\nThen more."),
        call(4, "Bash", {"command": "seq 30"}),
        result(5, "t4", "\n".join(f"line {n}" for n in range(30))),
        answer(9, "Done."),
    )
    kept.chunk(prompt(6, "look"), answer(7, "found"), source="a01", first=at(6))
    return kept


@pytest.fixture
def cli(kept: Kept) -> Cli:
    return Cli(kept.repo)


@pytest.fixture
def evil(repo: Repo) -> Cli:
    """A session whose every text is hostile."""
    repo.commit("one")
    kept = Kept(repo, goal=EVIL, title=EVIL, tags=["<b>"], meta={EVIL: EVIL}, user=EVIL)
    # as it would stand in somebody else's push
    kept.store.append(kept.id, "set", {"type": EVIL, "project": EVIL})
    kept.store.link(kept.id, [repo.commit("<script>alert(2)</script>", files={"<i>.py": "1\n"})])
    kept.store.append(kept.id, "tool", {"name": EVIL, "summary": EVIL, "outcome": EVIL})
    kept.store.append(kept.id, "agent", {"action": "start", "agent_id": "<a>", "type": EVIL})
    kept.store.append(kept.id, "usage", {"cost_usd": 1.0, "by": EVIL, "unpriced": [EVIL]})
    kept.chunk(prompt(1, EVIL), thinking(2, EVIL), answer(3, f"{EVIL}\n```{EVIL}\n{EVIL}\n``\n{EVIL} `{EVIL}`"))
    kept.chunk(call(4, EVIL, {EVIL: EVIL, "a": f"{EVIL}\n" * 20}), result(5, "t4", EVIL, failed=True))
    kept.chunk(prompt(6, EVIL), source="<a>", first=at(6))
    return Cli(repo)


# -- HTML


def test_the_page_is_well_formed_and_says_everything(cli: Cli) -> None:
    page = Page(cli("export", "--format", "html").out)
    text = "".join(page.texts)
    assert page.open == []
    for part in ("Limit the logins", "12,340 in, 2,100 out", "$0.1234", "Subagent Explore (a01)", "line 29", "A-1"):
        assert part in text, part
    assert "if a < b:\n    pass" in text and "```" not in text
    assert page.elements.count("article") == 8


def test_the_page_asks_for_nothing_and_runs_nothing(cli: Cli) -> None:
    out = cli("export", "--format", "html").out
    page = Page(out)
    assert not {"script", "link", "img", "iframe", "a", "form", "base"} & set(page.elements)
    assert not {"src", "href", "style", "srcset"} & {name for name, _ in page.attributes}
    policy = re.search(r'Security-Policy" content="([^"]*)"', out)
    assert policy and policy[1].startswith("default-src 'none'; style-src 'sha256-")
    style = re.search(r"<style>(.*?)</style>", out, re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy[1]


def test_the_page_is_for_dark_and_light_and_for_phones(cli: Cli) -> None:
    out = cli("export", "--format", "html").out
    assert "prefers-color-scheme: dark" in out and 'name="viewport"' in out and "max-width: 34rem" in out


def test_nothing_of_a_hostile_text_becomes_an_element_or_an_attribute(evil: Cli) -> None:
    out = evil("export", "--format", "html").out
    page = Page(out)
    assert page.open == [] and page.comments == []
    assert not {"script", "img", "b>", "i"} & set(page.elements)
    assert page.elements.count("title") == page.elements.count("style") == 1
    assert {name for name, _ in page.attributes} <= MARKS
    assert "".join(page.texts).count("<script>alert(1)</script>") > 15
    assert "<script>alert(2)</script>" in "".join(page.texts)
    assert not {c for c in out if c != "\n" and not c.isprintable()}


def test_a_tools_output_is_folded(cli: Cli) -> None:
    out = cli("export", "--format", "html").out
    assert re.search(r"<details><summary>Result Bash: 30 lines</summary>\n<pre>line 0\n", out)


# -- Markdown


def test_markdown_reads_as_a_document(cli: Cli, kept: Kept) -> None:
    out = cli("export").out
    headings = re.findall(r"^#{1,3} .*$", out, re.M)
    assert headings == [
        *("# Limit the logins", "## Commits", "## Tools", "## Timeline", "## Transcript"),
        *("### Subagent Explore (a01)", "### The session goes on"),
    ]
    assert f"| Session | {kept.id} |\n" in out
    assert "| Tokens | 12,340 in, 2,100 out |\n| Cost | $0.1234 |\n" in out
    assert re.search(r"^- `[0-9a-f]{10}` Limit the logins \(manual\)$", out, re.M)
    assert "\n> Limit the **logins**\n" in out
    assert "\nFirst `Dict[str, int]`.\n\n```python\nif a < b:\n    pass\n```\n\nThen more.\n" in out
    assert "<summary>Result: 30 lines</summary>\n\n```\nline 0\n" in out


def test_markdown_cuts_long_outputs_unless_all_is_asked_for(cli: Cli) -> None:
    assert "… 10 more lines" in cli("export").out
    assert "line 29\n" in cli("export", "--full").out


def test_no_hostile_text_is_html_in_markdown(evil: Cli) -> None:
    out = evil("export", "--format", "markdown").out
    bare = re.sub(r"^(> )?(`{3,}).*?^(> )?\2$", "", out, flags=re.M | re.S)
    tags = set(re.findall(r"(?<!\\)</?([a-z]+)", bare))
    assert tags <= {"details", "summary", "sub"}
    assert bare.count("<details>") == bare.count("</details>") - bare.count("\\</details>")
    assert not {c for c in out if c != "\n" and not c.isprintable()}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# one", ["##### one"]),
        ("- # one", ["- ##### one"]),
        ("one\n===", ["one", "\\==="]),
        ("one\n-", ["one", "\\-"]),
        ("one\n---", ["one", "***"]),
        ("`<b>` <b>", ["`<b>` \\<b>"]),
        ("a ` b\n`<script>`", ["a \\` b", "`<script>`"]),
        ("| a `x | <script>` |", ["| a `x | \\<script>` |"]),
        ("![x](http://e.example/p.png)", ["\\![x](http://e.example/p.png)"]),
        ("\\<b> \\\\<b>", ["\\<b> \\\\\\<b>"]),
        ("```\n<b>", ["```", "<b>", "```"]),
        ("~~~ a`b\n```\n~~~\nx", ["````ab", "```", "````", "", "x"]),
        ("- a\n\n      ```sh\n      x\n      ```", ["- a", "", "```sh", "x", "```"]),
    ],
)
def test_what_people_wrote_stays_within_its_place(text: str, lines: list[str]) -> None:
    assert list(body(text)) == lines


@pytest.mark.large
def test_no_text_takes_much_longer_than_it_is_long() -> None:
    ticks = " ".join("`" * n for n in range(1, 1500))
    for text in ("~" * 200_000 + "`", "`" * 200_000 + "~`x`", ticks, "> " * 100_000 + "x", "-" * 200_000 + "x"):
        start = time.process_time()
        assert "".join(body(text))
        # tried in every way it would be minutes
        assert time.process_time() - start < 5, text[:10]


def test_plain_text_in_one_line_is_no_markdown() -> None:
    assert inline("# a *b* `c` <d> | [e](f)\n- g") == "\\# a \\*b\\* \\`c\\` \\<d\\> \\| \\[e\\](f) - g"
    assert (inline("1. x"), inline("2026-01-31"), inline("")) == ("1\\. x", "2026-01-31", "")


# -- JSON


def test_json_is_one_document_with_everything(cli: Cli, kept: Kept) -> None:
    doc = cli("export", "--format", "json").json
    assert list(doc) == ["session", "duration_ms", "tools", "commits", "contexts", "events", "items"]
    assert doc["session"] == cli("status", "--json").json
    assert doc["events"] == cli("history", "--json").json
    assert doc["commits"] == cli("commits", "--json").json
    assert doc["items"] == cli("history", "--transcript", "--json").json
    assert doc["tools"] == {"Bash": 1}


def test_jsonl_has_the_same_in_lines(cli: Cli) -> None:
    doc = cli("export", "--format", "json").json
    rows = [json.loads(line) for line in cli("export", "--format", "jsonl").out.splitlines()]
    assert all(set(row) == {"type", row["type"]} for row in rows)
    assert [row["session"] for row in rows if row["type"] == "session"] == [doc["session"]]
    for name, key in (("commit", "commits"), ("event", "events"), ("item", "items"), ("context", "contexts")):
        assert [row[name] for row in rows if row["type"] == name] == doc[key]


def test_context_snapshots_are_exported(cli: Cli) -> None:
    event = cli("context", "add", "--json").json
    (snapshot,) = cli("export", "--format", "json").json["contexts"]
    assert snapshot["event"] == event["id"] and snapshot["branch"] == "main"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_of_hostile_texts_steers_no_terminal(evil: Cli, form: str) -> None:
    out = evil("export", "--format", form).out
    for line in out.splitlines() if form == "jsonl" else [out]:
        json.loads(line)
    assert not {c for c in out if c != "\n" and not c.isprintable()}


def test_json_leaves_as_ascii_where_the_output_is_no_utf8(kept: Kept) -> None:
    kept.chunk(prompt(20, "größer"))
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = kept.repo.cli("export", "--format", "json", env=env, check=True)
    assert done.stdout.isascii() and json.loads(done.stdout)["items"][-1]["text"] == "größer"


# -- the command


@pytest.mark.parametrize("form", export.FORMATS)
def test_the_transcript_can_be_left_out(cli: Cli, form: str) -> None:
    assert "found" in cli("export", "--format", form).out
    assert "found" not in cli("export", "--format", form, "--no-transcript").out


def test_a_file_is_written_whole_and_privately(cli: Cli, repo: Repo) -> None:
    done = cli("export", "--output", "out.html")
    path = repo.path / "out.html"
    assert done.out == "" and path.read_text(encoding="utf-8").endswith("</html>\n")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in repo.path.iterdir() if p.name.startswith("out")] == ["out.html"]


def test_a_file_that_is_there_is_not_overwritten_without_force(cli: Cli, repo: Repo) -> None:
    (repo.path / "out.md").write_text("mine")
    assert "--force" in cli.fails("export", "--output", "out.md")
    assert (repo.path / "out.md").read_text() == "mine"
    cli("export", "--output", "out.md", "--force")
    assert (repo.path / "out.md").read_text(encoding="utf-8").startswith("# Limit the logins\n")


def test_a_link_to_nowhere_is_not_written_through(cli: Cli, repo: Repo) -> None:
    (repo.path / "out.md").symlink_to(repo.path / "elsewhere")
    assert "exists already" in cli.fails("export", "--output", "out.md")
    assert not (repo.path / "elsewhere").exists()


def test_nothing_is_left_where_a_file_cannot_be_written(cli: Cli, repo: Repo) -> None:
    assert "cannot read or write" in cli.fails("export", "--output", "none/out.md")
    assert not (repo.path / "none").exists()


@pytest.mark.parametrize(("name", "start"), [("a.json", "{"), ("a.jsonl", '{"type"'), ("a.HTML", "<!"), ("a", "# ")])
def test_the_files_name_chooses_the_format(cli: Cli, repo: Repo, name: str, start: str) -> None:
    cli("export", "-o", name)
    assert (repo.path / name).read_text(encoding="utf-8").startswith(start)


def test_what_makes_no_sense_is_refused(cli: Cli) -> None:
    assert "markdown, json, jsonl, html" in cli.fails("export", "--format", "pdf", code=2)
    assert "--output" in cli.fails("export", "--force", code=2)


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_broken_chunk_is_reported_and_the_rest_exported(cli: Cli, kept: Kept, form: str) -> None:
    kept.chunk(prompt(30, "gone"), lost=True)
    kept.chunk("{broken\n", prompt(31, "still here"))
    done = cli("export", "--format", form)
    assert "still here" in done.out
    assert done.err.count("warning: ") == 2 and "cannot be read" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("form", export.FORMATS)
def test_memory_does_not_grow_with_the_transcript(repo: Repo, form: str) -> None:
    repo.commit("one")
    kept = Kept(repo)
    for part in range(20):
        kept.chunk(*[answer(part * 100 + n, "word <b> " * 550) for n in range(100)])
    store = kept.store
    summary, events = store.summary(kept.id), store.history(kept.id)
    timeline = Timeline(store, summary.session, events)
    made = export.Record(summary, [], events, [], lambda commit: "", timeline)
    tracemalloc.start()
    total = sum(len(piece) for piece in export.form(form)(made))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 9_000_000
    assert peak < 5_000_000
