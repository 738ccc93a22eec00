import { mkdirSync } from 'node:fs'
import type { LayerView } from '../../src/layer/index.ts'
import type { ByteString } from '../../src/model/bytes.ts'
import type { Stat } from '../../src/model/entry.ts'
import { type OverlayUpperOptions, openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import type { Tree as LibraryTree } from '../../src/stack/tree.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { mount, umount } from '../../src/sys/mount.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import type { Answer, System, Tree } from './answers.ts'
import { KernelCalls } from './kernel-calls.ts'
import type { FoldedLayers } from './layer-index.ts'
import type { Operation } from './operations.ts'
import { kernelTree, verbsTree } from './snapshots.ts'
import { sys } from './syscalls.ts'
import type { Turns } from './turns.ts'
import { UnionCalls } from './union-calls.ts'
import type { OpenHandle } from './union-open.ts'
import type { Verbs } from './verbs.ts'

/** `MS_NOATIME`: what is read here changes no time that is compared. */
const noAccessTimes = 1024

/** The lower layers of a batch, in every form that a system takes them in. */
export interface Lower {
  /** Directories in overlayfs's form, base first. */
  readonly directories: readonly string[]
  /** New views, base first: who takes them closes them. */
  views(): LayerView[]
  /** The same folded into one index. */
  readonly folded: FoldedLayers
}

/** A directory of this machine: a mount of overlayfs, or plain. */
class KernelSystem implements System {
  readonly name: string
  readonly #root: ByteString
  readonly #calls: KernelCalls
  readonly #mounting: { mount(): void; unmount(): void } | undefined

  constructor(name: string, root: ByteString, mounting?: { mount(): void; unmount(): void }) {
    this.name = name
    this.#root = root
    this.#mounting = mounting
    mounting?.mount()
    this.#calls = new KernelCalls(`${root}/`)
  }

  get seen(): number {
    return this.#calls.seen
  }

  enter(directory: ByteString, umask: number): void {
    sys.setMask(umask)
    this.#calls.enter(directory === '' ? `${this.#root}/` : `${this.#root}/${directory}/`)
  }

  run(operation: Operation): Answer {
    return this.#calls.run(operation)
  }

  leave(): void {
    this.#calls.leave()
  }

  tree(directory: ByteString): Tree {
    return kernelTree(directory === '' ? this.#root : `${this.#root}/${directory}`)
  }

  suspend(): void {
    this.leave()
    this.#mounting?.unmount()
  }

  resume(): void {
    this.#mounting?.mount()
  }

  close(): void {
    this.leave()
    this.#mounting?.unmount()
  }
}

/** A directory of a plain disk. It is not asked for what no overlayfs takes: a character device 0:0 is a whiteout. */
export class PlainDirectory extends KernelSystem {
  override run(operation: Operation): Answer {
    const { do: verb } = operation
    const whiteout = verb === 'mknod' && operation.kind === 'character' && !operation.major && !operation.minor
    return whiteout ? 'whiteout' : super.run(operation)
  }
}

/** The kernel's overlayfs over the layers of a batch; upper and work directory are made in `folder`. */
export function kernelOverlay(name: string, folder: string, lower: Lower, options: string): System {
  for (const part of ['upper', 'work']) mkdirSync(`${folder}/${part}`, { recursive: true })
  // Overlayfs shows the root as the upper has it, whatever lies below.
  const on = { path: `${folder}/upper`, follow: false }
  const { mode, uid, gid, mtime } = sys.stat({ ...on, path: lower.directories.at(-1)! })!
  sys.chmod(on, mode & 0o7777)
  sys.chown(on, uid, gid)
  sys.utimens(on, mtime, mtime)
  const below = [...lower.directories].reverse().join(':')
  return mountedOverlay(name, `${folder}/merged`, options, () => ({ below, upper: folder }))
}

/** The same with an upper that is now this one, now that, over an image's index. */
export function kernelTurns(name: string, folder: string, turns: Turns, options: string): System {
  return mountedOverlay(name, `${folder}/merged`, options, () => ({ below: turns.lowerDir, upper: turns.kernels }))
}

function mountedOverlay(
  name: string,
  target: string,
  options: string,
  places: () => { readonly below: string; readonly upper: string },
): System {
  mkdirSync(target, { recursive: true })
  let mounted = false
  return new KernelSystem(name, target, {
    mount() {
      const { below, upper } = places()
      const data = `lowerdir=${below},upperdir=${upper}/upper,workdir=${upper}/work`
      mount('overlay', target, 'overlay', noAccessTimes, options === '' ? data : `${data},${options}`)
      mounted = true
    },
    unmount() {
      if (mounted) umount(target)
      mounted = false
    },
  })
}

/** Anything with the verbs of a union. */
export class VerbsSystem implements System {
  readonly name: string
  readonly #open: () => Verbs
  #verbs: Verbs
  #calls: UnionCalls

  constructor(name: string, open: () => Verbs) {
    this.name = name
    this.#open = open
    this.#verbs = open()
    this.#calls = new UnionCalls(this.#verbs)
  }

  get seen(): number {
    return this.#calls.seen
  }

  /** The number of a directory of the batch. */
  find(directory: ByteString): number {
    let at = this.#verbs.root
    for (const name of directory.split('/')) if (name !== '') at = this.#verbs.lookup(at, name)!
    return at
  }

  /** What a path leads to; `undefined` if it leads nowhere. */
  statAt(path: ByteString, follow = true): Stat | undefined {
    return this.#calls.statAt(path, follow)
  }

  /** The directory that a path's last name is in; `undefined` if there is none. */
  parentAt(path: ByteString): number | undefined {
    return this.#calls.parentAt(path)
  }

  /** What a slot holds open. */
  openHandle(slot: number): OpenHandle | undefined {
    return this.#calls.openHandle(slot)
  }

  enter(directory: ByteString, umask: number): void {
    this.#calls.enter(directory, umask)
  }

  run(operation: Operation): Answer {
    return this.#calls.run(operation)
  }

  leave(): void {
    this.#calls.leave()
  }

  tree(directory: ByteString): Tree {
    return verbsTree(this.#verbs, directory)
  }

  suspend(): void {
    this.#calls.leave()
    this.#verbs.close()
  }

  resume(): void {
    this.#verbs = this.#open()
    this.#calls = new UnionCalls(this.#verbs)
  }

  close(): void {
    this.#calls.leave()
    this.#verbs.close()
  }
}

/** Ours, with an upper that `open` opens: again after each closing. */
function unionSystem(name: string, lower: { views(): LayerView[] | LibraryTree }, open: () => Upper): VerbsSystem {
  return new VerbsSystem(name, () => union(lower.views(), open()))
}

/** Ours in memory. Its upper outlives the union, which is all that there is to open again. */
export function memorySystem(name: string, lower: { views(): LayerView[] | LibraryTree }): VerbsSystem {
  const upper = memoryUpper()
  return unionSystem(name, lower, () => upper)
}

export function overlaySystem(
  name: string,
  folder: string,
  lower: Lower,
  form: Pick<OverlayUpperOptions, 'xattr' | 'metacopy' | 'blocksFrom'>,
): VerbsSystem {
  const [upperDir, workDir] = [`${folder}/upper`, `${folder}/work`]
  for (const each of [upperDir, workDir]) mkdirSync(each, { recursive: true })
  const lowerUuid = Buffer.from('plyfs-oracle-low')
  return unionSystem(name, lower, () => openOverlayUpper({ upperDir, workDir, ...form, lowerUuid }))
}

/** Ours in the upper of `turns` that is the kernel's the next time. */
export function overlayTurns(name: string, turns: Turns, { folded }: Lower, options: string): VerbsSystem {
  const { chainId } = folded
  const metacopy = options.includes('metacopy=on')
  return unionSystem(name, { views: () => folded.tree() }, () =>
    openOverlayUpper({
      upperDir: `${turns.ours}/upper`,
      workDir: `${turns.ours}/work`,
      xattr: 'trusted',
      chainId,
      metacopy,
    }),
  )
}

export function portableSystem(
  name: string,
  folder: string,
  lower: Lower,
  { disk = nodeDisk(), blocksFrom }: { readonly disk?: Disk; readonly blocksFrom?: number },
): VerbsSystem {
  return unionSystem(name, lower, () => openPortableUpper({ disk, root: `${folder}/portable`, blocksFrom }))
}
