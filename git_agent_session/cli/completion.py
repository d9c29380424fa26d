"""`completion`: the script that teaches a shell to complete commands, options and session ids.

The scripts are click's own; each gets a few lines more, so that `git agent-session` completes as `git-agent-session`
does. A completion runs this program, and never prints an error.
"""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import pass_env

_BASH = """
_git_agent_session() {
    local index=${__git_cmd_idx:-1}
    local -a COMP_WORDS=("git-agent-session" "${COMP_WORDS[@]:index+1}")
    local COMP_CWORD=$((COMP_CWORD - index))
    _git_agent_session_completion git-agent-session
}
"""

_ZSH = """
_git-agent-session() {
    _git_agent_session_completion "$@"
}
"""

_FISH = """
function _git_agent_session_in_git
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = agent-session
end

function _git_agent_session_from_git
    set -l words (commandline -opc) (commandline -t)
    set -l line git-agent-session $words[3..-1]
    for entry in (env _GIT_AGENT_SESSION_COMPLETE=fish_complete COMP_WORDS="$line" COMP_CWORD=(commandline -t) \
git-agent-session)
        set -l metadata (string split , -m 1 $entry)
        test "$metadata[1]" = plain; and echo $metadata[2]
    end
end

complete --no-files --command git --condition _git_agent_session_in_git --arguments "(_git_agent_session_from_git)"
"""


@click.command()
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@pass_env
def command(env: Env, shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options and session ids, for `git agent-session` and `git-agent-session` alike.
    """
    env.out.write(script(shell))


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    from click.shell_completion import get_completion_class

    from git_agent_session.cli.commands import program
    from git_agent_session.cli.main import COMPLETE

    found = get_completion_class(shell)
    assert found is not None
    # not `source()`: for bash it starts one to ask its version
    completion = found(program, {}, "git-agent-session", COMPLETE)
    text = completion.source_template % completion.source_vars()
    extra = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]
    if shell == "zsh":
        # the autoloaded file runs its last lines: what is added stands before them
        head, mark, tail = text.rpartition("\nif [[ $zsh_eval_context")
        return f"{head}{extra}{mark}{tail}"
    return text.rstrip("\n") + "\n" + extra
