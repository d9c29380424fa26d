# shellcheck shell=sh
# git-agent-session hook: functions
# What the four hooks share; sourced by them, POSIX sh, nothing but sh and git. Git runs a hook at the top of the
# worktree with GIT_DIR set only in linked worktrees and submodules (githooks(5)). As long as no session is about,
# nothing here starts a process.

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
			set -- "$shared/live/$GIT_AGENT_SESSION"*
			[ $# -eq 1 ] || return 1
			session=${1##*/}
			;;
		esac
	else
		# an IDE's terminal has the id too; only a shell of the agent's own is marked as its child
		if [ -n "${CLAUDE_CODE_CHILD_SESSION:-}" ]; then
			agent_session_native claude-code "${CLAUDE_CODE_SESSION_ID:-}"
		fi
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
}

# agent_session_native AGENT ID: the session that AGENT's own hooks opened for its session ID.
agent_session_native() {
	case $2 in
	'' | .* | *[!A-Za-z0-9._-]*) return 0 ;;
	esac
	[ -f "$shared/native/$1/$2" ] || return 0
	IFS= read -r session <"$shared/native/$1/$2" || :
	via=agent
}

# The trailer setting as it was when the session opened; asked anew only where a config file is younger than that.
agent_session_trailer() {
	for file in "$common/config" "$gitdir/config.worktree" "${HOME:-/}/.gitconfig" \
		"${XDG_CONFIG_HOME:-${HOME:-/}/.config}/git/config"; do
		# shellcheck disable=SC3013 # -nt: dash, busybox, bash, ksh and zsh have it
		if [ "$file" -nt "$shared/live/$session" ]; then
			trailer=$(git config --type=bool --get agentSession.trailer 2>/dev/null) || :
			break
		fi
	done
	[ "$trailer" != false ]
}

# agent_session_prepare FILE [SOURCE [COMMIT]]: prepare-commit-msg
agent_session_prepare() {
	agent_session_find && agent_session_pick || return 0
	offered=''
	# a rebase makes no new commits of its own: links follow by post-rewrite
	if [ ! -d "$gitdir/rebase-merge" ] && [ ! -d "$gitdir/rebase-apply" ] && agent_session_trailer; then
		agent_session_offer "$@"
	fi
	agent_session_head
	[ -d "$gitdir/agent-session" ] || mkdir -p "$gitdir/agent-session"
	# two commits may run at once in one worktree: each git process has a slot of its own, the last one is in both
	printf '%s %s %s\n' "$PPID" "${head:-none}" "${offered:-nothing}" >"$gitdir/agent-session/offered.$((PPID % 16))"
	printf '%s %s %s\n' "$PPID" "${head:-none}" "${offered:-nothing}" >"$gitdir/agent-session/offered"
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
	lines=0 blank=1 some='' colon='' paragraph=0
	while IFS= read -r line || [ -n "$line" ]; do
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
	printf '\nAgent-Session: %s\n' "$session" >>"$1" || return 1
	offered="trailer $session"
}

agent_session_interpret() {
	git -c trailer.separators=: interpret-trailers --in-place --no-divider --where end --if-exists addIfDifferent --if-missing add \
		--trailer "Agent-Session: $session" "$1" 2>/dev/null || return 0
	offered="trailer $session"
}

# Puts the offer as a comment above git's own, or below the scissors where those come first.
agent_session_comment() {
	case $(git config --get commit.cleanup 2>/dev/null) in
	whitespace | verbatim) return 0 ;;
	esac
	awk -v id="$session" '
		!done && NF {
			if ($1 ~ /^[A-Za-z0-9]/) { print; next }
			if ($0 ~ /^[^ ]+ -+ >8 -+$/) cut = 1
			if (cut && NF > 1) { print; next }
			print $1 " Agent-Session: " id
			print $1 " (delete the line above to leave this commit without a session)"
			print $1
			done = 1
			if (cut) next
		}
		{ print }
		END { exit !done }
	' "$1" >"$1.agent-session" 2>/dev/null && mv "$1.agent-session" "$1" && offered="comment $session" && return 0
	rm -f "$1.agent-session"
}

# post-commit
agent_session_committed() {
	agent_session_find && agent_session_pick || return 0
	if [ -d "$gitdir/rebase-merge" ] || [ -d "$gitdir/rebase-apply" ]; then
		# only a commit made by hand at a stop is new; a picked one keeps the links it has
		case $(git log -g -1 --format=%gs HEAD 2>/dev/null) in
		commit*) ;;
		*) return 0 ;;
		esac
	fi
	agent_session_made && agent_session_link
}

# post-merge IS_SQUASH
agent_session_merged() {
	[ "${1:-0}" != 1 ] && agent_session_find && agent_session_pick || return 0
	# a fast-forward makes no commit; the reflog alone tells the two apart
	case $(git log -g -1 --format=%gs HEAD 2>/dev/null) in
	*'Merge made by'*) ;;
	*) return 0 ;;
	esac
	agent_session_read HEAD && agent_session_link
}

