import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { bundled } from '../crash/bundled.ts'
import { root } from '../support/ability.ts'
import type { DumpedEntry } from '../support/plain-tree.ts'
import type { Served } from './served.ts'

/** Why there can be no FUSE mounts here; `undefined` where there can. */
export function whyNoFuse(): string | undefined {
  if (!root) return 'mounting takes root'
  try {
    closeSync(openSync('/dev/fuse', 'r+'))
    return undefined
  } catch (error) {
    return `/dev/fuse cannot be opened: ${(error as Error).message}`
  }
}

/** The programs that tests run, as files. */
export interface Programs {
  readonly mounting: string
  readonly serving: string
  readonly listing: string
}

export async function programsIn(folder: string): Promise<Programs> {
  const one = (name: string): Promise<string> => bundled(`test/fuse/${name}.ts`, join(folder, name))
  return { mounting: await one('mounting'), serving: await one('serving'), listing: await one('listing') }
}

/** Nothing that touches a mount is waited for longer than this, in seconds. */
const patience = 120

/** A union that another process has mounted. What hangs is killed, and what is mounted is unmounted in the end, come what may. */
export class Mounted implements AsyncDisposable {
  readonly at: string
  readonly #programs: Programs
  readonly #child: ChildProcess
  readonly #patience: NodeJS.Timeout
  #said = ''

  private constructor(at: string, programs: Programs, child: ChildProcess) {
    this.at = at
    this.#programs = programs
    this.#child = child
    // A process that nobody waits for any more unmounts and ends with its input: this is for one that cannot.
    this.#patience = setTimeout(() => child.kill('SIGKILL'), 1000 * patience).unref()
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text
      })
  }

  /** `descriptors`: how many the process may have at most. */
  static async mount(
    programs: Programs,
    at: string,
    served: Served,
    { descriptors, ...options }: { readonly descriptors?: number; readonly [option: string]: unknown } = {},
  ): Promise<Mounted> {
    mkdirSync(at, { recursive: true })
    const request = { target: at, program: programs.serving, input: served, ...options }
    const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors} && `
    const command = [process.execPath, programs.mounting, JSON.stringify(request)]
    const child = spawn('sh', ['-c', `${limit}exec "$0" "$@"`, ...command], { stdio: 'pipe' })
    const mounted = new Mounted(at, programs, child)
    try {
      await mounted.#says('ready')
    } catch (error) {
      await mounted[Symbol.asyncDispose]()
      throw error
    }
    return mounted
  }

  /** Runs a shell script with the mount as its working directory; answers with what it says. */
  run(script: string): string {
    return killable('sh', ['-euc', script], this.at)
  }

  /** Everything that is there, as another process sees it. */
  entries(): DumpedEntry[] {
    const entries = JSON.parse(killable(process.execPath, [this.#programs.listing, this.at], '/')) as DumpedEntry[]
    return entries.map((entry) => ({ ...entry, mtime: BigInt(entry.mtime) }))
  }

  /** Kills the process that serves. */
  kill(): Promise<void> {
    const ended = this.#ended()
    this.#child.kill('SIGKILL')
    return ended
  }

  /** Makes the process exit without unmounting; answers with its code. */
  async exit(): Promise<number | null> {
    this.#child.stdin!.write('exit\n')
    await this.#ended()
    return this.#child.exitCode
  }

  /** Unmounts, and returns when the process has said that it has. */
  async release(): Promise<void> {
    this.#child.stdin!.end()
    await this.#says('done')
  }

  /** Unmounts as the process itself does it; what it says is the answer. */
  async unmount(): Promise<string> {
    this.#child.stdin!.end()
    await this.#ended()
    return this.#said
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      execFileSync('timeout', ['-s', 'KILL', '20', 'umount', '-l', this.at], { stdio: 'ignore' })
    } catch {
      // It is unmounted already, as it is where a test went well.
    }
    clearTimeout(this.#patience)
    this.#child.stdin!.destroy()
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = this.#ended()
      this.#child.kill('SIGKILL')
      await ended
    }
  }

  #ended(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => this.#child.once('close', () => resolve()))
  }

  #says(word: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#said.includes(`${word}\n`)) resolve()
      }
      this.#child.stdout!.on('data', look)
      this.#child.once('close', () => reject(new Error(`the process ended: ${this.#said}`)))
    })
  }
}

function killable(program: string, given: readonly string[], cwd: string): string {
  const command = ['-s', 'KILL', `${patience}`, program, ...given]
  try {
    return execFileSync('timeout', command, {
      cwd,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw new Error(`${(error as Error).message}${(error as { readonly stdout?: string }).stdout}`, { cause: error })
  }
}
