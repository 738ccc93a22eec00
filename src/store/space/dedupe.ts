import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { IndexedView } from '../../layer/view.ts'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { completeContents, filesOfLayer } from '../../stack/content-digests.ts'
import type { Disk } from '../../sys/disk.ts'
import { liesTogether, shareBlocks } from '../../sys/share-blocks.ts'
import type { LayerDigests } from '../layers/content-digests.ts'
import type { LayerFiles, LayerId } from '../layers/layer-files.ts'
import type { Layout } from '../layout.ts'
import { keepsWholeExtents, type Run, repack, tarOf } from './repack.ts'

/** Whether equal files are only looked for. */
export interface DedupeOptions extends Operation {
  /** Share nothing; say what could be. */
  readonly dryRun?: boolean | undefined
}

/**
 * What equal files in layers take twice. Sizes are in bytes.
 *
 * A disk shares whole blocks, and files lie in their tars at multiples of 512 bytes: of two equal files, blocks can be shared where
 * both begin at the same place in a block, one pair in eight with blocks of 4096. Only tars that lie open are looked at: blobs that
 * are tars, and the expanded tars in the cache.
 */
export interface Deduplicated {
  /** Whether the disk can share blocks between files: Btrfs and XFS do. Elsewhere nothing is shared. */
  readonly able: boolean
  /** Files in layers, each of which holds what another one holds too: all but one of each content. */
  readonly files: number
  /** What these files hold. */
  readonly equal: number
  /** Of that, whole blocks that lie alike in both tars: no disk can share more. */
  readonly alike: number
  /** Of those, what shared its blocks before. */
  readonly already: number
  /** What shares its blocks now that did not before; on a dry run, what would. Zero where the disk is not able. */
  readonly shared: number
}

interface Surroundings {
  readonly disk: Disk
  readonly layout: Layout
  readonly layers: LayerFiles
  readonly digests: LayerDigests
}

/** Where a content lies. */
interface Spot {
  readonly layer: LayerId
  readonly offset: number
}

/** A file's content in a tar; `key` is the same for what is equal. */
interface Content {
  readonly key: string
  readonly size: number
  readonly offset: number
}

/** Descriptors that are open at a time. */
const mostOpen = 64

/**
 * Looks at all files of the layers, and reads those that have the size of another one, unless their digests are known. The caller
 * holds off collection. @throws PLY_ABORTED: what is shared until then is shared; what the disk says (EIO …)
 */
