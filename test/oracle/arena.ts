import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stat } from '../../src/model/entry.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { mount, umount, unmountFlags } from '../../src/sys/mount.ts'
import type { Answer, System } from './answers.ts'
import { Bench, type Reference, type Sequence, type Tally } from './engine.ts'
import type { Abilities } from './generate.ts'
import { writeLayer, writeMerged } from './layer-directories.ts'
import { indexedLayer } from './layer-index.ts'
import { type Layer, merged } from './layers.ts'
import { PlainModel } from './model.ts'
import type { Operation } from './operations.ts'
import { sys } from './syscalls.ts'
import {
  KernelSystem,
  kernelOverlay,
  type Lower,
  memorySystem,
  overlaySystem,
  portableSystem,
  VerbsSystem,
} from './systems.ts'

/** Which systems are compared. The first one is the oracle. */
export interface Line {
  readonly name: string
  readonly systems: readonly string[]
  /** Options of the overlayfs mount, where one takes part. */
  readonly options: string
  /** Whether the layers may have link groups: without `index=on` overlayfs breaks them. */
  readonly links: boolean
}

const shared = ['model', 'memory', 'overlay', 'portable']

export const lines: readonly Line[] = [
  { name: 'redirect,index', systems: ['overlayfs', ...shared], options: 'redirect_dir=on,index=on', links: true },
  { name: 'default', systems: ['overlayfs', ...shared], options: '', links: false },
  { name: 'metacopy', systems: ['overlayfs', ...shared], options: 'redirect_dir=on,index=on,metacopy=on', links: true },
  { name: 'xino', systems: ['overlayfs', ...shared], options: 'redirect_dir=on,index=on,xino=on', links: true },
  {
    name: 'plain',
    systems: ['directory', 'model', 'memory', 'overlay', 'portable', 'memfs'],
    options: '',
    links: true,
  },
  { name: 'model', systems: ['model', 'memory', 'memfs'], options: '', links: true },
]

export class ModelSystem extends VerbsSystem implements Reference {
  readonly model: PlainModel
  readonly #abilities: Abilities

  constructor(model: PlainModel, abilities: Abilities) {
    super('model', () => model)
    this.model = model
    this.#abilities = abilities
  }

  /** Nothing to open again: handles end. */
  override reopen(): void {
    this.leave()
  }

  isOut(operation: Operation): boolean {
    if (operation.do === 'truncate') return this.sizeAt(operation.path) === operation.size
    const stat = this.#handle(operation)
    if (stat === undefined) return false
    if (operation.do === 'ftruncate') return stat.size === operation.size
    if (stat.kind === 'directory') return stat.links === 0 || operation.do === 'lseek'
    return stat.links === 0 && !this.#abilities.orphans && (operation.do === 'stat' || 'on' in operation)
  }

  isUnlinked(operation: Operation): boolean {
    return this.#handle(operation)?.links === 0
  }

  #handle(operation: Operation): Stat | undefined {
    if (operation.do === 'open' || operation.do === 'close') return undefined
    const slot = 'fd' in operation ? operation.fd : 'on' in operation && 'fd' in operation.on ? operation.on.fd : -1
    const ino = this.inodeOf(slot)
    return ino === undefined ? undefined : this.model.stat(ino)
  }
}

/** A place where batches happen: a tmpfs of its own where this process may mount one. */
export class Arena {
  readonly #folder: string
  readonly #mounted: boolean
  readonly #abilities: Abilities
  #batches = 0

  constructor(abilities: Abilities, parent = tmpdir()) {
    this.#abilities = abilities
    this.#folder = mkdtempSync(join(parent, 'plyfs-oracle-'))
    this.#mounted = process.getuid?.() === 0
    if (this.#mounted) mount('tmpfs', this.#folder, 'tmpfs', 1024, 'mode=755')
    sys.setMask(0)
  }

  async bench(line: Line, sequences: readonly Omit<Sequence, 'operations'>[], tally: Tally) {
    const folder = join(this.#folder, String(this.#batches++))
    mkdirSync(folder)
    const needsDirectories = line.systems.includes('overlayfs')
    const layers = layersOf(sequences)
    const directories = layers.map((layer, i) => {
      const directory = join(folder, `lower${i}`)
      if (needsDirectories) {
        mkdirSync(directory)
        writeLayer(directory, layer)
      }
      return directory
    })
    const opens = await Promise.all(layers.map(indexedLayer))
    const lower: Lower = { directories, views: () => opens.map((open) => open()) }
    const model = new ModelSystem(new PlainModel(), this.#abilities)
    for (const { directory, layers: own } of sequences) model.model.plant(directory, merged(own))
    const systems: System[] = []
    for (const name of line.systems) systems.push(await this.#system(name, folder, lower, line, model, sequences))
    const bench = new Bench(systems, model, tally)
    return {
      bench,
      model,
      close: () => {
        bench.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }

  async #system(
    name: string,
    folder: string,
    lower: Lower,
    line: Line,
    model: ModelSystem,
    sequences: readonly Omit<Sequence, 'operations'>[],
  ): Promise<System> {
    switch (name) {
      case 'overlayfs':
        return kernelOverlay(name, `${folder}/kernel`, lower, line.options)
      case 'directory': {
        const root = join(folder, 'plain')
        mkdirSync(root)
        for (const { directory, layers } of sequences) {
          if (directory !== '') mkdirSync(join(root, directory))
          writeMerged(directory === '' ? root : join(root, directory), merged(layers))
        }
        return new KernelSystem(name, root)
      }
      case 'model':
        return model
      case 'memory':
        return memorySystem(lower)
      case 'overlay':
        return overlaySystem(name, `${folder}/ours`, lower)
      case 'portable':
        return portableSystem(name, `${folder}/ours`, lower)
      case 'memfs':
        return portableSystem(name, '/', lower, await memoryDisk())
      default:
        throw new Error(`no system is named ${name}`)
    }
  }

  close(): void {
    if (this.#mounted) umount(this.#folder, unmountFlags.detach)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The layers of all sequences as those of one batch. */
function layersOf(sequences: readonly Omit<Sequence, 'operations'>[]): Layer[] {
  const most = Math.max(1, ...sequences.map(({ layers }) => layers.length))
  return Array.from({ length: most }, (_, i) => {
    const inRoot = sequences.some(({ directory }) => directory === '')
    const root = { path: '', kind: 'directory', mode: 0o755, mtime: 1000 } as const
    const batch: Layer[number][] = inRoot ? [] : [root]
    for (const { directory, layers } of sequences) {
      for (const entry of layers[i] ?? []) {
        const within = (path: string) => [directory, path].filter((part) => part !== '').join('/')
        batch.push({ ...entry, path: within(entry.path), ...(entry.of !== undefined && { of: within(entry.of) }) })
      }
    }
    if (!batch.some(({ path }) => path === '')) batch.unshift(root)
    return batch
  })
}

export type { Answer }
