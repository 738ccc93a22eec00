import type { Interfaces } from '@oclif/core'
import { Command } from '@oclif/core/command'
import { jsonText } from './json.ts'
import type { Library, Operation } from './library.ts'
import { logLine, phaseLine } from './log.ts'
import { heardElsewhere, Output, OutputClosed } from './output.ts'
import { chooseStyle, documentLine, type ProgressRenderer, progressRenderer } from './progress.ts'
import { type SharedFlags, sharedFlags } from './shared-flags.ts'
import type { World } from './world.ts'

// oclif has just put one there that throws what it hears at the process.
for (const listener of process.stdout.listeners('error'))
  if (listener !== heardElsewhere) process.stdout.off('error', listener as () => void)

/** What oclif's parser makes of flags and arguments. */
type Parsed = Record<string, unknown>

/**
 * A command that runs in a world: it parses, makes one call, prints, and returns the value that `--json` shows. What it opens through
 * here is closed when it ends, the last first, whether it succeeds or not.
 */
export abstract class WorldCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = sharedFlags

  /** Whether it runs another program, given after `--`, whose exit code then is that of ply. */
  static runsAnother(_argv: readonly string[]): boolean {
    return false
  }

  /** Set by a command whose answer is no: exit code 1. */
  protected negative = false
  /** Set by a command that found damage and has told it: exit code 4. */
  protected damaged = false
  #status: number | undefined
  /** What the flags of every command say. */
  protected shared: SharedFlags = {}
  #world: World | undefined
  #output: Output | undefined
  #renderer: ProgressRenderer | undefined
  readonly #open: (() => unknown)[] = []

  /** Runs the command in a world and answers with its exit code. @throws whatever went wrong */
  async execute(world: World): Promise<number> {
    this.#world = world
    this.#output = new Output(world.stdout, () => this.#renderer?.stop())
    try {
      const result: unknown = await this.run()
      this.#renderer?.stop()
      if (this.jsonEnabled()) this.#output.print(jsonText(result))
      await this.#output.end()
      if (this.#status !== undefined) return this.#status
      return this.damaged ? 4 : this.negative ? 1 : 0
    } catch (error) {
      // What was done before the failure was done: its lines are not held back.
      if (!this.jsonEnabled() && !(error instanceof OutputClosed)) await this.#output.room().catch(() => {})
      throw error
    } finally {
      this.#renderer?.stop()
      for (const close of this.#open.reverse()) await close()
    }
  }

  protected override async parse<F extends Parsed, B extends Parsed, A extends Parsed>(
    options?: Interfaces.Input<F, B, A>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse<F, B, A>(options, argv)
    this.shared = parsed.flags as SharedFlags
    if (this.shared['log-level'] === 'debug') await this.#tellPhases()
    return parsed
  }

  protected get world(): World {
    if (this.#world === undefined) throw new Error('a command runs by execute()')
    return this.#world
  }

  protected get output(): Output {
    if (this.#output === undefined) throw new Error('a command runs by execute()')
    return this.#output
  }

  /** The exit code is another program's. */
  protected exitWith(status: number): void {
    this.#status = status
  }

  protected get quiet(): boolean {
    return this.shared.quiet === true
  }

  /** One line of the result; nothing with `--json`. */
  protected print(line: string): void {
    if (!this.jsonEnabled()) this.output.print(line)
  }

  /** Many lines, as fast as the reader takes them. */
  protected async printAll(lines: Iterable<string>): Promise<void> {
    for (const line of lines) {
      this.print(line)
      if (this.output.full) await this.output.room()
    }
  }

  /** Takes progress off the terminal, which is somebody else's from here on. */
  protected leaveTerminal(): void {
    this.#renderer?.stop()
  }

  /** A line for people on stderr; nothing with `-q`. */
  protected say(line: string): void {
    if (this.quiet || this.shared['log-level'] === 'error') return
    this.#renderer?.stop()
    const asked = this.shared['log-format'] === 'json' ? logLine('info', { message: line }) : `${line}\n`
    this.world.stderr.write(this.tellsDocuments ? documentLine('note', line) : asked)
  }

  /** Whether what happens is told as JSON, by `document`. */
  protected get tellsDocuments(): boolean {
    return this.shared.progress === 'json' && !this.quiet
  }

  /** A line of JSON on stderr, by `--progress json`. */
  protected document(kind: string, value: unknown): void {
    this.world.stderr.write(documentLine(kind, value))
  }

  /** Content and `--json` cannot share stdout, and content does not go to a terminal unasked. @throws PLY_USAGE */
  protected async claimStdout(options: { readonly binary: boolean; readonly instead: string }): Promise<void> {
    const { PlyError } = await this.library()
    if (this.jsonEnabled())
      throw new PlyError('PLY_USAGE', { reason: `--json and content cannot share stdout; ${options.instead}` })
    if (options.binary && this.output.isTerminal) {
      throw new PlyError('PLY_USAGE', { reason: `not writing an archive to a terminal; ${options.instead}` })
    }
  }

  /** The library, loaded when it is first needed: help and usage errors do without. */
  protected library(): Promise<Library> {
    return import('../index.ts')
  }

  /** Where signals and progress go; the last argument of every long call. */
  protected get operation(): Required<Operation> {
    this.#renderer ??= this.#chooseRenderer()
    return { signal: this.world.signal, onProgress: this.#renderer.show }
  }

  /** Sees to it that something is closed when the command ends. */
  protected closing<T extends AsyncDisposable>(held: T): T {
    this.atEnd(() => held[Symbol.asyncDispose]())
    return held
  }

  /** What is to be done when the command ends: what came later is done first. */
  protected atEnd(close: () => unknown): void {
    this.#open.push(close)
  }

  /** How long each phase of the call took, and the command as a whole. */
  async #tellPhases(): Promise<void> {
    const { onPhase } = await this.library()
    const json = this.shared['log-format'] === 'json'
    const begun = performance.now()
    const tell = (facts: Readonly<Record<string, unknown>>, line: string) => {
      this.#renderer?.stop()
      this.world.stderr.write(json ? logLine('debug', facts) : line)
    }
    const stop = onPhase((phase) => tell({ ...phase }, phaseLine(phase)))
    this.atEnd(() => {
      stop()
      const phase = { what: `ply ${this.id}`, milliseconds: performance.now() - begun }
      tell({ phase: 'command', ...phase }, `debug: ${phase.what} took ${phase.milliseconds.toFixed(1)} ms\n`)
    })
  }

  #chooseRenderer(): ProgressRenderer {
    const { stderr, environment } = this.world
    const style = this.quiet ? 'none' : chooseStyle(this.shared.progress ?? 'auto', stderr, environment)
    return progressRenderer(style, stderr)
  }
}
