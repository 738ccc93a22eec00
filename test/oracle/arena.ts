import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import type { Answer, System } from './answers.ts'
import type { TestDisk } from './disk.ts'
import { Bench, type Sequence, type Tally } from './engine.ts'
import { faceSystem } from './face-system.ts'
import { writeLayer, writeMerged } from './layer-directories.ts'
import { foldedLayers, indexedLayer } from './layer-index.ts'
import { type Layer, merged } from './layers.ts'
import { ModelSystem } from './model-system.ts'
import type { Operation } from './operations.ts'
import { sys } from './syscalls.ts'
import {
  kernelOverlay,
  kernelTurns,
  type Lower,
  memorySystem,
  overlaySystem,
  overlayTurns,
  PlainDirectory,
  portableSystem,
} from './systems.ts'
import { Turns } from './turns.ts'

/** Which systems are compared. The first one is the oracle. */
export interface Line {
  readonly name: string
  readonly systems: readonly string[]
  /** Options of the overlayfs mount, where one takes part. */
  readonly options: string
  /** Whether the layers may have link groups: without `index=on` overlayfs breaks them. */
  readonly links: boolean
  /** Whether it needs root. */
  readonly root: boolean
}

/** Ours: in memory over stacked layers and over a folded tree, overlayfs's form in three manners, the portable one. */
const shared = ['model', 'memory', 'folded', 'overlay', 'rootless', 'portable']

export const lines: readonly Line[] = [
  {
    name: 'redirect,index',
    systems: ['overlayfs', ...shared],
    options: 'redirect_dir=on,index=on',
    links: true,
    root: true,
  },
  { name: 'default', systems: ['overlayfs', ...shared], options: '', links: false, root: true },
  { name: 'userxattr', systems: ['overlayfs', ...shared], options: 'userxattr', links: false, root: true },
  {
    name: 'metacopy',
    systems: ['overlayfs', 'model', 'memory', 'metacopy', 'portable'],
    options: 'redirect_dir=on,index=on,metacopy=on',
    links: true,
    root: true,
  },
  {
    name: 'blocks',
    systems: ['overlayfs', 'model', 'blocks', 'portable blocks'],
    options: 'redirect_dir=on,index=on,metacopy=on',
    links: true,
    root: true,
  },
  {
    name: 'xino',
    systems: ['overlayfs', ...shared],
    options: 'redirect_dir=on,index=on,xino=on',
    links: true,
    root: true,
  },
  {
    name: 'turns',
    systems: ['overlayfs', 'model', 'turns'],
    options: 'redirect_dir=on,index=on',
    links: true,
    root: true,
  },
  {
    name: 'turns,metacopy',
    systems: ['overlayfs', 'model', 'turns'],
    options: 'redirect_dir=on,index=on,metacopy=on',
    links: true,
    root: true,
  },
  {
    name: 'plain',
    systems: ['directory', ...shared, 'metacopy', 'memfs', 'fs'],
    options: '',
    links: true,
    root: true,
  },
  {
    name: 'model',
    systems: ['model', 'memory', 'folded', 'portable', 'memfs', 'fs'],
    options: '',
    links: true,
    root: false,
  },
]

/** A place where batches happen. */
export class Arena {
  readonly disk: TestDisk
  readonly #folder: string
  #batches = 0

  constructor(disk: TestDisk) {
    this.disk = disk
    this.#folder = disk.folder
    sys.setMask(0)
  }

  async bench(line: Line, sequences: readonly Omit<Sequence, 'operations'>[], tally: Tally) {
    const folder = join(this.#folder, String(this.#batches++))
    mkdirSync(folder)
    const needsDirectories = line.systems.includes('overlayfs') && !line.systems.includes('turns')
    const layers = layersOf(sequences)
    const directories = layers.map((layer, i) => {
      const directory = join(folder, `lower${i}`)
      if (needsDirectories) {
        mkdirSync(directory)
        writeLayer(directory, layer, line.options.includes('userxattr') ? 'user' : 'trusted')
      }
      return directory
    })
    const indexed = await Promise.all(layers.map(indexedLayer))
    const lower: Lower = {
      directories,
      views: () => indexed.map((layer) => layer.view()),
      folded: await foldedLayers(indexed),
    }
    const turns = line.systems.includes('turns') ? new Turns(folder, lower.folded) : undefined
    // What is right is the model's own affair where no disk says it.
    const model = new ModelSystem(line.systems[0] === 'model' ? 'here' : this.disk.name)
    for (const { directory, layers: own } of sequences) model.model.plant(directory, merged(own))
    const systems: System[] = []
    for (const name of line.systems)
      systems.push(await this.#system(name, folder, lower, line, model, sequences, turns))
    const bench = new Bench(
      systems,
      model,
      {
        overlayfs: line.systems[0] === 'overlayfs',
        options: line.options,
        disk: this.disk.name,
        turns: turns !== undefined,
      },
      tally,
      turns,
    )
    return {
      bench,
      model,
      close: () => {
        bench.close()
        turns?.close()
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
    turns: Turns | undefined,
  ): Promise<System> {
    switch (name) {
      case 'overlayfs':
        if (turns !== undefined) return kernelTurns(name, `${folder}/kernel`, turns, line.options)
        return kernelOverlay(name, `${folder}/kernel`, lower, line.options)
      case 'directory': {
        const root = join(folder, 'plain')
        mkdirSync(root)
        for (const { directory, layers } of sequences) {
          if (directory !== '') mkdirSync(join(root, directory))
          writeMerged(directory === '' ? root : join(root, directory), merged(layers))
        }
        return new PlainDirectory(name, root)
      }
      case 'model':
        return model
      case 'memory':
        return memorySystem(name, lower)
      case 'folded':
        return memorySystem(name, { ...lower, views: () => lower.folded.tree() })
      case 'fs':
        return faceSystem(name, lower)
      case 'overlay':
        return overlaySystem(name, `${folder}/ours`, lower, { xattr: 'trusted' })
      case 'metacopy':
        return overlaySystem(name, `${folder}/metacopy`, lower, { xattr: 'trusted', metacopy: true })
      case 'blocks':
        return overlaySystem(name, `${folder}/blocks`, lower, { xattr: 'trusted', metacopy: true, blocksFrom: 1 })
      case 'portable blocks':
        return portableSystem(name, `${folder}/blocks`, lower, { blocksFrom: 1 })
      case 'rootless':
        return overlaySystem(name, `${folder}/rootless`, lower, { xattr: 'user' })
      case 'turns':
        return overlayTurns(name, turns!, lower, line.options)
      case 'portable':
        return portableSystem(name, `${folder}/ours`, lower, {})
      case 'memfs':
        return portableSystem(name, '/', lower, { disk: await memoryDisk() })
      case 'broken':
        return new BrokenSystem(sequences)
      default:
        throw new Error(`no system is named ${name}`)
    }
  }

  close(): void {
    this.disk.close()
  }
}

/** What the oracle must find: a model that refuses to take all modes from a file. */
class BrokenSystem extends ModelSystem {
  override readonly name = 'broken'

  constructor(sequences: readonly Omit<Sequence, 'operations'>[]) {
    super('here')
    for (const { directory, layers } of sequences) this.model.plant(directory, merged(layers))
  }

  override run(operation: Operation): Answer {
    if (operation.do !== 'chmod' || operation.mode !== 0 || !('path' in operation.on)) return super.run(operation)
    return this.statAt(operation.on.path)?.kind === 'file' ? 'EPERM' : super.run(operation)
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