export async function dedupe(
  { disk, layout, layers, digests }: Surroundings,
  ids: readonly LayerId[],
  { dryRun = false, ...operation }: DedupeOptions = {},
): Promise<Deduplicated> {
  const block = Math.max(4096, disk.room(layout.root).blockSize)
  // What lies in a store below is not ours to change.
  const present = ids.filter((id) => disk.fs.existsSync(tarOf(layout, id)) && layers.isReady(id))
  const sizes = new Map<number, number>()
  for (const id of present)
    await eachFile(layers, id, operation, (_, size) => void sizes.set(size, (sizes.get(size) ?? 0) + 1))

  const tars: { readonly id: LayerId; readonly contents: Content[] }[] = []
  const counts = new Map<string, number>()
  const memory = digests.memory()
  try {
    for (const id of present) {
      const inos: number[] = []
      await eachFile(layers, id, operation, (ino, size) => {
        if (sizes.get(size)! > 1) inos.push(ino)
      })
      const contents: Content[] = []
      const view = layers.view(id)
      try {
        await completeContents(view, inos, memory, operation)
        for (const ino of inos) {
          const place = view.place(ino)!
          const { size } = view.stat(ino)
          const key = `${memory.known(place, size)} ${size}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
          contents.push({ key, size, offset: place.offset })
        }
      } finally {
        view.close()
      }
      if (contents.length > 0) tars.push({ id, contents })
    }
  } finally {
    memory.close()
  }

  const able = await canShare(disk, layout)
  const sum = { able, files: 0, equal: 0, alike: 0, already: 0, shared: 0 }
  const total = [...counts].reduce((all, [key, count]) => all + (count - 1) * Number(key.split(' ')[1]), 0)
  const pace = new Pace(operation.signal)
  /** Where in a block each content begins that was met before, and where it lies. */
  const firsts = new Map<string, Map<number, Spot>>()
  using open = new OpenTars(disk, layout)
  for (const { id, contents } of tars) {
    const runs: Run[] = []
    const later: [Spot, Content][] = []
    let fresh = 0
    const share = (first: Spot, { offset, size }: Content) => {
      const from = offset % block === 0 ? 0 : block - (offset % block)
      const length = Math.floor((size - from) / block) * block
      if (length <= 0) return
      sum.alike += length
      if (!able) return
      const source = { fd: open.of(first.layer), offset: first.offset + from }
      const target = { fd: open.of(id), offset: offset + from }
      runs.push({ offset: offset + from, length })
      if (liesTogether(source, target, length)) {
        sum.already += length
        return
      }
      const shared = dryRun ? length : shareBlocks(source, target, length)
      sum.shared += shared
      fresh += shared
    }
    for (const content of contents) {
      if (pace.due(16)) await pace.rest()
      const { key, size, offset } = content
      let known = firsts.get(key)
      if (known === undefined) firsts.set(key, (known = new Map()))
      else {
        sum.files++
        sum.equal += size
        operation.onProgress?.({ what: 'equal files', done: sum.equal, total })
      }
      const first = known.get(offset % block)
      if (first === undefined) known.set(offset % block, { layer: id, offset })
      else if (first.layer === id) later.push([first, content])
      else share(first, content)
    }
    if (fresh > 0 && !dryRun && keepsWholeExtents(layout)) {
      open.forget(id)
      await repack({ disk, layout }, id, runs, operation)
    }
    // Equal files in one tar come last, for what they share is in place only now.
    for (const [first, content] of later) share(first, content)
  }
  return sum
}

/** Files that hold anything, each place once; those that are mostly holes lie elsewhere and take little. */
async function eachFile(
  layers: LayerFiles,
  id: LayerId,
  { signal }: Operation,
  hear: (ino: number, size: number) => void,
): Promise<void> {
  const pace = new Pace(signal)
  const view: IndexedView = layers.view(id)
  try {
    const seen = new Set<number>()
    for (const ino of filesOfLayer(view)) {
      if (pace.due()) await pace.rest()
      if (seen.has(ino)) continue
      seen.add(ino)
      const place = view.place(ino)
      if (place !== undefined && place.spill !== true && place.layer === id.diffId) hear(ino, view.stat(ino).size)
    }
  } finally {
    view.close()
  }
  checkAborted(signal)
}

/** Asked of the disk itself: the name of its file system does not say how it was made. */
async function canShare(disk: Disk, { tmp }: Layout): Promise<boolean> {
  if (disk.kind !== 'disk') return false
  const { fs } = disk
  const paths = [0, 1].map(() => join(tmp, `probe-${randomBytes(8).toString('hex')}`))
  const size = Math.max(4096, disk.room(tmp).blockSize)
  const fds: number[] = []
  try {
    for (const path of paths) {
      const fd = fs.openSync(path, 'wx+', 0o600)
      fds.push(fd)
      fs.writeSync(fd, Buffer.alloc(size, 'p'))
      fs.fsyncSync(fd)
    }
    return shareBlocks({ fd: fds[0]!, offset: 0 }, { fd: fds[1]!, offset: 0 }, size) === size
  } catch (error) {
    // A store that is read only has no room for the question.
    if (['EOPNOTSUPP', 'EINVAL', 'EPERM', 'EACCES', 'EROFS', 'ENOENT', 'ENOSPC'].includes(codeOf(error) ?? ''))
      return false
    throw error
  } finally {
    for (const fd of fds) fs.closeSync(fd)
    for (const path of paths) fs.rmSync(path, { force: true })
  }
}

/** The tars of layers, opened when they are first needed; the one that was opened first goes when there are too many. */
class OpenTars implements Disposable {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #open = new Map<Digest, number>()

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  of({ diffId, descriptor }: LayerId): number {
    const known = this.#open.get(diffId)
    // The latest stays longest, so that opening the second of a pair never closes the first.
    if (known !== undefined) {
      this.#open.delete(diffId)
      this.#open.set(diffId, known)
      return known
    }
    const fd = this.#disk.fs.openSync(tarOf(this.#layout, { diffId, descriptor }), 'r')
    this.#open.set(diffId, fd)
    const [oldest] = this.#open
    if (this.#open.size > mostOpen && oldest !== undefined) {
      this.#open.delete(oldest[0])
      this.#disk.fs.closeSync(oldest[1])
    }
    return fd
  }

  /** Its name leads to another file now. */
  forget({ diffId }: LayerId): void {
    const fd = this.#open.get(diffId)
    this.#open.delete(diffId)
    if (fd !== undefined) this.#disk.fs.closeSync(fd)
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) this.#disk.fs.closeSync(fd)
    this.#open.clear()
  }
}
