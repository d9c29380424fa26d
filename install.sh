#!/bin/sh
# Installs git agent-session for one user: a Python environment of its own, a launcher, the man page and completions.
# It needs no root and changes nothing in any repository; `git agent-session install` does that, in each.
#
# Every run builds a new environment beside the old one; the last step renames the new launcher over the old, so that
# what worked before works until then and a run that fails or is interrupted leaves it alone.

# shellcheck disable=SC2015,SC2016 # `a && b || fail` means: if either fails; what is in '…' is for Python or for show
set -u
umask 022

name=git-agent-session

usage() {
	cat <<'END'
usage: ./install.sh [--prefix DIR] [--with EXTRA[,EXTRA...]] [--try | --uninstall | --help]

  --prefix DIR   install into DIR/bin and DIR/share instead of ~/.local
  --with EXTRA   what further commands need: web, mcp, ui, sql, parquet; later runs keep it
  --try          install, then show the main job in a scratch repository
  --uninstall    remove what an earlier run put there, and nothing else
  --help         show this text

For tests/run:
  --which-python          print the Python that would be used
  --env DIR PIP-ARGS...   only make an environment in DIR with these packages

PYTHON=/path/to/python3 chooses the Python (3.11 or newer).
END
}

say() {
	printf '%s: %s\n' "$name" "$*"
}

