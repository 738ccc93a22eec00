import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSource, openStore, type Store } from '../../src/index.ts'
import type { ExecutionConfig } from '../../src/model/documents.ts'
import { builtIn, linesOf, saidOf } from '../build/table/built.ts'
import type { Case, Given } from '../build/table/case.ts'
import { layDown } from './context-on-disk.ts'
import { explained, unable } from './known-differences.ts'

/** What came of one case. */
export interface Compared {
  readonly says: string
  readonly outcome: 'same' | 'explained' | 'different' | 'cannot'
  /** What differs, or why buildah cannot build it. */
  readonly lines: readonly string[]
}

const stageAlone = 'it writes no archive of a stage that says nothing but FROM'
/** What every image of buildah says of the container that it was built in, and no image of BuildKit. */
const ofContainers = new Set(['Hostname', 'Domainname', 'Image'])

/** Builds cases with buildah, in a storage of its own, and with ply, and compares configuration and tree entry by entry. */
export class AgainstBuildah implements AsyncDisposable {
  readonly #directory: string
  readonly #store: Store
  #count = 0

  private constructor(directory: string, store: Store) {
    this.#directory = directory
    this.#store = store
  }

  /** @param images that cases begin with: `shell` */
  static async in(directory: string, images: Readonly<Record<string, Given>> = {}): Promise<AgainstBuildah> {
    mkdirSync(directory, { recursive: true })
    const store = await openStore(join(directory, 'store'))
    const against = new AgainstBuildah(directory, store)
    for (const [name, given] of Object.entries(images)) {
      await store.write(await builtIn(store, given), name)
      const failed = await against.#bud(given, { name })
      if (failed !== undefined) throw new Error(`${name}: ${failed}`)
    }
    return against
  }

  async compare(one: Case): Promise<Compared> {
    const { says } = one
    const why = unable(one)
    if (why !== undefined) return { says, outcome: 'cannot', lines: [why] }
    const at = join(this.#directory, `case-${this.#count++}`)
    mkdirSync(at)
    try {
      const lines = await this.#differences(one, at)
      if (lines[0] === stageAlone) return { says, outcome: 'cannot', lines }
      const open = lines.filter((line) => explained(one, line) === undefined)
      if (open.length > 0) return { says, outcome: 'different', lines: open }
      return { says, outcome: lines.length === 0 ? 'same' : 'explained', lines }
    } finally {
      rmSync(at, { recursive: true, force: true })
    }
  }

  async #differences(one: Case, at: string): Promise<string[]> {
    const archive = join(at, 'image.tar')
    const failed = await this.#bud(one, { at, archive })
    const ours = await builtIn(this.#store, one).then(
      (image) => ({ image }),
      (error: Error) => ({ error }),
    )
    if ('error' in ours)
      return failed === undefined ? [`ply fails, and buildah does not: ${ours.error.message.split('\n')[0]}`] : []
    if (failed !== undefined && /locating new copy of image/.test(failed)) return [stageAlone]
    if (failed !== undefined) return [`buildah fails, and ply does not: ${failed}`]
    await using source = await openSource(`docker-archive:${archive}`)
    const theirs = await source.image()
    await using store = await openStore(':memory:')
    await store.write(theirs, 'theirs')
    const settings = compareSettings(saidOf(ours.image.config.config ?? {}), saidOf(theirs.config.config ?? {}))
    const all = [await linesOf(this.#store, ours.image), await linesOf(store, await store.image('theirs'))]
    // Of what runs something only that place is its own.
    const [mine, other] = one.runs === true ? all.map((lines) => lines.filter((line) => line.startsWith('/w/'))) : all
    return [...settings, ...compareLines(mine!, other!)]
  }

  /** Builds with buildah. Answers the last line of what it says where it fails. */
  async #bud(
    given: Given,
    to: { readonly name?: string; readonly at?: string; readonly archive?: string },
  ): Promise<string | undefined> {
    for (const [name, below] of Object.entries(given.images ?? {})) {
      const failed = await this.#bud(below, { name })
      if (failed !== undefined) return failed
    }
    const at = to.at ?? join(this.#directory, `image-${this.#count++}`)
    const context = join(at, 'context')
    layDown(given.context ?? {}, context)
    writeFileSync(join(at, 'Dockerfile'), given.dockerfile)
    const flags = ['--isolation', 'chroot', '--format', 'docker', '--identity-label=false', '--timestamp', '0']
    flags.push('--platform', given.wanted ?? 'linux/amd64', '--pull-never', '-f', join(at, 'Dockerfile'))
    for (const [name, value] of Object.entries(given.args ?? {})) flags.push('--build-arg', `${name}=${value}`)
    for (const [name, value] of Object.entries(given.labels ?? {})) flags.push('--label', `${name}=${value}`)
    for (const [name, files] of Object.entries(given.contexts ?? {})) {
      layDown(files, join(at, `context-${name}`))
      flags.push('--build-context', `${name}=${join(at, `context-${name}`)}`)
    }
    for (const [id, content] of Object.entries(given.secrets ?? {})) {
      writeFileSync(join(at, `secret-${id}`), content)
      flags.push('--secret', `id=${id},src=${join(at, `secret-${id}`)}`)
    }
    if (given.target !== undefined) flags.push('--target', given.target)
    if (given.ignored !== undefined) {
      writeFileSync(join(at, 'ignored'), given.ignored)
      flags.push('--ignorefile', join(at, 'ignored'))
    }
    flags.push('-t', to.name === undefined ? `docker-archive:${to.archive}` : `localhost/${to.name}`)
    // What is fetched is served by this very process.
    const failed = await new Promise<string | undefined>((resolve) => {
      execFile(
        'timeout',
        ['60', 'buildah', ...this.#storage, 'bud', ...flags, context],
        { maxBuffer: 1 << 28 },
        (error, _, stderr) => resolve(error === null ? undefined : (stderr.trim().split('\n').at(-1) ?? error.message)),
      )
    })
    if (to.at === undefined) rmSync(at, { recursive: true, force: true })
    return failed
  }

  get #storage(): string[] {
    const of = (name: string) => join(this.#directory, name)
    return ['--root', of('root'), '--runroot', of('run'), '--storage-driver', 'vfs']
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
    spawnSync('buildah', [...this.#storage, 'rm', '--all'])
  }
}

function compareSettings(ours: ExecutionConfig, theirs: ExecutionConfig): string[] {
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
    .sort()
    .filter((name) => !ofContainers.has(name))
  return names.flatMap((name) => {
    const [mine, other] = [ours, theirs].map((one) => canonical((one as Readonly<Record<string, unknown>>)[name]))
    return mine === other ? [] : [`${name}: ${mine} and ${other} of buildah`]
  })
}

/** As text, with what is empty as nothing. */
function canonical(value: unknown): string {
  if (value === undefined || value === null || value === '' || value === false) return 'nothing'
  if (typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value)
  if (entries.length === 0) return 'nothing'
  return JSON.stringify(Array.isArray(value) ? value : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))))
}

function compareLines(ours: readonly string[], theirs: readonly string[]): string[] {
  const mine = new Set(ours)
  const others = new Set(theirs)
  return [
    ...ours.filter((line) => !others.has(line)).map((line) => `${shown(line)} of ply alone`),
    ...theirs.filter((line) => !mine.has(line)).map((line) => `${shown(line)} of buildah alone`),
  ]
}

function shown(line: string): string {
  return line.length > 120 ? `${line.slice(0, 120)}…` : line
}
