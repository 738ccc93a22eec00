import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import type { FsckLevel } from '../../src/store/fsck/findings.ts'
import { openStore } from '../../src/store/open-store.ts'
import { type Directory, differences, directory } from './model.ts'
import { modelOf } from './reading.ts'
import { follow, judged } from './verdict.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** What ends a round: a kill of the server while programs work, while it unmounts, while it mounts; or nothing but the end. */
export const ways = ['killed', 'killed while unmounting', 'killed while mounting', 'unmounted'] as const
export type Way = (typeof ways)[number]

/** Nothing may take longer, in milliseconds. */
const patience = 60_000
const longest = 8000

export interface Round {
  readonly steps: number
  readonly pending: number
  readonly wrong: readonly string[]
}

/** A store with a container of each form, and what must be in them. */
export class Rounds {
  readonly #work: string
  readonly #programs: number
  readonly #models = new Map<UpperForm, Directory[]>()
  #round = 0

  private constructor(work: string, programs: number) {
    this.#work = work
    this.#programs = programs
  }

  static async make(work: string, forms: readonly UpperForm[], programs: number): Promise<Rounds> {
    const rounds = new Rounds(work, programs)
    symlinkSync(join(project, 'node_modules'), join(work, 'node_modules'))
    mkdirSync(join(work, 'mnt'))
    for (const source of ['test/fuse/mounting.ts', 'test/programs/serving.ts', 'test/faults/load.ts'])
      await build({
        ...{
          entryPoints: [join(project, source)],
          outfile: rounds.#program(source),
          bundle: true,
          packages: 'external',
        },
        ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
      })
    await using store = await openStore(rounds.store)
    await store.write(append(scratch, layerFrom(populated(programs))), 'image')
    for (const form of forms) {
      await using container = await store.containers.create(form, 'image')
      rounds.#models.set(form, modelsOf(container.tree, programs))
    }
    for (const form of forms) await store.containers.convert(form, form)
    return rounds
  }

