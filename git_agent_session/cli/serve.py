"""`serve`: the sessions of this repository over HTTP, for programs on this machine."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import FILE, TEXT, json_option, pass_env

_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--port", metavar="N", type=_PORT, default=8474, help="The port; default: 8474, 0: a free one.")
@click.option("--host", metavar="ADDRESS", type=TEXT, default="127.0.0.1", help="Listen there; default: 127.0.0.1.")
@click.option("--expose", is_flag=True, help="Let --host be an address that other machines reach.")
@click.option("--name", metavar="HOST", multiple=True, type=TEXT, help="With --expose: a name that it is known by.")
@click.option("--token-file", metavar="FILE", type=FILE, help="Take the token from FILE, which only you can read.")
@json_option
@pass_env
def command(
    env: Env, port: int, host: str, expose: bool, name: tuple[str, ...], token_file: str | None, as_json: bool
) -> None:
    """Serve the sessions of this repository over HTTP, until ^C.

    It prints its address and a token that is new each time; every request must carry it, as `Authorization: Bearer
    TOKEN`. Only programs on this machine can reach it. GET /openapi.json describes all that it takes. It runs commands
    only where agentSession.execute names the one that it may run. It needs the extra [web].
    """
    from git_agent_session import web

    web.require()
    from git_agent_session.web import server

    if host not in server.LOOPBACK and not expose:
        refuse(f"other machines could reach {host}", "add --expose if they should; there is no encryption")
    if name and not expose:
        refuse("--name is for a server that others reach", "add --expose, or leave it out")
    token = server.read_token(token_file) if token_file else ""

    def told(address: server.Address) -> None:
        if as_json:
            env.json({"url": address.url, **({} if token_file else {"token": address.token})})
        else:
            env.write(f"Serving {env.folder}")
            env.write(f"  address: {address.url}")
            env.write(f"  token:   {f'as in {token_file}' if token_file else address.token}")
        env.out.flush()
        if expose:
            env.warn("what is sent is not encrypted: whoever can listen in between has the token")

    server.complain()
    parts = server.parts_for(env.store.repo.location)
    server.Server(parts, host=host, port=port, token=token, further=name).serve_until_ended(told)