# post-rewrite amend|rebase, the pairs in $rewritten. They are kept as they are; readers work them in.
agent_session_rewritten() {
	[ -n "${rewritten:-}" ] && agent_session_find && [ -d "$shared/rewrites" ] || return 0
	umask 077
	name=${rewritten%%[!0-9a-f]*}
	printf '%s\n%send\n' "$1" "$rewritten" >"$shared/rewrites/$name.$$" ||
		agent_session_log "post-rewrite: cannot write $shared/rewrites"
}

# agent_session_read REVISION: sets commit, tree, parents, text (the message) and note (its note as it stands).
agent_session_read() {
	seen=$(git -c log.showSignature=false log -1 --no-color --no-notes --notes=agent-sessions \
		--format='%H%n%T%n%P%n%B%n-agent-session-note-%n%N.' "$1" 2>/dev/null) || return 1
	nl='
'
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

# Reads the commit that this git process made, which another process may already have built on. False when there is
# none to link, or when the user took the offered trailer out in the editor: that means, do not link.
agent_session_made() {
	pid='' head='' offered=''
	slot=$gitdir/agent-session/offered.$((PPID % 16))
	[ ! -f "$slot" ] || IFS=' ' read -r pid head offered <"$slot" || :
	agent_session_read HEAD || return 1
	if [ "$pid" != "$PPID" ]; then
		# our hook was called by another hook, or git called no prepare-commit-msg
		slot=$gitdir/agent-session/offered
		[ ! -f "$slot" ] || IFS=' ' read -r pid head offered <"$slot" || :
		[ "$head" = "${parents%% *}" ] || offered=''
	elif [ "$head" != none ] && [ "$head" != "${parents%% *}" ]; then
		for pair in $(git rev-list --first-parent --parents -n 64 --format=,%P HEAD 2>/dev/null | tr ' ' ,); do
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
	"comment $session") grep -q "Agent-Session: $session" "$gitdir/COMMIT_EDITMSG" 2>/dev/null || return 1 ;;
	esac
}

# The event first, which is the truth, then the note, which shows it.
agent_session_link() {
	umask 077
	list=''
	for parent in $parents; do list="$list${list:+, }\"$parent\""; done
	# a file of its own for each commit: bash writes a printf line by line, so a shared file could tear
	printf '[[event]]\nid = "commit-%s"\nkind = "commit"\ncommit = "%s"\ntree = "%s"\nparents = [%s]\nvia = "%s"\n# end\n' \
		"$commit" "$commit" "$tree" "$list" "$via" 2>/dev/null >"$shared/journal/$session.$commit.toml" ||
		agent_session_log "post-commit: cannot write to $shared/journal: commit $commit is not linked"
	agent_session_note
}

# One fast-import adds the note on top of the tip it finds, and refuses a tip that moved meanwhile.
agent_session_note() {
	ref=refs/notes/agent-sessions tries=0 locked=0
	while :; do
		case $note in
		*"sessions.$session "*) return 0 ;;
		*'primary = true'*) primary='' ;;
		*) primary=', primary = true' ;;
		esac
		rest=${commit#??}
		{
			printf 'commit %s\ncommitter git-agent-session <git-agent-session@git.invalid> now\ndata 0\n' "$ref"
			if [ -f "$common/$ref" ] || git rev-parse -q --verify "$ref" >/dev/null 2>&1; then
				printf 'from %s^0\n' "$ref"
			fi
			[ -z "$note" ] || printf 'D %s\nD %s/%s/%s\n' "$commit" "${commit%"$rest"}" "${rest%"${rest#??}"}" "${rest#??}"
			printf 'M 100644 inline %s/%s\ndata <<agent-session-end\n%s%ssessions.%s = { agent = "%s"%s }\nagent-session-end\n' \
				"${commit%"$rest"}" "$rest" "$note" "${note:+$nl}" "$session" "$agent" "$primary"
		} | git -c core.fsync=none fast-import --quiet --date-format=now >/dev/null 2>&1 && return 0
		tries=$((tries + 1))
		if [ -f "$common/$ref.lock" ]; then locked=$((locked + 1)); fi
		if [ "$locked" -eq 6 ] && [ -n "$(find "$common/$ref.lock" -mmin +1 2>/dev/null)" ]; then
			# a ref is locked for milliseconds: a process that was killed has left this one
			rm -f "$common/$ref.lock"
		fi
		if [ "$tries" -ge 40 ] || { [ "$locked" -ge 12 ] && [ "$locked" -eq "$tries" ]; }; then
			agent_session_log "post-commit: the note of $commit could not be written; the next command adds it"
			return 1
		fi
		sleep "0.0$((($$ + tries * 7) % 9 + 1))" 2>/dev/null || :
		agent_session_read "$commit" || return 1
	done
}

agent_session_log() {
	printf '%s\n' "$1" 2>/dev/null >>"$shared/hook.log" || :
}
