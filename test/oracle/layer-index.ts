import { type Device, Index, IndexBuilder } from '../../src/erofs/index.ts'
import { defaultLimits, type IndexedView, layerView, spillBytes } from '../../src/layer/index.ts'
import { PageSums } from '../../src/layer/page-sums.ts'
import { Spill } from '../../src/layer/spill.ts'
import type { ByteString } from '../../src/model/bytes.ts'
import { type ChainId, type Digest, digestOf } from '../../src/model/digest.ts'
import { writeTree } from '../../src/stack/fold.ts'
import { type FoldedTree, foldedTree } from '../../src/stack/folded-tree.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { type Layer, type LayerEntry, nodeOf } from './layers.ts'

/** A layer as the product keeps it: an index, and the tar that it points into. */
export interface IndexedLayer {
  readonly diffId: Digest
  /** A new view: who takes it closes it. */
  view(): IndexedView
  /** What the index of a folded tree points into: the tar, or the spill of the sparse files. */
  device(device: Device): Bytes
}

/** The bytes of a layer's files, and where they lie. */
class Contents {
  readonly spill = new Spill(defaultLimits)
  readonly #parts: Buffer[] = []
  #size = 0

  add({ path, runs }: LayerEntry, content: Buffer) {
    const size = content.length
    if (size === 0) return undefined
    if (runs === undefined) return { device: 0, offset: this.#append(content) }
    const stored = runs.map(([start, end]) => this.#append(content.subarray(start, end)))
    const map = {
      size,
      count: runs.length,
      logical: Float64Array.from(runs, ([start]) => start),
      length: Float64Array.from(runs, ([start, end]) => end - start),
      stored: Float64Array.from(stored),
    }
    return this.spill.place(path, size, map)
  }

  tar(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #append(bytes: Buffer): number {
    const offset = this.#size
    const padded = Buffer.alloc(Math.ceil(bytes.length / 512) * 512)
    bytes.copy(padded)
    this.#parts.push(padded)
    this.#size += padded.length
    return offset
  }
}

export async function indexedLayer(layer: Layer): Promise<IndexedLayer> {
  const builder = new IndexBuilder()
  const contents = new Contents()
  const inodes = new Map<ByteString, number>()
  for (const entry of layer) {
    const { path, kind, of } = entry
    const inode = kind === 'link' ? inodes.get(of!)! : added(builder, entry, contents)
    inodes.set(path, inode)
    if (path === '') continue
    const slash = path.lastIndexOf('/')
    builder.enter(slash < 0 ? builder.root : inodes.get(path.slice(0, slash))!, path.slice(slash + 1), inode)
  }
  const tar = contents.tar()
  const diffId = digestOf(tar)
  const sums = new PageSums()
  sums.push(tar)
  const { spill } = contents
  const spilled = spill.count > 0
  const devices: Device[] = [{ diffId, size: tar.length }]
  if (spilled) devices.push({ diffId, size: spill.size, spill: true })
  const options = { uuidSeed: diffId, devices, tarPages: sums.finish(), ...(spilled && { segments: spill }) }
  const image: Buffer[] = []
  await builder.write({ write: (chunk) => void image.push(Buffer.from(chunk)) }, options)
  const index = Buffer.concat(image)
  const open = () => Index.open(memoryBytes(index))
  return {
    diffId,
    view: () => layerView(open(), () => memoryBytes(tar)),
    device: (device) => (device.spill ? spillBytes(open(), () => memoryBytes(tar))! : memoryBytes(tar)),
  }
}

function added(builder: IndexBuilder, entry: LayerEntry, contents: Contents): number {
  const { path, kind, opaque } = entry
  if (kind === 'whiteout') {
    return builder.inode({ kind: 'character', mode: 0, uid: 0, gid: 0, mtime: 0n, facts: { whiteout: true } })
  }
  const { content, target, major, minor, xattrs, ...common } = nodeOf(entry)
  const extent = kind === 'file' ? contents.add(entry, content) : undefined
  const fresh = {
    ...common,
    ...(xattrs.size > 0 && { xattrs }),
    ...(kind === 'symlink' && { target }),
    ...((kind === 'character' || kind === 'block') && { major, minor }),
    ...(kind === 'file' && { size: content.length, ...(extent && { extent }) }),
    facts: { implied: false, ...(opaque && { opaque }) },
  }
  if (path !== '') return builder.inode(fresh)
  builder.setInode(builder.root, fresh)
  return builder.root
}

/** Layers folded into one index, as an image's are. */
export interface FoldedLayers {
  readonly chainId: ChainId
  readonly index: Buffer
  readonly devices: readonly Device[]
  device(device: Device): Bytes
  /** A new tree: who takes it closes it. */
  tree(): FoldedTree
}

export async function foldedLayers(layers: readonly IndexedLayer[]): Promise<FoldedLayers> {
  const views = layers.map((layer) => layer.view())
  const chainId = digestOf(Buffer.from(layers.map(({ diffId }) => diffId).join(' ')))
  const image: Buffer[] = []
  await writeTree({ write: (chunk) => void image.push(Buffer.from(chunk)) }, { chainId, views })
  for (const view of views) view.close()
  const index = Buffer.concat(image)
  const byId = new Map(layers.map((layer) => [layer.diffId, layer]))
  const device = (of: Device) => byId.get(of.diffId)!.device(of)
  const tree = () => foldedTree(Index.open(memoryBytes(index)), device)
  const opened = tree()
  const { devices } = opened
  opened.close()
  return { chainId, index, devices, device, tree }
}
