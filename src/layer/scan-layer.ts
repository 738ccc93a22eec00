import { randomBytes } from 'node:crypto'
import { Index } from '../erofs/index.ts'
import { type DiffId, digestOf } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { type Bytes, memoryBytes } from '../stream/bytes.ts'
import { type ArchiveBytes, scanTar } from '../tar/index.ts'
import { BuiltView } from './built-view.ts'
import { type IndexOptions, indexWriter } from './index-tar.ts'
import { LayerTree } from './layer-tree.ts'
import { layerView } from './layer-view.ts'
import { defaultLimits } from './limits.ts'
import { Findings } from './report.ts'
import type { IndexedView } from './view.ts'

const pageSize = 1 << 16

/**
 * What a layer says whose tar lies uncompressed, from its headers alone: contents are seeked over, and nothing is compared with
 * a digest. Every rule of headers and names holds as for `importLayer`; bytes behind the end of the archive are not looked at.
 * Contents answer EIO. The tar is read no more once this returns.
 *
 * Since nobody knows what the bytes are, the layer that it names is not the one that it is said to be but one made up here, which
 * no other is: nothing can be taken for equal because it seems to lie at the same place.
 *
 * @throws PLY_BAD_LAYER with the rule that is broken, PLY_BUDGET, PLY_ABORTED
 */
export async function scanLayer(
  tar: ArchiveBytes,
  { limits, strict, lenient, signal }: IndexOptions & Operation = {},
): Promise<IndexedView> {
  const bounds = { ...defaultLimits, ...limits }
  const tree = new LayerTree(new Findings(strict, lenient), bounds)
  const pace = new Pace(signal)
  for (const member of scanTar(tar, { sparseEntries: bounds.sparseEntries })) {
    tree.add(member)
    if (pace.due()) await pace.rest()
  }
  const { size } = tar
  tree.finish(size)
  const { builder, linksBelow, spill } = tree
  const diffId = digestOf(randomBytes(32)) as DiffId
  if (spill.count === 0) return new BuiltView(builder, unreadBytes(size), { diffId, size }, linksBelow)
  // Where sparse files have their data only an index says: behind the sums of its tar, which nobody has.
  const chunks: Uint8Array[] = []
  const write = indexWriter(tree, diffId, size, new Uint32Array(Math.ceil(size / pageSize)))
  await write({ write: (chunk) => void chunks.push(chunk) }, { signal })
  return layerView(Index.open(memoryBytes(Buffer.concat(chunks))), () => unreadBytes(size))
}

/** Stands for a tar whose contents nobody is to read, since nobody knows whether they are the right ones. */
function unreadBytes(size: number): Bytes {
  return {
    size,
    read() {
      const cause = new Error('only headers were read (verify: false): what files hold was compared with no digest')
      throw new PlyError('EIO', { syscall: 'read' }, { cause })
    },
    close() {},
  }
}
