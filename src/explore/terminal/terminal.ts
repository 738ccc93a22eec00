import { StringDecoder } from 'node:string_decoder'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Exploration } from '../table.ts'
import { ansi } from './cells.ts'
import { drawn } from './draw.ts'
import { keysIn } from './keys.ts'
import { initialState, pressed, resized, type State } from './state.ts'

/** Where the explorer is shown. */
export interface Terminal {
  readonly input: ReadStream
  readonly output: WriteStream
  /** Ends it. */
  readonly signal: AbortSignal
  readonly colours: boolean
}

/** The screen of its own, without a cursor and without breaking lines; and back. */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const leave = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'

/** How long a terminal may take between an escape and what belongs to it. */
const patience = 50

/**
 * Shows the explorer on a terminal until it is left. Whatever happens, the terminal is given back as it was: when it ends, at signals, while
 * it is stopped, and before an exception is told.
 */
export async function exploreInTerminal(exploration: Exploration, terminal: Terminal): Promise<void> {
  const shown = new Screen(initialState(exploration, ...sizeOf(terminal.output)), terminal)
  await shown.run()
}

class Screen {
  readonly #terminal: Terminal
  readonly #decoder = new StringDecoder('utf8')
  #state: State
  #lines: string[] = []
  #on = false
  #left = ''
  #waiting: NodeJS.Timeout | undefined
  #done: () => void = () => {}

  constructor(state: State, terminal: Terminal) {
    this.#state = state
    this.#terminal = terminal
  }

  async run(): Promise<void> {
    const { input, output, signal } = this.#terminal
    const ended = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    const listeners: readonly (readonly [NodeJS.EventEmitter, string, (...args: never[]) => void])[] = [
      [input, 'data', (chunk: Buffer) => this.#take(this.#decoder.write(chunk))],
      [input, 'end', this.#done],
      [input, 'error', this.#done],
      // Nobody looks any more.
      [output, 'error', this.#done],
      [output, 'resize', () => this.#show(resized(this.#state, ...sizeOf(output)))],
      [process, 'SIGTSTP', this.#stop],
      [process, 'SIGCONT', () => this.#resume()],
      [process, 'exit', () => this.#leave()],
      [process, 'uncaughtExceptionMonitor', () => this.#leave()],
    ]
    for (const [from, event, listener] of listeners) from.on(event, listener as (...args: unknown[]) => void)
    signal.addEventListener('abort', this.#done, { once: true })
    if (signal.aborted) this.#done()
    try {
      this.#enter()
      await ended
    } finally {
      this.#leave()
      clearTimeout(this.#waiting)
      signal.removeEventListener('abort', this.#done)
      for (const [from, event, listener] of listeners) from.off(event, listener as (...args: unknown[]) => void)
      input.pause()
    }
  }

  #enter(): void {
    if (this.#on) return
    this.#on = true
    const { input, output } = this.#terminal
    input.setRawMode(true)
    input.resume()
    output.write(enter)
    this.#lines = []
    this.#show(resized(this.#state, ...sizeOf(output)))
  }

  #leave(): void {
    if (!this.#on) return
    this.#on = false
    const { input, output } = this.#terminal
    try {
      input.setRawMode(false)
    } catch (error) {
      // A terminal that has gone has no mode.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
    }
    if (!output.destroyed) output.write(leave)
  }

  readonly #stop = (): void => {
    this.#leave()
    process.off('SIGTSTP', this.#stop)
    process.kill(0, 'SIGTSTP')
    // Reached when it goes on, or at once where nothing can be stopped.
    setTimeout(() => this.#resume(), 10)
  }

  #resume(): void {
    if (!process.listeners('SIGTSTP').includes(this.#stop)) process.on('SIGTSTP', this.#stop)
    this.#enter()
  }

  #take(text: string, complete = false): void {
    clearTimeout(this.#waiting)
    const { keys, rest } = keysIn(this.#left + text, complete)
    this.#left = rest
    if (rest !== '') this.#waiting = setTimeout(() => this.#take('', true), patience)
    let state = this.#state
    for (const key of keys) {
      if (key === 'ctrl-z') {
        this.#state = state
        this.#stop()
        return
      }
      state = pressed(state, key)
      if (state.quit) {
        this.#done()
        return
      }
    }
    this.#show(state)
  }

  /** Only the lines that changed are sent. */
  #show(state: State): void {
    if (state.columns !== this.#state.columns || state.rows !== this.#state.rows) this.#lines = []
    this.#state = state
    if (!this.#on) return
    let text = ''
    for (const [row, line] of drawn(state).entries()) {
      const own = ansi(line, this.#terminal.colours)
      if (own === this.#lines[row]) continue
      this.#lines[row] = own
      text += `\x1b[${row + 1};1H${own}`
    }
    if (text !== '') this.#terminal.output.write(text)
  }
}

function sizeOf({ columns, rows }: WriteStream): [number, number] {
  return [columns || 80, rows || 24]
}
