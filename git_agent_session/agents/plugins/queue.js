// The part that the plugins for all agents share: finds `git-agent-session` and calls its hook, `AGENT` being the name
// of the agent. Each event goes as one small JSON object to the command's standard input, one call after the other, so
// that their order is kept. Where the command is not installed nothing happens, and no event stops or fails the agent.
import { spawn, spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"

// milliseconds: one call of the hook, the wait before a git command, at the end
const CALL = 10000
const GIT = 1000
const END = 2000
// characters
const TEXT = 256 * 1024
const COMMAND = 16 * 1024
const OUTPUT = 8 * 1024
const VALUE = 2048

const word = (value) => (typeof value === "string" ? value : "")
const cut = (value, limit) => word(value).slice(0, limit)
const ends = (value) => {
  const text = word(value)
  return text.length <= 2 * OUTPUT ? text : `${text.slice(0, OUTPUT)}\n…\n${text.slice(-OUTPUT)}`
}
const isGit = (command) => /\b(git|gh|jj)\b/.test(command)
// one for all instances of the plugin in this process
const shared = (globalThis[Symbol.for("git-agent-session")] ??= { newest: new Map(), closers: new Set() })

function find(name) {
  const names = process.platform === "win32" ? [`${name}.exe`] : [name]
  const folders = [...word(process.env.PATH).split(delimiter), join(homedir(), ".local", "bin")]
  for (const folder of folders.filter(Boolean)) {
    for (const path of names.map((n) => join(folder, n))) {
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {}
    }
  }
  return ""
}

/** Calls of the hook, one after the other. */
class Queue {
  constructor(program, cwd) {
    this.program = program
    // the process that writes the transcript, by a name of the agent's own
    const env = { ...process.env, [`${AGENT.toUpperCase()}_PID`]: String(process.pid) }
    this.options = { cwd, env, stdio: ["pipe", "ignore", "ignore"], windowsHide: true }
    this.waiting = []
    this.current = ""
    this.running = null
    this.closing = false
  }

  add(payload) {
    this.waiting.push(JSON.stringify(payload))
    if (!this.closing) this.running ??= this.work()
  }

  async work() {
    while (this.waiting.length) {
      this.current = this.waiting.shift()
      await this.call(this.current)
      this.current = ""
    }
    this.running = null
  }

  call(text) {
    return new Promise((done) => {
      try {
        const child = spawn(this.program, ["hook", AGENT], { ...this.options, detached: true })
        const timer = setTimeout(() => child.kill("SIGKILL"), CALL)
        const end = () => {
          clearTimeout(timer)
          done()
        }
        child.once("error", end)
        child.once("close", end)
        child.stdin.on("error", () => {})
        child.stdin.end(text)
      } catch {
        done()
      }
    })
  }

  /** Wait until all calls are done, `ms` at most. */
  async drained(ms) {
    if (!this.running) return
    let timer
    await Promise.race([this.running, new Promise((done) => (timer = setTimeout(done, ms)))])
    clearTimeout(timer)
  }

  /** Make the calls that are left, before the process is gone: that under way too, whose input may not be out yet. */
  flush(ms) {
    const last = Date.now() + ms
    for (const input of [this.current, ...this.waiting.splice(0)].filter(Boolean)) {
      const timeout = last - Date.now()
      if (timeout <= 0) return
      spawnSync(this.program, ["hook", AGENT], { ...this.options, input, timeout })
    }
  }
}

/** A signal may end the agent at once, without a word to its plugins: so that has to be seen first. */
function watch() {
  if (shared.watched) return
  shared.watched = true
  const close = (ms) => {
    for (const closer of shared.closers) closer(ms)
  }
  process.once("exit", () => close(END))
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => {
      close(GIT)
      // as if nobody had listened
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
    })
  }
}
