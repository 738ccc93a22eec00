import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { RunMount } from '../../dockerfile/index.ts'
import { extractTree } from '../../extract/index.ts'
import { encodeText } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { BindMount } from '../../run/spec.ts'
import { scratchFor } from '../../run/traces.ts'
import type { Tree } from '../../stack/tree.ts'
import type { BuildGround } from '../../store/builds/ground.ts'
import type { Store } from '../../store/store.ts'
import type { Lock } from '../../sys/disk.ts'
import { findSources } from '../copy/copy-sources.ts'
import { treeBelow } from '../copy/tree-below.ts'

/** What a command of a build sees beside its own files, and what it takes for that. */
export interface PreparedMounts extends AsyncDisposable {
  readonly binds: readonly BindMount[]
  readonly temporary: Readonly<Record<string, readonly string[]>>
  /** `NAME=VALUE`, of secrets too: it is in no key and no history. */
  readonly environment: readonly string[]
}

export interface MountSurroundings {
  readonly store: Store
  readonly ground: BuildGround
  readonly directory: string
  /** Puts variables in. */
  word(text: string): string
  /** What `from` means; the context where it is absent. */
  treeOf(from: string | undefined): Promise<Tree>
  readonly secrets: Readonly<Record<string, Uint8Array>>
  /** The socket of an agent, by its id. */
  readonly agents: Readonly<Record<string, string>>
  readonly operation: Operation
}

/**
 * Prepares what `RUN --mount` asks for. Sources are copies, which are gone afterwards with all that was written in them; caches are
 * directories of the store, for one command at a time where that is wanted.
 *
 * @throws Error that says what is missing; ENOENT for a source
 */
export async function prepareMounts(mounts: readonly RunMount[], around: MountSurroundings): Promise<PreparedMounts> {
  const scratch = mounts.some(({ type }) => type !== 'tmpfs') ? await scratchFor(around.store) : undefined
  const locks: Lock[] = []
  const close = async () => {
    for (const lock of locks.splice(0)) lock.release()
    await scratch?.[Symbol.asyncDispose]()
  }
  const preparing = new Preparing(scratch?.path ?? '', locks, around)
  try {
    for (const [at, mount] of mounts.entries()) await preparing.add(mount, at)
    const { binds, temporary, environment } = preparing
    return { binds, temporary, environment, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

class Preparing {
  readonly binds: BindMount[] = []
  readonly temporary: Record<string, readonly string[]> = {}
  readonly environment: string[] = []
  readonly #scratch: string
  readonly #locks: Lock[]
  readonly #around: MountSurroundings

  constructor(scratch: string, locks: Lock[], around: MountSurroundings) {
    this.#scratch = scratch
    this.#locks = locks
    this.#around = around
  }

  async add(mount: RunMount, at: number): Promise<void> {
    const { word, directory } = this.#around
    const target = mount.target === undefined ? undefined : posix.resolve(directory, word(mount.target))
    switch (mount.type) {
      case 'tmpfs':
        this.temporary[target!] = mount.size === undefined ? [] : [`size=${word(mount.size)}`]
        return
      case 'bind':
        this.binds.push({
          source: await this.#copied(mount, join(this.#scratch, String(at))),
          target: target!,
          readOnly: mount.readOnly,
        })
        return
      case 'cache':
        this.binds.push({ source: await this.#cache(mount, target!, at), target: target!, readOnly: mount.readOnly })
        return
      case 'secret':
        return this.#secret(mount, target, at)
      case 'ssh':
        return this.#agent(mount, target)
      default:
        return mount.type satisfies never
    }
  }

  async #copied(mount: RunMount, place: string): Promise<string> {
    const { word, treeOf, operation } = this.#around
    const tree = await treeOf(mount.from === undefined ? undefined : word(mount.from))
    const source = mount.source === undefined ? '' : word(mount.source)
    const [found] = findSources(tree, encodeText(source))
    if (found === undefined) throw new Error(`there is no ${source} to be mounted`)
    const isDirectory = tree.stat(found.ino).kind === 'directory'
    await extractTree(treeBelow(tree, found.ino), place, operation)
    return isDirectory ? place : join(place, treeBelow.onlyName)
  }

  async #cache(mount: RunMount, target: string, at: number): Promise<string> {
    const { ground, word, operation } = this.#around
    const id = word(mount.id ?? target)
    const name = createHash('sha256').update(id).digest('hex')
    const root = ground.directory('mounts')
    const path = join(root, name)
    if (mount.sharing === 'locked') this.#locks.push(await ground.alone(`mount-${name}`, operation))
    if (mount.sharing === 'private') return this.#made(join(this.#scratch, String(at)), mount)
    return existsSync(path) ? path : this.#made(path, mount)
  }

  async #made(path: string, mount: RunMount): Promise<string> {
    const { word } = this.#around
    // What it begins with, once.
    if (mount.from !== undefined || mount.source !== undefined) await this.#copied(mount, path)
    else mkdirSync(path)
    const number = (text: string | undefined) => (text === undefined ? 0 : Number(word(text)))
    if (process.getuid?.() === 0) chownSync(path, number(mount.uid), number(mount.gid))
    chmodSync(path, Number.parseInt(word(mount.mode ?? '0755'), 8))
    return path
  }

  #secret(mount: RunMount, target: string | undefined, at: number): void {
    const { secrets, word } = this.#around
    const id = mount.id === undefined ? posix.basename(target ?? '') : word(mount.id)
    if (id === '') throw new Error('a secret wants an id or a target')
    const content = secrets[id]
    if (content === undefined) {
      if (mount.required) throw new Error(`it needs the secret ${id}: give it with --secret id=${id},src=FILE`)
      return
    }
    if (mount.env !== undefined) this.environment.push(`${word(mount.env)}=${Buffer.from(content).toString()}`)
    if (mount.env !== undefined && target === undefined) return
    const path = join(this.#scratch, String(at))
    writeFileSync(path, content, { mode: 0o600 })
    if (process.getuid?.() === 0) chownSync(path, Number(word(mount.uid ?? '0')), Number(word(mount.gid ?? '0')))
    chmodSync(path, Number.parseInt(word(mount.mode ?? '0400'), 8))
    this.binds.push({ source: path, target: target ?? `/run/secrets/${id}`, readOnly: true })
  }

  #agent(mount: RunMount, target: string | undefined): void {
    const { agents, word } = this.#around
    const id = word(mount.id ?? 'default')
    const socket = agents[id]
    if (socket === undefined) {
      if (mount.required)
        throw new PlyError('PLY_USAGE', { reason: `it needs the agent ${id}: give it with --ssh ${id}` })
      return
    }
    const place = target ?? `/run/ssh/agent.${this.binds.length}`
    this.binds.push({ source: socket, target: place })
    this.environment.push(`SSH_AUTH_SOCK=${place}`)
  }
}
