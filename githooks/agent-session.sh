# shellcheck shell=sh
# git-agent-session hook: functions
# What the four hooks share; sourced by them, POSIX sh, nothing but sh and git. Git runs a hook at the top of the
# worktree with GIT_DIR set only in linked worktrees and submodules (githooks(5)). As long as no session is about,
# nothing here starts a process. What they print goes nowhere; what goes wrong stands in hook.log.
nl='
'
# zsh, called by another name than sh, would stop at a pattern that matches nothing
[ -z "${ZSH_VERSION:-}" ] || emulate sh

# Sets gitdir, common and shared; false where the plugin has no folder.
agent_session_find() {
	gitdir=${GIT_DIR:-.git}
	if [ -f "$gitdir" ]; then
		IFS= read -r line <"$gitdir" || :
		gitdir=${line#gitdir: }
	fi
	common=${GIT_COMMON_DIR:-$gitdir}
	if [ -z "${GIT_COMMON_DIR:-}" ] && [ -f "$gitdir/commondir" ]; then
		IFS= read -r line <"$gitdir/commondir" || :
		case $line in
		/* | [A-Za-z]:*) common=$line ;;
		*) common=$gitdir/$line ;;
		esac
	fi
	shared=$common/agent-session
	[ -d "$shared/live" ]
}

# The evidence, best first: GIT_AGENT_SESSION, the agent that runs this shell, the worktree's active session.
# Sets session, via, agent and trailer; false without evidence, or when the session is not open.
agent_session_pick() {
	session='' via=''
	if [ -n "${GIT_AGENT_SESSION:-}" ]; then
		via='env'
		case $GIT_AGENT_SESSION in
		*[!0-9a-f-]* | ? | ?? | ???) return 1 ;;
		????????-????-????-????-????????????) session=$GIT_AGENT_SESSION ;;
		*)
			for file in "$shared/live/$GIT_AGENT_SESSION"*; do
				case ${file##*/} in
				????????-????-????-????-????????????)
					[ -z "$session" ] || return 1
					session=${file##*/}
					;;
				esac
			done
			;;
		esac
	else
		# an editor's terminal has Claude's id too; only a shell of Claude's own is marked as its child
		agent_session_native claude-code "${CLAUDE_CODE_CHILD_SESSION:-}" "${CLAUDE_CODE_SESSION_ID:-}"
		agent_session_native codex "${CODEX_THREAD_ID:-}" "${CODEX_THREAD_ID:-}"
		agent_session_native copilot "${COPILOT_AGENT_SESSION_ID:-}" "${COPILOT_AGENT_SESSION_ID:-}"
		agent_session_native opencode "${OPENCODE_SESSION_ID:-}" "${OPENCODE_SESSION_ID:-}"
		agent_session_native pi "${PI_SESSION_ID:-}" "${PI_SESSION_ID:-}"
		if [ -z "$session" ] && [ -f "$gitdir/agent-session/active" ]; then
			via=active
			IFS= read -r session <"$gitdir/agent-session/active" || :
		fi
	fi
	agent='' trailer=true
	case $session in
	????????-????-????-????-????????????) ;;
	*) return 1 ;;
	esac
	[ -f "$shared/live/$session" ] || return 1
	{
		IFS= read -r agent || :
		IFS= read -r trailer || :
	} <"$shared/live/$session"
	case $agent in
	'' | *[!a-z0-9._-]*) agent=unknown ;;
	esac
	agent_session_enabled || {
		via=off
		return 1
	}
}

# Whether sessions are recorded here: as it was when the session opened, and asked anew as the trailer's setting is.
agent_session_enabled() {
	enabled=''
	if agent_session_reconfigured; then
		enabled=$(git config --type=bool --get agentSession.enabled 2>/dev/null) || :
	fi
	[ "$enabled" != false ]
}

# True where git's configuration may be another than when the session opened.
agent_session_reconfigured() {
	[ -z "${GIT_CONFIG_PARAMETERS:-}${GIT_CONFIG_COUNT:-}" ] || return 0
	for file in "$common/config" "$gitdir/config.worktree" "${HOME:-/}/.gitconfig" \
		"${XDG_CONFIG_HOME:-${HOME:-/}/.config}/git/config"; do
		# shellcheck disable=SC3013 # -nt: dash, busybox, bash, ksh and zsh have it
		[ "$file" -nt "$shared/live/$session" ] && return 0
	done
	return 1
}

