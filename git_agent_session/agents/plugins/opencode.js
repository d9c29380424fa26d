// Tells `git-agent-session hook opencode` what OpenCode does. No event stops or slows OpenCode: only a shell command that
// names git waits, a second at most, until what came before it is recorded.
const AGENT = "opencode"
const ABORTED = /User aborted the command\s*<\/\w+_metadata>\s*$/
// milliseconds to wait for a session's facts
const ASK = 1000

const SHELLS = ["bash", "shell"]
// what of a tool's input says what it works on; the rest holds whole files
const INPUT = ["filePath", "path", "pattern", "query", "url", "name", "description", "subagent_type", "prompt"]

/** What is known of the sessions of one folder, and what is told of them. */
class Teller {
  constructor(client, directory, queue) {
    this.client = client
    this.directory = directory
    this.queue = queue
    this.sessions = new Map()
  }

  tell(session, event, fields = {}) {
    const root = this.root(session)
    this.queue.add({
      agent: AGENT,
      hook_event_name: event,
      session_id: root.id,
      agent_id: root === session ? "" : session.id,
      cwd: root.directory || this.directory,
      timestamp: new Date().toISOString(),
      ...fields,
    })
  }

  learn(info) {
    if (!word(info?.id)) return null
    const session = this.sessions.get(info.id) ?? { id: info.id, turn: "", done: new Set(), answer: null }
    this.sessions.set(info.id, session)
    session.parent = word(info.parentID) || session.parent || ""
    session.directory = word(info.directory) || session.directory
    session.version = word(info.version) || session.version
    session.title = word(info.title) || session.title
    session.created = info.time?.created ?? session.created
    return session
  }

  /** The session of this id and its parents, asked for where no event has spoken of them. */
  async know(id) {
    for (let n = 0, next = id; word(next) && n < 20; n++) {
      const session = this.sessions.get(next) ?? this.learn((await this.ask(next)) ?? { id: next })
      next = session.parent
    }
    return this.sessions.get(id)
  }

