"""`web`: the sessions of this repository in a browser, or as static files."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.index import progress
from git_agent_session.cli.params import FILE, json_option, pass_env


@click.command()
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="The port; default: a free one.")
@click.option("--open", "opens", is_flag=True, help="Open the link in the browser too.")
@click.option("--export", "folder", metavar="DIR", type=FILE, help="Write the pages as static files into DIR instead.")
@json_option
@pass_env
def command(env: Env, port: int, opens: bool, folder: str | None, as_json: bool) -> None:
    """Look at sessions in a browser, live while agents work.

    There they are as timelines, beside commits and files, and in numbers. It prints a link that works once and serves
    until ^C, on this machine alone; it only reads. With --export the same pages are written as files that any browser
    opens from disk. It needs the extra [web].
    """
    from git_agent_session.web import viewer

    viewer.require()
    from git_agent_session import index

    if folder is not None and not folder.strip():
        refuse("--export needs a folder", "name one that does not exist yet")
    # the first time takes long, and a page should not
    for error in index.open(env.store).refresh(progress(env, "sessions")).broken:
        env.warn(error.line())
    if folder is not None:
        _export(env, folder, as_json)
    else:
        _serve(env, port, opens=opens, as_json=as_json)


def _export(env: Env, folder: str, as_json: bool) -> None:
    from git_agent_session import term
    from git_agent_session.web.viewer import export

    done = export.write(env.store, folder, progress(env, "pages"))
    if as_json:
        env.json(done.to_dict())
    else:
        env.write(done.path)
        env.say(f"{term.count(done.pages, 'page')} written")


def _serve(env: Env, port: int, *, opens: bool, as_json: bool) -> None:
    from git_agent_session.web import server
    from git_agent_session.web.viewer import serve

    server.complain()
    made = serve.Server(env.store.repo.location, port=port)

    def told() -> None:
        if as_json:
            env.json({"url": made.url, "link": made.link})
        else:
            env.write(f"Looking at {env.folder}")
            env.write(f"  {made.link}")
            env.say("the link works once; ^C ends it")
        env.out.flush()
        if opens:
            import webbrowser

            webbrowser.open(made.link)

    made.serve_until_ended(told)