# agent_session_native AGENT MARK ID: the open session that AGENT's own hooks opened for its session ID, where MARK says
# that this is its shell. An agent that another one started inherits the other's ids: the one that came last counts.
agent_session_native() {
	[ -n "$2" ] || return 0
	case $3 in
	'' | .* | *[!A-Za-z0-9._-]*) return 0 ;;
	esac
	native=$shared/native/$1/$3 found=''
	[ -f "$native" ] || return 0
	# shellcheck disable=SC3013 # -nt: dash, busybox, bash, ksh and zsh have it
	[ -z "$session" ] || [ "$native" -nt "$newest" ] || return 0
	IFS= read -r found <"$native" || :
	[ -z "$session" ] || [ -f "$shared/live/$found" ] || return 0
	session=$found via=agent newest=$native
}

# The trailer setting as it was when the session opened; asked anew only where a config file is younger than that.
agent_session_trailer() {
	if agent_session_reconfigured; then
		trailer=$(git config --type=bool --get agentSession.trailer 2>/dev/null) || :
	fi
	[ "$trailer" != false ]
}

# agent_session_prepare FILE [SOURCE [COMMIT]]: prepare-commit-msg
agent_session_prepare() {
	agent_session_find && ! agent_session_picking && agent_session_pick || return 0
	offered=''
	# a rebase makes no new commits of its own: links follow by post-rewrite
	if [ ! -d "$gitdir/rebase-merge" ] && [ ! -d "$gitdir/rebase-apply" ] && agent_session_trailer; then
		agent_session_offer "$@"
	fi
	agent_session_head
	[ -d "$gitdir/agent-session" ] || mkdir -p "$gitdir/agent-session"
	# two commits may run at once in one worktree: each git process has a slot of its own, and each session its last
	printf '%s %s %s\n' "$PPID" "${head:-none}" "${offered:-nothing}" >"$gitdir/agent-session/offered.$session.$((PPID % 16))"
	printf '%s %s %s\n' "$PPID" "${head:-none}" "${offered:-nothing}" >"$gitdir/agent-session/offered.$session"
}

# Sets head to the commit that is checked out, without a process where its ref is a loose file.
agent_session_head() {
	head=''
	[ ! -f "$gitdir/HEAD" ] || IFS= read -r head <"$gitdir/HEAD" || :
	case $head in
	"ref: refs/heads/"*) [ -f "$common/${head#ref: }" ] && IFS= read -r head <"$common/${head#ref: }" || head='' ;;
	esac
	case $head in
	'' | *[!0-9a-f]*) head=$(git rev-parse -q --verify HEAD) || : ;;
	esac
}

# Writes the trailer into the message file and sets offered to what a reader of the message must find again.
agent_session_offer() {
	if [ "${GIT_EDITOR:-}" = : ]; then
		case ${2:-} in
		message) agent_session_append "$1" && return 0 ;;
		esac
		agent_session_blank "$1" whitespace && return 0
		agent_session_interpret "$1"
	elif [ -z "${2:-}" ] || [ "${2:-}" = template ] || agent_session_blank "$1" strip; then
		# a trailer in an empty message would defeat git's abort on empty: only a comment is offered
		agent_session_comment "$1"
	else
		agent_session_interpret "$1"
	fi
}

# True when the message is empty but for comments (with `strip`) and what stands below the scissors.
agent_session_blank() {
	case $2 in
	strip) text=$(sed '/^.\{1,\} -\{24\} >8 -\{24\}$/,$d' "$1" | git stripspace --strip-comments) ;;
	*) text=$(git stripspace <"$1") ;;
	esac
	[ -z "$text" ]
}

# The common case, `git commit -m`, with no process: true when the trailer was added, or the message is empty.
# A message whose last paragraph might hold trailers is left to git.
agent_session_append() {
	lines=0 blank=1 some='' colon='' paragraph=0 open=''
	while IFS= read -r line || { [ -n "$line" ] && open=$nl; }; do
		lines=$((lines + 1))
		[ "$lines" -le 60 ] || return 1
		case $line in
		*[![:space:]]*)
			[ -z "$blank" ] || colon='' paragraph=$((paragraph + 1))
			blank='' some=1
			case $paragraph:$line in
			1:*) ;; # the title is never a trailer (git-interpret-trailers(1))
			*:*:* | *:[[:space:]]* | *:'('*) colon=1 ;;
			esac
			;;
		*) blank=1 ;;
		esac
	done <"$1"
	[ -n "$some" ] || return 0
	[ -z "$colon" ] || return 1
	printf '%s\nAgent-Session: %s\n' "$open" "$session" >>"$1" || return 1
	offered="trailer $session"
}

