// Tells `git-agent-session hook pi` what Pi does. No event stops or slows Pi: only a shell command that names git waits,
// a second at most, until what came before it is recorded. It imports nothing of Pi, whose package has had two names.
import { readFileSync, realpathSync } from "node:fs"
import { dirname } from "node:path"

const AGENT = "pi"
const SHELLS = ["bash", "powershell"]
// what of a tool's input says what it works on; the rest holds whole files
const INPUT = ["path", "pattern", "glob", "query", "url", "name", "description"]

/** Pi's version, from the package that its command lies in. */
function version() {
  try {
    for (let folder = dirname(realpathSync(process.argv[1])), n = 0; n < 3; folder = dirname(folder), n++) {
      try {
        const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
        if (word(about.name).includes("pi-coding-agent")) return word(about.version)
      } catch {}
    }
  } catch {}
  return ""
}

const texts = (content) => {
  if (typeof content === "string") return content
  const blocks = Array.isArray(content) ? content : []
  return blocks.filter((block) => block?.type === "text").map((block) => word(block.text)).join("\n")
}

/** What is told of one session. */
class Teller {
  constructor(queue) {
    this.queue = queue
    this.open = null
    this.started = new Map()
  }

  tell(event, ctx, fields = {}) {
    const manager = ctx.sessionManager
    this.queue.add({
      agent: AGENT,
      hook_event_name: event,
      session_id: word(manager.getSessionId()),
      cwd: ctx.cwd,
      timestamp: new Date().toISOString(),
      transcript_path: word(manager.getSessionFile()),
      model: word(ctx.model?.id),
      ...fields,
    })
  }

  start(event, ctx) {
    const parent = word(ctx.sessionManager.getHeader?.()?.parentSession)
    const id = word(ctx.sessionManager.getSessionId())
    // the id is taken now: at the end of the process Pi may be half gone
    const file = ctx.sessionManager.getSessionFile()
    this.open = { sessionManager: { getSessionId: () => id, getSessionFile: () => file }, cwd: ctx.cwd }
    this.tell("session_start", ctx, { reason: word(event.reason), parent_session: parent, version: version() })
    // versions before 0.80 leave it out of the shell's environment
    if (!process.env.PI_SESSION_ID || process.env.PI_SESSION_ID === shared.named) {
      process.env.PI_SESSION_ID = shared.named = id
    }
  }

  input(event, ctx) {
    this.tell("input", ctx, { text: cut(event.text, TEXT), source: word(event.source) })
  }

  async call(event, ctx) {
    this.started.set(event.toolCallId, Date.now())
    const command = word(event.input?.command)
    if (!SHELLS.includes(event.toolName) || !command) return
    const fields = { tool: event.toolName, call_id: word(event.toolCallId), command: cut(command, COMMAND) }
    this.tell("tool_call", ctx, fields)
    if (isGit(command)) await this.queue.drained(GIT)
  }

  result(event, ctx) {
    const since = this.started.get(event.toolCallId)
    this.started.delete(event.toolCallId)
    const shell = SHELLS.includes(event.toolName)
    const given = Object.fromEntries(INPUT.map((k) => [k, cut(event.input?.[k], VALUE)]).filter(([, v]) => v))
    const said = texts(event.content)
    this.tell("tool_result", ctx, {
      tool: word(event.toolName),
      call_id: word(event.toolCallId),
      input: shell ? { command: cut(event.input?.command, COMMAND) } : given,
      failed: event.isError === true,
      interrupted: event.isError === true && ctx.signal?.aborted === true,
      error: event.isError === true ? cut(said, VALUE) : "",
      output: shell ? ends(said) : "",
      duration_ms: since === undefined ? undefined : Date.now() - since,
    })
  }

  end(event, ctx) {
    const messages = (Array.isArray(event.messages) ? event.messages : []).filter((m) => m?.role === "assistant")
    const last = messages.at(-1)
    const fields = { message_at: last?.timestamp, stop_reason: word(last?.stopReason) }
    this.tell("agent_end", ctx, { ...fields, text: cut(texts(last?.content), TEXT) })
  }

  compact(event, ctx) {
    const entry = event.compactionEntry
    const fields = { entry_id: word(entry?.id), trigger: word(event.reason), text: cut(entry?.summary, TEXT) }
    this.tell("session_compact", ctx, fields)
  }

  close(reason) {
    const spoken = this.open && shared.newest.get(this.open.sessionManager.getSessionId()) === this
    if (spoken) this.tell("session_shutdown", this.open, { reason })
    this.open = null
  }
}

export default function (pi) {
  const program = find("git-agent-session")
  if (!program) return
  const queue = new Queue(program, process.cwd())
  const teller = new Teller(queue)
  // the extension may be installed twice, for the user and in the project: the newest to see a session speaks of it
  const on = (event, take) =>
    pi.on(event, async (given, ctx) => {
      try {
        const id = word(ctx.sessionManager.getSessionId())
        if (event === "session_start") shared.newest.set(id, teller)
        if (id && shared.newest.get(id) === teller) await take(given ?? {}, ctx)
      } catch {}
    })
  const closer = (ms) => {
    try {
      queue.closing = true
      teller.close("exit")
      queue.flush(ms)
    } catch {}
    queue.closing = false
  }
  shared.closers.add(closer)
  watch()
  on("session_start", (event, ctx) => teller.start(event, ctx))
  on("input", (event, ctx) => teller.input(event, ctx))
  on("tool_call", (event, ctx) => teller.call(event, ctx))
  on("tool_result", (event, ctx) => teller.result(event, ctx))
  on("agent_end", (event, ctx) => teller.end(event, ctx))
  on("session_compact", (event, ctx) => teller.compact(event, ctx))
  on("session_shutdown", async (event) => {
    // the same session goes on with the extension read anew
    if (event.reason === "reload") teller.open = null
    teller.close(word(event.reason) || "quit")
    await queue.drained(END)
    if (!queue.running) shared.closers.delete(closer)
  })
}
