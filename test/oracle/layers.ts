import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import { pattern } from './operations.ts'

/** Something that a layer says at a path, as data. */
export interface LayerEntry {
  readonly path: ByteString
  readonly kind: Kind | 'whiteout' | 'link'
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Seconds; the nanoseconds follow from them. */
  readonly mtime?: number
  readonly xattrs?: Readonly<Record<ByteString, ByteString>>
  /** Files: runs of `pattern(seed, …)`, each from its offset on; the rest of `size` is a hole. */
  readonly size?: number
  readonly seed?: number
  readonly runs?: readonly (readonly [start: number, end: number])[]
  readonly target?: ByteString
  readonly major?: number
  readonly minor?: number
  /** Directories: nothing from below shows. */
  readonly opaque?: true
  /** Links: the path, in this layer, of the file that this is one more name of. */
  readonly of?: ByteString
}

/** Parents stand before what is in them, and have an entry in every layer that has something in them. */
export type Layer = readonly LayerEntry[]

/** One inode of the merged tree. */
export interface MergedNode {
  readonly kind: Kind
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: bigint
  readonly xattrs: ReadonlyMap<ByteString, Buffer>
  readonly content: Buffer
  readonly target: ByteString
  readonly major: number
  readonly minor: number
}

export function layerTime(seconds: number): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt((seconds * 7919) % 1_000_000_000)
}

function contentOf({ size = 0, seed = 0, runs = [[0, size]] }: LayerEntry): Buffer {
  const content = Buffer.alloc(size)
  for (const [start, end] of runs) pattern(seed + start, end - start).copy(content, start)
  return content
}

export function nodeOf(entry: LayerEntry): MergedNode {
  const { kind, mode = 0o644, uid = 0, gid = 0, mtime = 0, xattrs = {}, target = '', major = 0, minor = 0 } = entry
  return {
    kind: kind as Kind,
    mode: kind === 'symlink' ? 0o777 : mode,
    uid,
    gid,
    mtime: layerTime(mtime),
    xattrs: new Map(Object.entries(xattrs).map(([name, value]) => [name, Buffer.from(value, 'latin1')])),
    content: kind === 'file' ? contentOf(entry) : Buffer.alloc(0),
    target,
    major,
    minor,
  }
}

/**
 * What layers are together, by path: written from the kernel's description of overlayfs and from nothing of `src/`. A node with
 * several names is one object.
 */
export function merged(layers: readonly Layer[]): Map<ByteString, MergedNode> {
  const tree = new Map<ByteString, MergedNode>()
  const removeBelow = (path: ByteString) => {
    for (const other of tree.keys())
      if (path === '' || other.startsWith(`${path}/`)) if (other !== path) tree.delete(other)
  }
  for (const layer of layers) {
    const own = new Map<ByteString, MergedNode>()
    for (const entry of layer) {
      const { path, kind } = entry
      if (kind === 'whiteout') {
        removeBelow(path)
        tree.delete(path)
        continue
      }
      const node = kind === 'link' ? own.get(entry.of!)! : nodeOf(entry)
      own.set(path, node)
      if (kind !== 'directory' || entry.opaque || tree.get(path)?.kind !== 'directory') removeBelow(path)
      tree.set(path, node)
    }
  }
  return tree
}