# Leaves the place to git, which knows what a trailer is. Away from the repository and from the user's settings, whose
# trailer commands it would run; a message may come without its last newline (`git merge -m`).
agent_session_interpret() {
	agent_session_mark "$1"
	case $1 in
	/*) file=$1 ;;
	*) file=$PWD/$1 ;;
	esac
	printf '\n' >>"$file" || return 0
	(
		cd / || exit 1
		unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
		HOME=/ XDG_CONFIG_HOME=/ GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
		export HOME XDG_CONFIG_HOME GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL
		exec git -c core.commentChar="$mark" interpret-trailers --in-place --no-divider --where end \
			--if-exists addIfDifferent --if-missing add --trailer "Agent-Session: $session" "$file"
	) || return 0
	offered="trailer $session"
}

# Sets mark to what begins a comment line; `auto` becomes what git's own last line begins with.
agent_session_mark() {
	mark=$(git config --get core.commentString) || mark=$(git config --get core.commentChar) || mark='#'
	if [ "$mark" = auto ]; then
		mark=$(sed '/^.\{1,\} -\{24\} >8 -\{24\}$/,$d' "$1" | tail -n 1)
		mark=${mark%"${mark#?}"}
	fi
	[ -n "$mark" ] || mark='#'
}

# Puts the offer as a comment above git's own, or below the scissors where those come first.
agent_session_comment() {
	case $(git config --get commit.cleanup) in
	whitespace | verbatim) return 0 ;;
	esac
	agent_session_mark "$1"
	mark=$mark awk -v id="$session" '
		BEGIN { mark = ENVIRON["mark"] }
		!done && index($0, mark) == 1 {
			if ($0 ~ /^[^ ]+ -+ >8 -+$/) cut = 1
			if (cut && $0 != mark) { print; next }
			print mark " Agent-Session: " id
			print mark " (delete the line above to leave this commit without a session)"
			print mark
			done = 1
			if (cut) next
		}
		{ print }
		END { exit !done }
	' "$1" >"$1.agent-session" && mv "$1.agent-session" "$1" && offered="comment $session" && return 0
	rm -f "$1.agent-session"
}

# True when this git process has picked a commit before: it is a rebase, which makes no commits of its own.
agent_session_picking() {
	[ -f "$gitdir/rebase-merge/agent-session" ] || return 1
	IFS= read -r picker <"$gitdir/rebase-merge/agent-session" || :
	[ "$picker" = "$PPID" ]
}

# post-commit
agent_session_committed() {
	agent_session_find && ! agent_session_picking || return 0
	if ! agent_session_pick; then
		# a session that was named, and is not open, is no doubt
		case $via in
		'' | active) agent_session_leave ;;
		esac
		return 0
	fi
	if [ -d "$gitdir/rebase-merge" ] || [ -d "$gitdir/rebase-apply" ]; then
		# only a commit made by hand at a stop is new; a picked one keeps the links it has
		last=''
		[ ! -f "$gitdir/logs/HEAD" ] || last=$(tail -n 1 "$gitdir/logs/HEAD")
		case ${last#*"$(printf '\t')"} in
		commit*) ;;
		*)
			# the picks that follow need not ask
			[ ! -d "$gitdir/rebase-merge" ] || printf '%s\n' "$PPID" >"$gitdir/rebase-merge/agent-session"
			return 0
			;;
		esac
	fi
	agent_session_made || return 0
	# what an agent wrote is better evidence than the session that the user is in
	if [ "$via" = active ] && agent_session_traced; then
		agent_session_leave "$commit" active "$session"
	else
		agent_session_link
	fi
}

# True when an agent has written files in this worktree, or is running a command in it.
agent_session_traced() {
	for file in "$gitdir/agent-session/traces"/touched.* "$gitdir/agent-session/traces"/head.*; do
		[ ! -f "$file" ] || return 0
	done
	return 1
}

# agent_session_leave [COMMIT VIA SESSION]: leaves a commit to the evidence that needs more than a shell, and has it
# looked at by a process that nobody waits for; without one, the next command that reads sessions does it.
agent_session_leave() {
	agent_session_traced && [ ! -d "$gitdir/rebase-merge" ] && [ ! -d "$gitdir/rebase-apply" ] || return 0
	[ -n "${1:-}" ] || agent_session_head
	printf '%s %s\n' "${2:-none}" "${3:-}" >"$gitdir/agent-session/traces/commit.${1:-$head}" ||
		agent_session_log "post-commit: cannot write to $gitdir/agent-session/traces"
	agent_session_start agents.detach look
}

# agent_session_start MODULE FUNCTION: has a function called with the folders, in a process of Python's that nobody waits
# for, where it is known which Python.
agent_session_start() {
	[ -f "$shared/python" ] || return 0
	{
		IFS= read -r python || :
		IFS= read -r package || :
	} <"$shared/python"
	[ ! -x "$python" ] || ("$python" -I -c "import sys
sys.path.insert(0, sys.argv[1])
from git_agent_session.$1 import $2
$2(sys.argv[2:])" "$package" "$gitdir" "$common" "$PWD" >/dev/null 2>&1 </dev/null &)
}

# post-merge IS_SQUASH
agent_session_merged() {
	[ "${1:-0}" != 1 ] && agent_session_find && agent_session_pick || return 0
	# a fast-forward makes no commit, and calls no prepare-commit-msg; the reflog tells the two apart as well
	agent_session_slot
	if [ "$pid" != "$PPID" ]; then
		case $(git log -g -1 --format=%gs HEAD --) in
		*'Merge made by'*) ;;
		*) return 0 ;;
		esac
	fi
	agent_session_made && agent_session_link
}

# post-merge IS_SQUASH, after the above: has what was pulled compared with the commits of sessions, by a process that nobody
# waits for. Without it the next command that reads sessions does it.
agent_session_pulled() {
	[ "${1:-0}" != 1 ] && agent_session_find || return 0
	agent_session_start store.relink_write background
}

# post-rewrite amend|rebase, the pairs in $rewritten. They are kept as they are; readers work them in.
agent_session_rewritten() {
	[ -n "${rewritten:-}" ] && agent_session_find && [ -d "$shared/rewrites" ] || return 0
	name=${rewritten%%[!0-9a-f]*}
	printf '%s\n%send\n' "$1" "$rewritten" >"$shared/rewrites/$name.$$" ||
		agent_session_log "post-rewrite: cannot write $shared/rewrites"
}

# agent_session_read REVISION: sets commit, tree, parents, text (the message) and note (its note as it stands).
agent_session_read() {
	seen=$(git -c log.showSignature=false log -1 --no-color --encoding=UTF-8 --no-notes --notes=agent-sessions \
		--format='%H%n%T%n%P%n%B%n-agent-session-note-%n%N.' "$1" --) || return 1
	note=${seen##*"$nl-agent-session-note-$nl"} note=${note%.}
	seen=${seen%"$nl-agent-session-note-$nl"*}
	commit=${seen%%"$nl"*} seen=${seen#*"$nl"}
	tree=${seen%%"$nl"*} seen=${seen#*"$nl"}
	parents=${seen%%"$nl"*} text=${seen#*"$nl"}
	while [ "$note" != "${note%"$nl"}" ]; do note=${note%"$nl"}; done
	case $commit in
	'' | *[!0-9a-f]*) return 1 ;;
	esac
}

# Sets pid, head and offered to what prepare-commit-msg kept for the commit under way.
agent_session_slot() {
	pid='' head='' offered=''
	slot=$gitdir/agent-session/offered.$session.$((PPID % 16))
	[ ! -f "$slot" ] || IFS=' ' read -r pid head offered <"$slot" || :
	if [ "$pid" != "$PPID" ]; then
		# our hook was called by another hook, or git called no prepare-commit-msg
		pid='' head='' offered=''
		slot=$gitdir/agent-session/offered.$session
		[ ! -f "$slot" ] || IFS=' ' read -r pid head offered <"$slot" || :
	fi
}

# Reads the commit that this git process made, which another process may already have built on: only one commit can move
# HEAD on from the one that was recorded. False when there is none to link, or when the user took the offered trailer
# out in the editor: that means, do not link.
agent_session_made() {
	agent_session_slot
	if ! agent_session_read HEAD; then
		agent_session_log "post-commit: git log cannot read HEAD: the commit is not linked"
		return 1
	fi
	if [ -n "$head" ] && [ "$head" != none ] && [ "$head" != "${parents%% *}" ]; then
		for pair in $(git rev-list --first-parent --parents -n 64 --format=,%P HEAD -- | tr ' ' ,); do
			case $pair in
			commit,*) made=${pair#commit,} made=${made%%,*} ;;
			",$head" | ",$head,"*) agent_session_read "$made" && break ;;
			esac
		done
	fi
	[ ! -f "$slot" ] || : >"$slot"
	# without an editor nobody can have taken anything out
	[ "${GIT_EDITOR:-}" = : ] || case $offered in
	"trailer $session")
		case $text in
		*"Agent-Session: $session"*) ;;
		*) return 1 ;;
		esac
		;;
	# at the start of a line behind a comment's mark, which nothing in a diff is
	"comment $session") grep -q "^[^A-Za-z0-9 +-][^A-Za-z0-9 ]* Agent-Session: $session\$" "$gitdir/COMMIT_EDITMSG" || return 1 ;;
	esac
}

# The event first, which is the truth, then the note, which shows it.
agent_session_link() {
	list=''
	for parent in $parents; do list="$list${list:+, }\"$parent\""; done
	# a file of its own for each commit: bash writes a printf line by line, so a shared file could tear
	printf '[[event]]\nid = "commit-%s"\nkind = "commit"\ncommit = "%s"\ntree = "%s"\nparents = [%s]\nvia = "%s"\n# end\n' \
		"$commit" "$commit" "$tree" "$list" "$via" >"$shared/journal/$session.$commit.toml" ||
		agent_session_log "post-commit: cannot write to $shared/journal: commit $commit is not linked"
	agent_session_note
}

# One fast-import adds the note on top of the tip it finds, and refuses a tip that moved meanwhile.
agent_session_note() {
	ref=refs/notes/agent-sessions tries=0 tip=''
	while :; do
		case $note in
		# its end mark in the text of a note would be the end of ours
		*"sessions.$session "* | *agent-session-end*) return 0 ;;
		*'primary = true'*) primary='' ;;
		*) primary=', primary = true' ;;
		esac
		agent_session_tip || return 1
		agent_session_import && return 0
		tries=$((tries + 1))
		if [ "$tries" -ge 40 ] || { [ "$tries" -ge 12 ] && [ "$tip" = "$stuck" ]; }; then
			agent_session_log "post-commit: the note of $commit could not be written; the next drain adds it"
			return 1
		fi
		if [ "$tries" -eq 6 ] && [ -n "$(find "$common/$ref.lock" -mmin +1)" ]; then
			# a ref is locked for milliseconds: a process that was killed has left this one
			rm -f "$common/$ref.lock"
		fi
		sleep "0.0$((($$ + tries * 7) % 9 + 1))" || :
		agent_session_read "$commit" || return 1
	done
}

# Sets tip to where the notes stand (none: nowhere yet) and stuck to where they stood the time before. False when
# what is there is no commit: fast-import would crash on it.
agent_session_tip() {
	stuck=$tip tip=''
	[ ! -f "$common/$ref" ] || IFS= read -r tip <"$common/$ref" || :
	case $tip in
	*[!0-9a-f]* | '')
		if ! tip=$(git rev-parse -q --verify "$ref^{commit}"); then
			tip=none
			if [ -f "$common/$ref" ] || git rev-parse -q --verify "$ref"; then
				agent_session_log "post-commit: $ref is broken; $commit has no note (git update-ref -d $ref drops it)"
				return 1
			fi
		fi
		;;
	esac
}

agent_session_import() {
	rest=${commit#??}
	{
		printf 'commit %s\ncommitter git-agent-session <git-agent-session@git.invalid> now\ndata 0\n' "$ref"
		[ "$tip" = none ] || printf 'from %s\n' "$tip"
		[ -z "$note" ] || printf 'D %s\nD %s/%s/%s\n' "$commit" "${commit%"$rest"}" "${rest%"${rest#??}"}" "${rest#??}"
		printf 'M 100644 inline %s/%s\ndata <<agent-session-end\n%s%ssessions.%s = { agent = "%s"%s }\nagent-session-end\n' \
			"${commit%"$rest"}" "$rest" "$note" "${note:+$nl}" "$session" "$agent" "$primary"
	} | git -c core.fsync=none -c fastimport.unpackLimit=100 fast-import --quiet --date-format=now
}

agent_session_log() {
	printf '%s\n' "$1" 2>/dev/null >>"$shared/hook.log" || :
}