  async ask(id) {
    let timer
    const late = new Promise((done) => (timer = setTimeout(done, ASK)))
    try {
      return (await Promise.race([this.client.session.get({ path: { id } }), late]))?.data
    } catch {
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  root(session) {
    let at = session
    for (let n = 0; at.parent && n < 20; n++) at = this.sessions.get(at.parent) ?? at
    return at
  }

  /** Say once that a session is open, before anything else is said of it. */
  open(session, fresh) {
    if (session.parent || session.open) return
    session.open = true
    const forked = fresh && / \(fork #\d+\)$/.test(word(session.title))
    const source = forked ? "fork" : fresh ? "startup" : "resume"
    this.tell(session, "session.start", { source, version: fresh ? session.version : "" })
  }

  async prompt(input, output) {
    const message = output?.message ?? {}
    const session = await this.know(word(input?.sessionID) || word(message.sessionID))
    if (!session) return
    session.turn = word(message.id) || "turn"
    session.active = true
    session.answer = null
    if (session.parent) {
      session.kind = word(message.agent) || "agent"
      return this.tell(session, "agent.start", { agent_type: session.kind, message_id: session.turn })
    }
    this.open(session, Date.now() - session.created < 5000)
    const parts = (Array.isArray(output?.parts) ? output.parts : []).filter(
      (part) => part?.type === "text" && !part.synthetic && !part.ignored,
    )
    this.tell(session, "chat.message", {
      message_id: session.turn,
      text: cut(parts.map((part) => word(part.text)).join("\n"), TEXT),
      model: word(message.model?.modelID),
    })
  }

  async before(input, output) {
    const command = word(output?.args?.command)
    if (!SHELLS.includes(input?.tool) || !command) return
    const session = await this.know(input.sessionID)
    if (!session) return
    this.tell(session, "tool.before", { tool: input.tool, call_id: word(input.callID), command: cut(command, COMMAND) })
    if (isGit(command)) await this.queue.drained(GIT)
  }

  async environment(input, output) {
    const session = word(input?.sessionID) ? await this.know(input.sessionID) : null
    if (session && output?.env) output.env.OPENCODE_SESSION_ID = this.root(session).id
  }

  event(type, properties) {
    const read = EVENTS[type]
    if (read) read(this, properties ?? {}, this.sessions.get(word(properties?.sessionID)))
  }

  part(part) {
    const session = this.sessions.get(word(part?.sessionID))
    if (session && part.type === "compaction") session.trigger = part.auto === true ? "auto" : "manual"
    // parts from before the first turn, or with a time before the session's own, are copies that a fork makes
    if (!session?.active) return
    if (part.type === "tool") return this.tool(session, part)
    if (part.type !== "text" || part.synthetic || !part.time?.end || part.time.start < session.created) return
    if (session.answer?.id !== part.messageID) session.answer = { id: part.messageID, texts: new Map() }
    session.answer.texts.set(part.id, word(part.text))
  }

  tool(session, part) {
    const { status, input = {}, metadata = {}, time = {}, error, output } = part.state ?? {}
    if (status !== "completed" && status !== "error") return
    if (session.done.has(part.id) || time.compacted || time.start < session.created) return
    session.done.add(part.id)
    const shell = SHELLS.includes(part.tool)
    const given = Object.fromEntries(INPUT.map((k) => [k, cut(input?.[k], VALUE)]).filter(([, v]) => v))
    const heads = word(input?.patchText).split("\n").filter((line) => line.startsWith("*** "))
    this.tell(session, "tool.after", {
      tool: word(part.tool),
      part_id: word(part.id),
      call_id: word(part.callID),
      input: shell ? { command: cut(input?.command, COMMAND), ...given } : given,
      patch: cut(heads.join("\n"), COMMAND),
      status,
      // a command that was stopped counts as completed, and says so at the end of its output
      interrupted: metadata?.interrupted === true || (shell && ABORTED.test(word(output))),
      exit: shell ? metadata?.exit : undefined,
      error: cut(error, VALUE),
      output: shell ? ends(output) : "",
      duration_ms: time.end - time.start,
    })
  }

  idle(session) {
    if (!session?.turn) return
    const fields = { message_id: session.turn }
    session.turn = ""
    if (session.parent) return this.tell(session, "agent.stop", { ...fields, agent_type: session.kind || "agent" })
    const said = session.answer && session.answer.id !== session.summary
    this.open(session, false)
    this.tell(session, "session.idle", said ? { message_id: session.answer.id, text: this.said(session) } : fields)
    session.answer = null
  }

  said(session) {
    return cut([...(session.answer?.texts.values() ?? [])].filter(Boolean).join("\n"), TEXT)
  }

  compacted(session) {
    const text = session.answer?.id === session.summary ? this.said(session) : ""
    const fields = { message_id: word(session.summary), trigger: session.trigger || "", text }
    this.tell(session, "session.compacted", fields)
    session.trigger = ""
  }

  failed(session, error) {
    const name = word(error?.name)
    this.tell(session, "session.error", { name, error: cut(error?.data?.message ?? error?.message, VALUE) })
  }

  close(session, reason) {
    if (session?.open) this.tell(session, "session.end", { reason })
    if (session) session.open = false
  }

  closeAll() {
    for (const session of this.sessions.values()) this.close(session, "exit")
  }
}

const EVENTS = {
  "session.created": (teller, { info }) => {
    const session = teller.learn(info)
    if (session) teller.open(session, true)
  },
  "session.updated": (teller, { info }) => teller.learn(info),
  "session.deleted": (teller, { info, sessionID }) => teller.close(teller.sessions.get(info?.id ?? sessionID), "deleted"),
  "session.status": (teller, { status }, session) => {
    if (status?.type === "idle") teller.idle(session)
    else if (session && status?.type === "busy") {
      session.turn ||= "turn"
      session.active = true
    }
  },
  "session.idle": (teller, _, session) => teller.idle(session),
  "session.compacted": (teller, _, session) => session && teller.compacted(session),
  "session.error": (teller, { error }, session) => session && teller.failed(session, error),
  "message.updated": (teller, { info }) => {
    const session = teller.sessions.get(word(info?.sessionID))
    if (session && info.summary === true) session.summary = info.id
  },
  "message.part.updated": (teller, { part }) => teller.part(part),
}

export const GitAgentSession = async ({ client, directory, project }) => {
  try {
    const program = find("git-agent-session")
    // a folder outside of any repository belongs to the project "global"
    if (!program || project?.id === "global") return {}
    const queue = new Queue(program, directory)
    const teller = new Teller(client, directory, queue)
    const token = {}
    // the plugin may be installed twice, for the user and in the project: the newest instance of a folder speaks
    shared.newest.set(directory, token)
    const quiet =
      (take) =>
      async (...args) => {
        try {
          if (shared.newest.get(directory) === token) await take(...args)
        } catch {}
      }
    const closer = (ms) => {
      try {
        queue.closing = true
        teller.closeAll()
        queue.flush(ms)
      } catch {}
      queue.closing = false
    }
    shared.closers.add(closer)
    watch()
    return {
      event: quiet(({ event }) => teller.event(event?.type, event?.properties)),
      "chat.message": quiet((input, output) => teller.prompt(input, output)),
      "tool.execute.before": quiet((input, output) => teller.before(input, output)),
      "shell.env": quiet((input, output) => teller.environment(input, output)),
      dispose: quiet(async () => {
        teller.closeAll()
        await queue.drained(END)
        if (!queue.running) shared.closers.delete(closer)
      }),
    }
  } catch {
    return {}
  }
}