  get store(): string {
    return join(this.#work, 'store')
  }

  async findings(level: FsckLevel): Promise<readonly unknown[]> {
    await using store = await openStore(this.store)
    return (await store.fsck({ level })).findings
  }

  /** Mounts, lets programs work, ends that in some way, and compares what is there then. */
  async round(form: UpperForm, way: Way, chance: (limit: number) => number, end: number): Promise<Round> {
    const number = ++this.#round
    const server = this.#mount(form)
    const loads: ChildProcess[] = []
    const journals = Array.from({ length: this.#programs }, (_, i) => join(this.#work, `journal-${number}-${i}`))
    const wrong: string[] = []
    if (way === 'killed while mounting') {
      await after(chance(900))
      server.kill('SIGKILL')
    } else {
      if (!(await within(saysReady(server)))) return this.#hangs('mounting', server)
      for (const [i, journal] of journals.entries()) loads.push(this.#load(i, journal, chance(2 ** 31)))
      // Mostly they have begun to work by then; now and then they are still looking around.
      if (chance(5) > 0 && !(await within(begun(journals, loads)))) return this.#hangs('a program', ...loads, server)
      await after(Math.min(chance(chance(3) === 0 ? longest : 1500), Math.max(0, end - Date.now())))
      if (way === 'killed') server.kill('SIGKILL')
      else {
        for (const load of loads) load.kill('SIGKILL')
        await Promise.all(loads.map(ended))
        server.stdin!.end()
        if (way === 'killed while unmounting') {
          await after(chance(150))
          server.kill('SIGKILL')
        }
      }
    }
    if (!(await within(ended(server)))) return this.#hangs('the server', server)
    if (!(await within(Promise.all(loads.map(ended))))) return this.#hangs('a program in a dead mount', ...loads)
    this.#forgetMount()
    for (const [i, load] of loads.entries())
      if (load.exitCode !== 0 && load.signalCode === null) wrong.push(`program ${i} ended with ${load.exitCode}`)
    const told = journals.map((journal, i) => follow(this.#models.get(form)![i]!, textOf(journal)))
    for (const [i, { unusual }] of told.entries()) wrong.push(...unusual.map((text) => `program ${i}: ${text}`))
    const found = await this.#found(form)
    for (const [i, { pending }] of told.entries())
      wrong.push(...judged(this.#models.get(form)![i]!, pending, found[i]!).map((text) => `w${i}: ${text}`))
    this.#models.set(form, found)
    if (number % 10 === 0) wrong.push(...(await this.findings('sizes')).map((finding) => JSON.stringify(finding)))
    if (wrong.length === 0) for (const journal of journals) rmSync(journal, { force: true })
    const steps = told.reduce((sum, { done }) => sum + done, 0)
    return { steps, pending: told.filter(({ pending }) => pending).length, wrong }
  }

  /** What is in a container now, as who opens it sees it; and once more, since opening repairs. */
  async #found(form: UpperForm): Promise<Directory[]> {
    await using store = await openStore(this.store)
    const look = async (): Promise<Directory[]> => {
      await using container = await store.containers.open(form)
      return modelsOf(container.tree, this.#programs)
    }
    const first = await look()
    const again = await look()
    for (const [i, model] of first.entries()) {
      const differing = differences(model, again[i]!)
      if (differing.length > 0) throw new Error(`opened again it is another: ${differing.slice(0, 10).join('\n')}`)
    }
    return first
  }

  #mount(form: UpperForm): ChildProcess {
    const target = join(this.#work, 'mnt')
    const input = { store: this.store, container: form }
    const request = { target, program: this.#program('test/programs/serving.ts'), input }
    return spawn(process.execPath, [this.#program('test/fuse/mounting.ts'), JSON.stringify(request)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  }

  #load(i: number, journal: string, seed: number): ChildProcess {
    const root = join(this.#work, 'mnt', `w${i}`)
    return spawn(process.execPath, [this.#program('test/faults/load.ts'), root, journal, `${seed}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  /** Takes a dead mount away. */
  #forgetMount(): void {
    try {
      execFileSync('umount', ['-l', join(this.#work, 'mnt')], { stdio: 'ignore' })
    } catch {
      // There was none, or it was unmounted well.
    }
  }

  #hangs(what: string, ...processes: ChildProcess[]): Round {
    for (const child of processes) child.kill('SIGKILL')
    this.#forgetMount()
    return { steps: 0, pending: 0, wrong: [`${what} takes longer than ${patience / 1000} s`] }
  }

  #program(source: string): string {
    return join(this.#work, source.replaceAll('/', '-').replace(/ts$/, 'mjs'))
  }
}

/** What is below: directories of files for every program. */
function populated(programs: number): Record<string, string> {
  const files: Record<string, string> = {}
  for (let program = 0; program < programs; program++)
    for (let i = 0; i < 90; i++) files[`w${program}/n${i % 6}/n${i % 3}/file-${i}`] = `${i} `.repeat(1 + i * i)
  return files
}

type Opened = Parameters<typeof modelOf>[0]

function modelsOf(tree: Opened, programs: number): Directory[] {
  return Array.from({ length: programs }, (_, i) => {
    const ino = tree.lookup(tree.root, `w${i}`)
    return ino === undefined ? directory() : modelOf(tree, ino)
  })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The program had not come so far.
    return ''
  }
}

/** Settles when every program has told of a step, or ended. */
async function begun(journals: readonly string[], loads: readonly ChildProcess[]): Promise<void> {
  const waiting = (journal: string, i: number): boolean => {
    const { exitCode, signalCode } = loads[i]!
    return exitCode === null && signalCode === null && textOf(journal) === ''
  }
  while (journals.some(waiting)) await after(20)
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

function saysReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.stdout!.on('data', (said) => {
      if (String(said).includes('ready')) resolve()
    })
    server.once('exit', (status) => reject(new Error(`the server ended: ${status}`)))
  })
}

/** Whether something happens while there is patience. */
async function within(event: Promise<unknown>): Promise<boolean> {
  const waiting = new AbortController()
  try {
    return await Promise.race([event.then(() => true), after(patience, false, { signal: waiting.signal })])
  } finally {
    waiting.abort()
  }
}