# fail WHAT [WAY-OUT]
fail() {
	printf '%s: %s\n' "$name" "$1" >&2
	[ $# -lt 2 ] || printf '%s  %s\n' "$(printf '%s' "$name" | tr '[:print:]' ' ')" "$2" >&2
	exit 1
}


check_git() {
	command -v git >/dev/null 2>&1 || fail 'git is not installed' 'install git 2.30 or newer and run this again'
	git_version=$(git --version 2>/dev/null)
	git_version=${git_version#git version }
	git_version=${git_version%% *}
	major=${git_version%%.*}
	minor=${git_version#*.}
	minor=${minor%%.*}
	case $major.$minor in
	*[!0-9.]* | .* | *.) fail "git does not tell its version: $(git --version 2>&1)" ;;
	esac
	if [ "$major" -lt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -lt 30 ]; }; then
		fail "git $git_version is too old" 'install git 2.30 or newer and run this again'
	fi
}

# Sets python, python_version and means (how it can fill an environment); the first that has everything wins.
find_python() {
	python='' means='' old='' bare=''
	for candidate in ${PYTHON:+"$PYTHON"} ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
		try_python "$candidate" && return
		[ -z "${PYTHON:-}" ] || break
	done
	python_is_missing
}

try_python() {
	# a version manager's stub answers to a name and then runs nothing
	told=$("$1" -c '
import sys
base = getattr(sys, "_base_executable", None) or sys.executable
print("%d.%d.%d" % sys.version_info[:3])
print(sys.executable)
print(base)
' 2>/dev/null) || return 1
	version=${told%%"$nl"*} told=${told#*"$nl"}
	found=${told%%"$nl"*} base=${told#*"$nl"}
	minor=${version#*.} minor=${minor%%.*}
	if [ "${version%%.*}" != 3 ] || [ "$minor" -lt 11 ]; then
		old="$found is Python $version"
		return 1
	fi
	means_of "$found"
	if [ -z "$means" ]; then
		bare=${bare:-$found}
		return 1
	fi
	# python3 may become another version one day; python3.11 does not
	exact=${base%/*}/python3.$minor
	if [ -x "$exact" ] && "$exact" -c '' 2>/dev/null; then base=$exact; fi
	python=$base python_version=$version
}

# Sets means: pip (it can fill an environment from outside), ensurepip, virtualenv, or nothing.
means_of() {
	means=$("$1" -c '
import importlib.util as util

def works(module):
    try:
        return util.find_spec(module) and __import__(module)
    except Exception:
        return None

def new_enough(pip):
    try:
        return tuple(int(n) for n in pip.__version__.split(".")[:2]) >= (22, 3)
    except Exception:
        return False

if works("venv") and new_enough(works("pip")):
    print("pip")
elif works("venv") and works("ensurepip"):
    print("ensurepip")
elif works("virtualenv"):
    print("virtualenv")
' 2>/dev/null)
	filler=$1
}

python_is_missing() {
	if [ -n "$bare" ]; then
		if command -v apt-get >/dev/null 2>&1; then
			fail "$bare can make no environment: its venv module is packaged apart" \
				"run: apt install python3-venv    (as root, or with sudo), then this again"
		fi
		fail "$bare can make no environment: it has neither pip, ensurepip nor virtualenv" \
			'install its pip and run this again, or choose another: PYTHON=/path/to/python3 ./install.sh'
	fi
	way='install Python 3.11 or newer and run this again, or choose one: PYTHON=/path/to/python3 ./install.sh'
	[ -z "${PYTHON:-}" ] || [ -n "$old" ] || fail "PYTHON=$PYTHON does not run" "$way"
	[ -z "$old" ] || fail "Python is too old: $old" "$way"
	fail 'Python is not installed' "$way"
}

# make_env DIR: an empty environment; sets env_python.
make_env() {
	case $means in
	pip) "$python" -m venv --without-pip "$1" ;;
	ensurepip) "$python" -m venv "$1" ;;
	virtualenv) "$filler" -m virtualenv --quiet --python "$python" "$1" ;;
	esac >"$1.log" 2>&1 || fail_with_log "$1.log" "cannot make an environment in $1"
	rm -f "$1.log"
	python_of "$1"
}

python_of() {
	env_python=$1/bin/python
	[ -x "$env_python" ] || env_python=$1/Scripts/python.exe
}

# fill_env DIR PIP-ARGS...: the user's own index and cache are used, where it installs to is not theirs to say.
fill_env() {
	env_dir=$1
	shift
	set -- install --quiet --no-input --disable-pip-version-check --no-warn-script-location "$@"
	if [ "$means" = pip ]; then
		set -- "$filler" -m pip --python "$env_python" "$@"
	else
		set -- "$env_python" -m pip "$@"
	fi
	PIP_USER=0 "$@" >"$env_dir.log" 2>&1 || fail_with_log "$env_dir.log" 'pip could not install the packages'
	rm -f "$env_dir.log"
}

fail_with_log() {
	printf '%s: %s:\n' "$name" "$2" >&2
	tail -n 20 "$1" >&2
	rm -f "$1"
	exit 1
}


# Sets bin, data, man, home (our own folder) and the paths of what is put elsewhere.
set_places() {
	if [ -n "$prefix" ]; then
		case $prefix in
		/* | [A-Za-z]:*) ;;
		*) prefix=$(pwd)/$prefix ;;
		esac
		while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
		bin=$prefix/bin data=$prefix/share man=$prefix/share/man/man1
	else
		[ -n "${HOME:-}" ] || fail 'HOME is not set' 'say where to: ./install.sh --prefix DIR'
		bin=$HOME/.local/bin data=${XDG_DATA_HOME:-$HOME/.local/share} man=$HOME/.local/share/man/man1
	fi
	case $bin$data in
	*"$nl"*) fail 'the folder to install to has a line break in its name' ;;
	esac
	home=$data/$name
	manifest=$home/manifest
	launcher=$bin/$name
}

# make_dir DIR: with its parents; each that was not there goes into the manifest, to be removed again when empty.
make_dir() {
	missing='' up=$1
	while [ ! -d "$up" ]; do
		missing="dir $up$nl$missing"
		up=$(dirname "$up")
	done
	[ -n "$missing" ] || return 0
	mkdir -p "$1" || fail "cannot make the folder $1"
	made=$made$missing
}


# The extras of pyproject.toml, and nothing else: they become part of what pip is told.
check_extras() {
	known=web,mcp,ui,sql,parquet rest=$extras
	while [ -n "$rest" ]; do
		case ,$known, in
		*,"${rest%%,*}",*) ;;
		*) fail "there is no extra ${rest%%,*}" "choose from $known" ;;
		esac
		case $rest in
		*,*) rest=${rest#*,} ;;
		*) rest='' ;;
		esac
	done
}

install() {
	check_git
	find_python
	if [ -e "$launcher" ] && ! grep -q "$mark" "$launcher" 2>/dev/null; then
		fail "$launcher is there already and not from this installer" 'move it away, or choose a folder: --prefix DIR'
	fi
	made='' new=$home/env-$$
	# in containers numbers come again
	while [ -e "$new" ]; do new=$new-2; done
	stage=$new/stage
	trap 'give_up' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_dir "$home"
	say "Python $python_version ($python), git $git_version"
	say "making an environment in $home"
	make_env "$new"
	say 'installing the package and what it needs'
	# what an earlier run was asked to add stays
	[ -n "$extras" ] || extras=$(cat "$home"/env-*/with 2>/dev/null | tail -n 1)
	fill_env "$new" --no-compile "$here${extras:+[$extras]}"
	[ -z "$extras" ] || printf '%s\n' "$extras" >"$new/with"
	prepare
	make_dir "$bin"
	place
	trap - EXIT HUP INT TERM
	remove_older
	say "installed $("$launcher" --version | sed 's/.* //') as $launcher"
}

# The old launcher still runs the old environment; where there was none, what is in place already goes again.
give_up() {
	rm -rf "$new" "$new.log"
	[ ! -e "$launcher" ] || return 0
	[ ! -e "$manifest" ] || made=$(cat "$manifest")
	remove_files "$made"
	rm -f "$manifest"
	remove_dirs "$made"
}

remove_files() {
	printf '%s\n' "$1" | sed -n 's/^file //p' | while IFS= read -r file; do
		rm -f "$file" || say "note: cannot remove $file"
	done
}

# remove_dirs LINES: those of the lines `dir PATH` that are empty, deepest first.
remove_dirs() {
	printf '%s\n' "$1" | sed -n 's/^dir //p' | sort -r | while IFS= read -r folder; do
		rmdir "$folder" 2>/dev/null || :
	done
}

# Compiles, writes the launcher, and lays all that goes elsewhere ready in the stage; then the launcher must answer.
prepare() {
	"$env_python" -m compileall -q "$new" >/dev/null 2>&1
	mkdir -p "$stage" && "$env_python" -c '
import os, shlex, sys, sysconfig

# agents call this hundreds of times: -c saves 2 ms over -m, and -S the half millisecond of site.py and .pth files
code = "import sys; sys.path.append(%s); from git_agent_session.__main__ import main; sys.exit(main())"
python, run = (shlex.quote(s) for s in (sys.argv[2], code % ascii(sysconfig.get_path("purelib"))))
text = f"""#!/bin/sh
# {sys.argv[3]}
[ -x {python} ] && exec {python} -I -S -c {run} "$@"
echo "git-agent-session: its Python is gone: run install.sh again" >&2
[ "${{1:-}}" = hook ] # an agent is not stopped for that
"""
with open(sys.argv[1], "wb") as f:
    f.write(os.fsencode(text))
' "$stage/launcher" "$env_python" "$mark" && chmod 755 "$stage/launcher" ||
		fail 'cannot write the launcher'
	"$stage/launcher" --version >/dev/null || fail 'what was installed does not run'
	if [ -f "$here/docs/man/$name.1" ]; then cp "$here/docs/man/$name.1" "$stage/man"; fi
	for shell in bash zsh fish; do
		"$stage/launcher" completion "$shell" >"$stage/$shell" 2>/dev/null || rm -f "$stage/$shell"
	done
}

# The lines `STAGED TARGET` of what this version puts outside its own folder; the launcher is the last. fish loads from
# vendor_completions.d by a program's name, and for `git agent-session` that is git.
targets() {
	for pair in "man $man/$name.1" \
		"bash $data/bash-completion/completions/$name" \
		"zsh $data/zsh/site-functions/_$name" \
		"fish $data/fish/vendor_conf.d/$name.fish" \
		"launcher $launcher"; do
		[ ! -e "$stage/${pair%% *}" ] || printf '%s\n' "$pair"
	done
}

place() {
	trap '' HUP INT TERM
	targets >"$stage/targets"
	# not in a pipe: what make_dir notes must outlive the loop
	while IFS= read -r pair; do
		make_dir "$(dirname "${pair#* }")"
	done <"$stage/targets"
	{
		[ ! -e "$manifest" ] || cat "$manifest"
		printf '%s' "$made"
		sed 's/^[a-z]* /file /' "$stage/targets"
	} | sort -u >"$stage/manifest"
	mv -f "$stage/manifest" "$manifest" || fail "cannot write $manifest"
	while IFS= read -r pair; do
		target=${pair#* }
		cp "$stage/${pair%% *}" "$target.new" && mv -f "$target.new" "$target" ||
			fail "cannot write $target"
	done <"$stage/targets"
	rm -rf "$stage"
}

# Environments of earlier runs, but not one that another run is building now.
remove_older() {
	for other in "$home"/env-*; do
		[ "$other" != "$new" ] || continue
		builder=${other##*/env-} builder=${builder%%-*}
		if [ -d "$other/stage" ] && [ "$builder" != $$ ] && kill -0 "$builder" 2>/dev/null; then continue; fi
		rm -rf "$other"
	done
}

look_at_path() {
	case :$PATH: in
	*:"$bin":*)
		first=$(command -v "$name")
		[ "$first" = "$launcher" ] || say "note: another one comes first on PATH: $first"
		return
		;;
	esac
	say "$bin is not on PATH yet, so git cannot find it; add this line to $(shell_file), then open a new shell:"
	case ${SHELL:-} in
	*/fish) printf '    fish_add_path "%s"\n' "$(for_fish "$bin")" ;;
	*) printf '    export PATH="%s:$PATH"\n' "$(for_sh "$bin")" ;;
	esac
}

# the text as it stands between double quotes; fish keeps a backslash before a backquote
for_sh() {
	printf '%s\n' "$1" | sed 's/[\\"$`]/\\&/g'
}

for_fish() {
	printf '%s\n' "$1" | sed 's/[\\"$]/\\&/g'
}

shell_file() {
	case ${SHELL:-} in
	*/fish) printf '%s' "$HOME/.config/fish/config.fish" ;;
	*/zsh) printf '%s' "$HOME/.zshrc" ;;
	*/bash) printf '%s' "$HOME/.bashrc" ;;
	*) printf '%s' "$HOME/.profile" ;;
	esac
}


uninstall() {
	if [ ! -e "$manifest" ]; then
		say "nothing is installed in $home"
		return
	fi
	listed=$(cat "$manifest")
	remove_files "$listed"
	rm -rf "$home"/env-* && rm -f "$manifest" || fail "cannot remove $home"
	remove_dirs "$listed"
	rmdir "$home" 2>/dev/null || :
	say "removed from $home and $bin"
	say 'repositories keep their sessions and their hooks, which go on linking commits to sessions that are still open;'
	say 'where you want the hooks out too,'
	say 'run ./install.sh once more, then in each such repository: git agent-session uninstall'
	say '(for those of install --global, anywhere: git agent-session uninstall --global)'
}


# show COMMAND: print it as typed, then run it
show() {
	printf '\n$ %s\n' "$1"
	eval "$1" </dev/null || fail 'the command above failed: please report it'
}

# begin COMMAND: the same for the one that opens a session; sets session.
begin() {
	printf '\n$ %s\n' "$1"
	shown=$(eval "$1" </dev/null) || fail 'the command above failed: please report it'
	printf '%s\n' "$shown"
	session=$(printf '%s\n' "$shown" | sed -n 's/^.*export GIT_AGENT_SESSION=\([0-9a-f-]*\).*$/\1/p')
	[ -n "$session" ] || fail 'start printed no line to export: please report it'
}

# A home of its own: no hooks, signing keys or editors of the user's take part.
enter_scratch() {
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/$name-try.XXXXXX") || fail 'cannot make a scratch folder'
	mkdir "$scratch/home" "$scratch/greet" && cd "$scratch/greet" || fail "cannot use $scratch"
	# shellcheck disable=SC2046 # a list of names
	unset $(git rev-parse --local-env-vars) GIT_AGENT_SESSION GIT_CONFIG_GLOBAL XDG_CONFIG_HOME
	export HOME="$scratch/home" PATH="$bin:$PATH" GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat PAGER=cat
}

try() {
	enter_scratch
	printf '\nThe main job, in a scratch repository: %s\n' "$scratch/greet"
	show 'git init -q .'
	git config user.name 'You' && git config user.email 'you@example.org' && git config commit.gpgSign false
	show 'git agent-session install'
	begin "git agent-session start --goal 'Greet people by name' --agent-type demo"
	show "export GIT_AGENT_SESSION=$session"
	show 'git agent-session log user_message "Write greet.sh: it greets whom I name"'
	show "echo 'echo Hello, \$1' > greet.sh && git add greet.sh && git commit -m 'Greet by name'"
	show 'git agent-session log assistant_response "Done. Without a name it now greets the world."'
	show "echo 'echo Hello, \${1:-world}' > greet.sh && git commit -a -m 'Greet the world by default'"
	show 'git agent-session metric tokens_used 1500'
	show 'git agent-session end --message "Greets by name"'
	show 'git agent-session status'
	show 'git agent-session history'
	show 'git log --notes=agent-sessions'
	show "git cat-file -p refs/agent-sessions/$session:session.toml"
	rm -rf "${scratch:?}/home"
	printf '\n'
	say "that was all of it; the scratch repository stays, to look around: $scratch/greet"
	say 'in a repository of your own, begin with: git agent-session install'
}


nl='
'
mark='git-agent-session launcher, written by install.sh'
prefix='' extras='' do=install

here=$(cd "$(dirname "$0")" && pwd) || exit 1
[ -f "$here/pyproject.toml" ] || fail "$here is no checkout of git agent-session" 'run install.sh from a clone'
# nothing of the user's other environments may take part
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV __PYVENV_LAUNCHER__

while [ $# -gt 0 ]; do
	case $1 in
	--prefix)
		[ $# -gt 1 ] && [ -n "$2" ] || fail '--prefix needs a folder'
		prefix=$2
		shift
		;;
	--prefix=?*) prefix=${1#--prefix=} ;;
	--with)
		[ $# -gt 1 ] && [ -n "$2" ] || fail '--with needs the name of an extra'
		extras=$extras,$2
		shift
		;;
	--with=?*) extras=$extras,${1#--with=} ;;
	--uninstall | --try) do=${1#--} ;;
	-h | --help)
		usage
		exit 0
		;;
	--which-python)
		find_python
		printf '%s\n' "$python"
		exit 0
		;;
	--env)
		[ $# -gt 1 ] || fail '--env needs a folder'
		shift
		find_python
		python_of "$1"
		[ -x "$env_python" ] || make_env "$1"
		[ $# -eq 1 ] || fill_env "$@"
		exit 0
		;;
	*)
		printf '%s: unknown argument: %s\n' "$name" "$1" >&2
		usage >&2
		exit 2
		;;
	esac
	shift
done

extras=${extras#,}
check_extras
set_places
case $do in
install) install && look_at_path ;;
try) install && (try) && look_at_path ;;
uninstall) uninstall ;;
esac
