"""`prompt`: what puts the current session into a shell's prompt.

The shell reads two small files by itself and starts no process, so that a prompt costs what it did. All that it shows
was checked letter by letter: an id and an agent's name, nothing that a prompt would expand.
"""

from __future__ import annotations

import os

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env

_SHELLS = ("bash", "zsh", "fish")

# bash 3.2 and zsh 5.3 read this alike; the files are those of live.py
_SH = r"""# Sets AGENT_SESSION_PS1 to this worktree's session, such as " (3f2a9c1e claude-code)", or to nothing.
# AGENT_SESSION_PS1_FORMAT says how, for printf: its one %s is the id and the agent. No process is started.
__git_agent_session_ps1() {
    local before=$? dir=$PWD gitdir=${GIT_DIR:-} common='' session='' line='' agent=paused
    AGENT_SESSION_PS1=''
    while [ -z "$gitdir" ]; do
        [ ! -e "$dir/.git" ] || gitdir=$dir/.git
        [ -n "$dir" ] || break
        dir=${dir%/*}
    done
    if [ -f "$gitdir" ]; then
        IFS= read -r line <"$gitdir" || :
        line=${line#gitdir: }
        case $line in
        /* | [A-Za-z]:*) gitdir=$line ;;
        *) gitdir=${gitdir%/*}/$line ;;
        esac
    fi
    common=$gitdir
    if [ -f "$gitdir/commondir" ]; then
        IFS= read -r line <"$gitdir/commondir" || :
        case $line in
        /* | [A-Za-z]:*) common=$line ;;
        *) common=$gitdir/$line ;;
        esac
    fi
    if [ -n "${GIT_AGENT_SESSION:-}" ]; then
        session=$GIT_AGENT_SESSION
    elif [ -n "$gitdir" ] && [ -f "$gitdir/agent-session/active" ]; then
        IFS= read -r session <"$gitdir/agent-session/active" || :
    fi
    case $session in
    *[!0-9a-f-]*) ;;
    ????????-????-????-????-????????????)
        if [ -f "$common/agent-session/live/$session" ]; then
            IFS= read -r agent <"$common/agent-session/live/$session" || :
        fi
        case $agent in
        '' | *[!a-z0-9._-]*) agent=unknown ;;
        esac
        # shellcheck disable=SC2059,SC2034 # the format is the user's; the prompt reads the variable
        printf -v AGENT_SESSION_PS1 "${AGENT_SESSION_PS1_FORMAT:- (%s)}" "${session%%-*} $agent"
        ;;
    esac
    return "$before"
}
"""

_BASH = """# In ~/.bashrc, after this: PS1='\\w$AGENT_SESSION_PS1\\$ '
case "${PROMPT_COMMAND-}" in
*__git_agent_session_ps1*) ;;
*) PROMPT_COMMAND="__git_agent_session_ps1${PROMPT_COMMAND:+; $PROMPT_COMMAND}" ;;
esac
"""

_ZSH = """# In ~/.zshrc, after this: PS1='%~$AGENT_SESSION_PS1%# '
setopt prompt_subst
autoload -Uz add-zsh-hook
add-zsh-hook precmd __git_agent_session_ps1
"""

_FISH = """# Prints this worktree's session, such as " (3f2a9c1e claude-code)", or nothing; no process is started.
# In fish_prompt: echo -n (prompt_pwd)(fish_agent_session_prompt)'> '
# A first argument says how, for printf: its one %s is the id and the agent.
function fish_agent_session_prompt --description "This worktree's agent session"
    set -l form ' (%s)'
    set -q argv[1]; and set form $argv[1]
    set -l dir $PWD
    set -l gitdir
    set -q GIT_DIR; and set gitdir $GIT_DIR
    while test -z "$gitdir"
        test -e "$dir/.git"; and set gitdir "$dir/.git"
        test -n "$dir"; or break
        set dir (string replace -r '/[^/]*$' '' -- $dir)
    end
    set -l line
    if test -f "$gitdir"
        read line <"$gitdir"
        set line (string replace -r '^gitdir: ' '' -- $line)
        string match -qr '^(/|[A-Za-z]:)' -- $line; or set line (string replace -r '[^/]*$' '' -- $gitdir)$line
        set gitdir $line
    end
    set -l common $gitdir
    if test -f "$gitdir/commondir"
        read line <"$gitdir/commondir"
        string match -qr '^(/|[A-Za-z]:)' -- $line; or set line "$gitdir/$line"
        set common $line
    end
    set -l session
    if set -q GIT_AGENT_SESSION; and test -n "$GIT_AGENT_SESSION"
        set session $GIT_AGENT_SESSION
    else if test -n "$gitdir"; and test -f "$gitdir/agent-session/active"
        read session <"$gitdir/agent-session/active"
    end
    string match -qr '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' -- "$session"; or return 0
    set -l agent paused
    if test -f "$common/agent-session/live/$session"
        read agent <"$common/agent-session/live/$session"
    end
    string match -qr '^[a-z0-9._-]+$' -- "$agent"; or set agent unknown
    printf $form (string sub -l 8 -- $session)" $agent"
end
"""


@click.command()
@click.option("--shell", metavar="bash|zsh|fish", type=click.Choice(_SHELLS), help="The shell; default: that of SHELL.")
@json_option
@pass_env
def command(env: Env, shell: str | None, as_json: bool) -> None:
    """Print what shows the session in a shell's prompt.

    It is a few lines of the shell's own, to be put into a file that the shell reads at its start. The prompt then shows
    this worktree's session and its agent, or that it is paused, and starts no process for it.
    """
    text = snippet(shell or _own(env))
    if as_json:
        env.json({"shell": shell or _own(env), "text": text})
    else:
        env.out.write(text)


def snippet(shell: str) -> str:
    """The lines for `bash`, `zsh` or `fish`."""
    return _FISH if shell == "fish" else _SH + (_BASH if shell == "bash" else _ZSH)


def _own(env: Env) -> str:
    name = os.path.basename(env.environ.get("SHELL", ""))
    if name not in _SHELLS:
        refuse(f"there is no prompt for the shell {name!r}", f"name one with --shell: {', '.join(_SHELLS)}")
    return name
