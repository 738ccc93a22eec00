import type { ByteString } from '../../src/model/bytes.ts'
import { typeBits } from '../../src/model/entry.ts'
import { type Layer, type LayerEntry, layerTime, type MergedNode } from './layers.ts'
import { pattern } from './operations.ts'
import { refused, sys } from './syscalls.ts'

const writeNew = 0o101

function must(result: number, what: string): void {
  if (result < 0) throw new Error(`the oracle cannot make its layers: ${what}: ${refused()}`)
}

/** Where overlayfs has its marks: with `userxattr` in `user.*`. */
export type MarkSpace = 'trusted' | 'user'

/** Writes a layer below a directory, in the form of a lower directory of overlayfs. */
export function writeLayer(root: ByteString, layer: Layer, marks: MarkSpace): void {
  for (const entry of layer) {
    const path = `${root}/${entry.path}`
    if (entry.kind === 'whiteout') must(sys.mknod(path, typeBits.character, 0, 0), path)
    else if (entry.kind === 'link') must(sys.link(`${root}/${entry.of!}`, path, false), path)
    else writeEntry(path, entry, marks)
  }
  // Times last, and from the leaves up: making a name sets that of its directory.
  for (const { path, kind, mtime = 0 } of [...layer].reverse()) {
    if (kind !== 'whiteout') setTime(`${root}/${path}`, layerTime(mtime))
  }
}

function writeEntry(path: ByteString, entry: LayerEntry, marks: MarkSpace): void {
  const { kind, mode = 0o644, uid = 0, gid = 0, target = '', major = 0, minor = 0, xattrs = {} } = entry
  if (kind === 'directory') {
    if (sys.stat({ path, follow: false }) === undefined) must(sys.mkdir(path, 0o700), path)
  } else if (kind === 'symlink') must(sys.symlink(target, path), path)
  else if (kind === 'file') writeFile(path, entry)
  else must(sys.mknod(path, typeBits[kind as keyof typeof typeBits] | 0o600, major, minor), path)
  must(sys.chown({ path, follow: false }, uid, gid), path)
  if (kind !== 'symlink') must(sys.chmod({ path, follow: false }, mode), path)
  const prefix = `${marks}.overlay.`
  for (const [name, value] of Object.entries(xattrs)) {
    const stored = name.startsWith(prefix) ? `${prefix}overlay.${name.slice(prefix.length)}` : name
    setXattr(path, stored, Buffer.from(value, 'latin1'))
  }
  if (entry.opaque) setXattr(path, `${prefix}opaque`, Buffer.from('y'))
}

function writeFile(path: ByteString, entry: LayerEntry): void {
  const { size = 0, seed = 0, runs = [[0, size]] } = entry
  const fd = sys.open(path, writeNew, 0o600)
  must(fd, path)
  must(sys.ftruncate(fd, size), path)
  for (const [start, end] of runs) must(sys.pwrite(fd, pattern(seed + start, end - start), start), path)
  sys.close(fd)
}

/** Writes a merged tree below a directory that is there, as plain files. */
export function writeMerged(root: ByteString, tree: ReadonlyMap<ByteString, MergedNode>): void {
  const made = new Map<MergedNode, ByteString>()
  for (const [name, node] of tree) {
    const path = name === '' ? root : `${root}/${name}`
    const first = made.get(node)
    if (first !== undefined) {
      must(sys.link(first, path, false), path)
      continue
    }
    made.set(node, path)
    const { kind, mode, uid, gid, target, major, minor, content } = node
    if (kind === 'directory') {
      if (sys.stat({ path, follow: false }) === undefined) must(sys.mkdir(path, 0o700), path)
    } else if (kind === 'symlink') must(sys.symlink(target, path), path)
    else if (kind === 'file') {
      const fd = sys.open(path, writeNew, 0o600)
      must(fd, path)
      must(sys.pwrite(fd, content, 0), path)
      sys.close(fd)
    } else must(sys.mknod(path, typeBits[kind] | 0o600, major, minor), path)
    must(sys.chown({ path, follow: false }, uid, gid), path)
    if (kind !== 'symlink') must(sys.chmod({ path, follow: false }, mode), path)
    for (const [name, value] of node.xattrs) setXattr(path, name, value)
  }
  for (const [name, node] of [...tree].reverse()) setTime(name === '' ? root : `${root}/${name}`, node.mtime)
}

function setXattr(path: ByteString, name: ByteString, value: Buffer): void {
  must(sys.setXattr({ path, follow: false }, name, value, 0), `${path} ${name}`)
}

function setTime(path: ByteString, time: bigint): void {
  must(sys.utimens({ path, follow: false }, time, time), path)
}
