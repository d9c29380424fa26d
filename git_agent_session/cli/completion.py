"""`completion`: the script that teaches a shell to complete commands, options and session ids.

zsh's is click's own; those of bash and fish are ours, for click's of bash shows no descriptions and asks for a bash of
2016, and click's of fish knows only the one line that is typed. Each completes `git agent-session` as
`git-agent-session`. A completion runs this program, and never prints an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import pass_env

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem, ShellComplete

_NAME = "git-agent-session"

# A line is the type, the value and the description, with tabs between. Descriptions are shown in a list alone: what
# bash inserts of several is their common start, and ids differ before it. No word of the answer is ever expanded.
_BASH = r"""# bash completion for git agent-session
_git_agent_session_complete() {
    # bash takes words apart at =
    local -a words=(git-agent-session)
    local word glue=''
    for word in "$@"; do
        if [[ -n $glue || $word == = ]]; then
            words[${#words[@]}-1]+=$word
            glue=''
            [[ $word != = ]] || glue=1
        else
            words+=("$word")
        fi
    done
    local -a values=() helps=()
    local kind value help longest=0 described='' IFS=' '
    while IFS=$'\t' read -r kind value help; do
        case $kind in
        dir) compopt -o dirnames 2>/dev/null ;;
        file) compopt -o default 2>/dev/null ;;
        plain)
            values+=("$value")
            helps+=("$help")
            [[ -z $help ]] || described=1
            ((${#value} <= longest)) || longest=${#value}
            ;;
        esac
    done < <(env %(complete_var)s=bash_complete COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \
        %(prog_name)s 2>/dev/null)
    # bash(1), COMP_TYPE: a plain TAB and the lists after it; whatever inserts a whole candidate gets the bare one
    case ${COMP_TYPE:-9} in
    9 | 33 | 63 | 64) ;;
    *) described='' ;;
    esac
    if [[ -n $described ]] && ((${#values[@]} > 1)); then
        local i text
        for ((i = 0; i < ${#values[@]}; i++)); do
            printf -v text '%%-*s  %%s' "$longest" "${values[i]}" "${helps[i]}"
            values[i]=${text:0:${COLUMNS:-80}-1}
        done
    fi
    COMPREPLY=(${values[@]+"${values[@]}"})
}

_git_agent_session_alone() {
    _git_agent_session_complete "${COMP_WORDS[@]:1:COMP_CWORD}"
}

# git's own completion calls this for `git agent-session`
_git_agent_session() {
    if [[ -n ${__git_cmd_idx-} ]]; then
        _git_agent_session_complete "${words[@]:__git_cmd_idx+1:cword-__git_cmd_idx}"
    else
        _git_agent_session_complete "${COMP_WORDS[@]:2:COMP_CWORD-1}"
    fi
    # git's completion has told bash to add no space
    [[ ${#COMPREPLY[@]} != 1 ]] || COMPREPLY[0]+=' '
}

complete -o nosort -F _git_agent_session_alone %(prog_name)s 2>/dev/null ||
    complete -F _git_agent_session_alone %(prog_name)s
"""

# of --option=value, the program answers with the value, and zsh wants the word
_ZSH_WORD = (
    "; do\n",
    '; do\n        [[ $type != plain || $words[CURRENT] != --*=* ]] || key="${words[CURRENT]%%=*}=$key"\n',
)
_ZSH = """
# zsh's own completion of git calls this
_git-agent-session() {
    _git_agent_session_completion "$@"
}
"""

# fish's completion of git asks for that of `git-agent-session`, but the line it is asked in is still the user's
_FISH = """# fish completion for git agent-session
function _git_agent_session_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l at (contains -i -- agent-session $words; or contains -i -- git-agent-session $words; or echo 1)
    set -l line git-agent-session $words[(math $at + 1)..-1] $typed
    # of --option=value, the program answers with the value
    set -l option (string match -r -- '^--[^=]+=' $typed)
    for entry in (env %(complete_var)s=fish_complete COMP_WORDS="$line" COMP_CWORD="$typed" %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 1 , -- $entry)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo -- "$option$parts[2]"
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(_git_agent_session_complete)"
complete --no-files --command git --condition "__fish_seen_subcommand_from agent-session" \\
    --arguments "(_git_agent_session_complete)"
"""


@click.command()
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@pass_env
def command(env: Env, shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options and session ids with their goals, for `git agent-session` and `git-agent-session`
    alike.
    """
    env.out.write(script(shell))


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    found = _of(shell)
    # not `source()`: for bash it starts one to ask its version
    text = found.source_template % found.source_vars()
    if shell != "zsh":
        return text
    # the autoloaded file runs its last lines: what is added stands before them
    head, mark, tail = text.rpartition("\nif [[ $zsh_eval_context")
    return f"{head.replace(*_ZSH_WORD, 1)}{_ZSH}{mark}{tail}"


def complete(instruction: str) -> int:
    """Answer a shell's question, such as `bash_complete`, by click's own protocol; returns the exit status."""
    shell, _, verb = instruction.partition("_")
    if verb != "complete":
        return 1
    # not on Windows alone: a line that ends in CR would be another word
    click.echo(_of(shell).complete().encode("utf-8", "replace"))
    return 0


def _of(shell: str) -> ShellComplete:
    from click.shell_completion import BashComplete, FishComplete, get_completion_class

    from git_agent_session.cli.commands import program
    from git_agent_session.cli.main import COMPLETE

    class Bash(BashComplete):
        source_template = _BASH

        def format_completion(self, item: CompletionItem[Any]) -> str:
            # of what has a name that speaks, the name is enough
            return f"{item.type}\t{item.value}\t{item.help if item.session and item.help else ''}"

    class Fish(FishComplete):
        source_template = _FISH

    found = {"bash": Bash, "fish": Fish}.get(shell) or get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    return found(program, {}, _NAME, COMPLETE)
