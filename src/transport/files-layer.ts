import { statSync } from 'node:fs'
import { basename, dirname, join as joinPath } from 'node:path'
import { packView } from '../diff/index.ts'
import { directoryTree } from '../extract/index.ts'
import type { Layer } from '../image/image.ts'
import { type BlobReader, layerFromBlob } from '../image/image-from-blobs.ts'
import { type LayerView, nothing, type Verdict } from '../layer/index.ts'
import { packLayer } from '../layer/pack.ts'
import { type ByteString, compareBytes, displayText, encodeText } from '../model/bytes.ts'
import { mediaTypes } from '../model/documents.ts'
import { defaultDirectory, noXattrs, type Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { counted, drain, Tally } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { onDisk } from './disk-errors.ts'

/** A file, a symlink or a directory of this machine, and where it goes. */
export interface Placement {
  /** Text. A directory stands for what is in it. */
  readonly from: string
  /** Text, from the root. A file goes into what is a directory there, and into what ends in a slash, under its own name. */
  readonly to: string
}

/** Whose the files of a layer are, and from when. */
export interface FilesLayerOptions extends Operation {
  /** What the layer will stand on: symlinks on the way to a place are followed there. Absent: nothing is there. */
  readonly below?: Tree | undefined
  /** The owner of everything; default: as on the disk. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** The permissions of files; directories and symlinks keep theirs. */
  readonly mode?: number | undefined
  /** Seconds since the epoch; later times are lowered to it (layer-semantics M-08). */
  readonly sourceEpoch?: number | undefined
  readonly nanoseconds?: boolean | undefined
}

/**
 * Files of this machine as one layer. Directories on the way are not described: they stay as they are below. The files are read once
 * for the digest, and again whenever the layer is read: one that changes in between is a PLY_CHANGED or a PLY_DIGEST_MISMATCH.
 *
 * @throws ENOENT, EACCES with the path; ELOOP for symlinks below; PLY_UNREPRESENTABLE for two sources of one place, and a file at the root
 */
export async function filesLayer(placements: readonly Placement[], options: FilesLayerOptions = {}): Promise<Layer> {
  const placed = placements.map((placement) => landed(placement, options.below))
  checkApart(placed)
  const { signal, onProgress } = options
  const tally = new Tally()
  const reported = counted(pack(placed, options, { signal }), (done) => onProgress?.({ what: 'layer', done }))
  await drain(reported, tally)
  const digest = tally.digest()
  const what = 'the files of a layer, which changed while they were read'
  const read: BlobReader = (_, operation) =>
    verified(pack(placed, options, operation), { digest, size: tally.size, what })
  return layerFromBlob({ mediaType: mediaTypes.ociLayer, digest, size: tally.size }, digest, read)
}

interface Placed {
  readonly from: string
  readonly directory: boolean
  readonly path: ByteString
}

function landed({ from, to }: Placement, below: Tree | undefined): Placed {
  const directory = statSync(from, { throwIfNoEntry: false })?.isDirectory() === true
  const followed = landing(below, encodeText(to), true)
  // A file takes the place of a symlink, unless that leads to a directory.
  const literally = !directory && !to.endsWith('/') && !followed.isDirectory
  const target = literally ? landing(below, encodeText(to), false) : followed
  const inside = !directory && (to.endsWith('/') || target.isDirectory || target.path === '')
  const path = inside ? join(target.path, encodeText(basename(from))) : target.path
  if (!directory && path === '') throw unplaceable(to, 'a file cannot be the root')
  return { from, directory, path }
}

const mostSymlinks = 40

/** Where a path leads in what is below; the rest of one that is not there stays as it is written. */
function landing(tree: Tree | undefined, path: ByteString, follow: boolean) {
  const pending = path.split('/').reverse()
  const names: ByteString[] = []
  let at: (number | undefined)[] = [tree?.root]
  for (let steps = 0; ; ) {
    const name = pending.pop()
    if (name === undefined) break
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (names.pop() !== undefined) at.pop()
      continue
    }
    const parent = at.at(-1)
    const ino = parent === undefined ? undefined : tree!.lookup(parent, name)
    const kind = ino === undefined ? undefined : tree!.stat(ino).kind
    if (kind === 'symlink' && (follow || pending.some((one) => one !== '' && one !== '.'))) {
      if (++steps > mostSymlinks) throw new PlyError('ELOOP', { syscall: 'open', path: displayText(path) })
      const target = tree!.readlink(ino!)
      if (target.startsWith('/')) {
        names.length = 0
        at = [tree!.root]
      }
      pending.push(...target.split('/').reverse())
      continue
    }
    names.push(name)
    at.push(kind === 'directory' ? ino : undefined)
  }
  return { path: names.join('/'), isDirectory: at.at(-1) !== undefined }
}

