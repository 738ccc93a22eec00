import { Index, IndexBuilder } from '../../src/erofs/index.ts'
import { type LayerView, layerView } from '../../src/layer/index.ts'
import type { ByteString } from '../../src/model/bytes.ts'
import { digestOf } from '../../src/model/digest.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { type Layer, nodeOf } from './layers.ts'

/** Builds a layer as the index and the tar that the product reads; what is answered opens a view of it. */
export async function indexedLayer(layer: Layer): Promise<() => LayerView> {
  const builder = new IndexBuilder()
  const inodes = new Map<ByteString, number>()
  const tar: Buffer[] = []
  let offset = 0
  for (const entry of layer) {
    const { path, kind } = entry
    const slash = path.lastIndexOf('/')
    const parent = slash < 0 ? builder.root : inodes.get(path.slice(0, slash))!
    if (kind === 'link') {
      const inode = inodes.get(entry.of!)!
      inodes.set(path, inode)
      builder.enter(parent, path.slice(slash + 1), inode)
      continue
    }
    if (kind === 'whiteout') {
      const inode = builder.inode({ kind: 'character', mode: 0, uid: 0, gid: 0, mtime: 0n, facts: { whiteout: true } })
      builder.enter(parent, path.slice(slash + 1), inode)
      continue
    }
    const { content, ...node } = nodeOf(entry)
    const { target, major, minor, xattrs, ...common } = node
    const size = content.length
    const fresh = {
      ...common,
      ...(xattrs.size > 0 && { xattrs }),
      ...(kind === 'symlink' && { target }),
      ...((kind === 'character' || kind === 'block') && { major, minor }),
      ...(kind === 'file' && { size, ...(size > 0 && { extent: { device: 0, offset } }) }),
      facts: { implied: false, ...(entry.opaque && { opaque: true }) },
    }
    if (size > 0) {
      const padded = Buffer.alloc(Math.ceil(size / 512) * 512)
      content.copy(padded)
      tar.push(padded)
      offset += padded.length
    }
    if (path === '') {
      builder.setInode(builder.root, fresh)
      inodes.set('', builder.root)
      continue
    }
    const inode = builder.inode(fresh)
    inodes.set(path, inode)
    builder.enter(parent, path.slice(slash + 1), inode)
  }
  const bytes = Buffer.concat(tar)
  const diffId = digestOf(bytes)
  const image: Buffer[] = []
  await builder.write(
    { write: (chunk) => void image.push(Buffer.from(chunk)) },
    { uuidSeed: diffId, devices: [{ diffId, size: bytes.length }] },
  )
  const index = Buffer.concat(image)
  return () => layerView(Index.open(memoryBytes(index)), () => memoryBytes(bytes))
}