/** Each has a place of its own. */
function checkApart(placed: readonly Placed[]): void {
  for (const [i, one] of placed.entries()) {
    for (const other of placed.slice(0, i)) {
      const [a, b] = [one.path, other.path]
      const within = (inner: ByteString, outer: ByteString) =>
        inner === outer || outer === '' || inner.startsWith(`${outer}/`)
      if (!within(a, b) && !within(b, a)) continue
      throw unplaceable(displayText(a), 'two sources lead to it; append them one after another, as two layers')
    }
  }
}

async function* pack(placed: readonly Placed[], options: FilesLayerOptions, { signal }: Operation = {}): ByteStream {
  const view = await onDisk(placed[0]?.from ?? '', () => placedView(placed, options))
  const { below, sourceEpoch, nanoseconds } = options
  try {
    yield* packLayer(packView(view, { ...(below && { below: () => below }), signal }), {
      signal,
      sourceEpoch,
      nanoseconds,
    })
  } finally {
    view.close()
  }
}

/** A directory on the way to a place. */
interface Way {
  readonly children: Map<ByteString, Verdict>
}

/** What is placed, as a layer says it. Numbers of inodes are those of the disk's trees, told apart by their remainders. */
function placedView(placed: readonly Placed[], { owner, mode }: FilesLayerOptions): LayerView {
  const trees: Tree[] = []
  const close = () => {
    for (const tree of trees) tree.close()
  }
  const slots = placed.length + 1
  const ways: Way[] = [{ children: new Map() }]
  const number = (slot: number, ino: number) => ino * slots + slot
  const implied = (ino: number): Verdict => ({
    says: 'entry',
    ino,
    directory: true,
    kind: 'directory',
    implied: true,
    opaque: false,
  })
  const entryIn = (slot: number, ino: number, tree: Tree, isRoot: boolean): Verdict => {
    const { kind } = tree.stat(ino)
    const directory = kind === 'directory'
    const hasNames = directory && !tree.list(ino)[Symbol.iterator]().next().done
    return { says: 'entry', ino: number(slot, ino), directory, kind, implied: isRoot && hasNames, opaque: false }
  }
  let root = implied(number(0, 0))
  try {
    for (const [at, { from, directory, path }] of placed.entries()) {
      const slot = at + 1
      const tree = directoryTree(directory ? from : dirname(from))
      trees.push(tree)
      const ino = directory ? tree.root : tree.lookup(tree.root, encodeText(basename(from)))
      if (ino === undefined) throw new PlyError('ENOENT', { syscall: 'open', path: joinPath(from) })
      const verdict = entryIn(slot, ino, tree, directory)
      const names = path === '' ? [] : path.split('/')
      const last = names.pop()
      if (last === undefined) {
        root = implied(number(slot, ino))
        continue
      }
      let way = 0
      for (const name of names) {
        const known = ways[way]!.children.get(name)
        if (known?.says === 'entry') way = known.ino / slots
        else {
          const next = ways.push({ children: new Map() }) - 1
          ways[way]!.children.set(name, implied(number(0, next)))
          way = next
        }
      }
      ways[way]!.children.set(last, verdict)
    }
  } catch (error) {
    close()
    throw error
  }
  const treeOf = (ino: number) => trees[(ino % slots) - 1]
  const own = (ino: number) => Math.floor(ino / slots)
  const inode = (ino: number): readonly [Tree, number] => {
    const tree = treeOf(ino)
    if (tree === undefined) throw new PlyError('EINVAL', { syscall: 'open' })
    return [tree, own(ino)]
  }
  const stat = (ino: number): Stat => {
    const tree = treeOf(ino)
    if (tree === undefined)
      return { ...defaultDirectory, ino, kind: 'directory', size: 0, links: 2, major: 0, minor: 0 }
    const found = tree.stat(own(ino))
    return { ...found, ino, ...owner, ...(mode !== undefined && found.kind === 'file' && { mode }) }
  }
  return {
    root: root as LayerView['root'],
    lookup(directory, name) {
      const tree = treeOf(directory)
      if (tree === undefined) return ways[own(directory)]?.children.get(name) ?? nothing
      const ino = tree.lookup(own(directory), name)
      return ino === undefined ? nothing : entryIn(directory % slots, ino, tree, false)
    },
    *list(directory) {
      const tree = treeOf(directory)
      if (tree === undefined) {
        const children = [...(ways[own(directory)]?.children ?? [])].sort(([a], [b]) => compareBytes(a, b))
        for (const [name, verdict] of children) yield { name, verdict }
        return
      }
      for (const { name, ino } of tree.list(own(directory)))
        yield { name, verdict: entryIn(directory % slots, ino, tree, false) }
    },
    stat,
    readlink(ino) {
      const [tree, number] = inode(ino)
      return tree.readlink(number)
    },
    xattrs: (ino) => treeOf(ino)?.xattrs(own(ino)) ?? noXattrs,
    open(ino) {
      const [tree, number] = inode(ino)
      return tree.open(number)
    },
    close,
  }
}

function join(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`
}

function unplaceable(path: string, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path, where: 'a layer', reason })
}
