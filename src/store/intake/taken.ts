import type { BlobStore } from '../../blob/blob-store.ts'
import type { Index } from '../../erofs/index.ts'
import type { Layer } from '../../image/image.ts'
import type { LayerReport, WriteOptions } from '../../image/layer-report.ts'
import { Findings } from '../../layer/index.ts'
import type { Digest } from '../../model/digest.ts'
import { type Compression, compressionOf } from '../../stream/compression.ts'
import { type ChainLayer, checkChain } from './chain-check.ts'

/** Layers that were taken in. */
export interface Taken {
  /** Names of blobs and caches that were not here before. */
  readonly added: readonly Digest[]
  /** One for each layer of the image, base first. */
  readonly reports: readonly LayerReport[]
}

/** What is known of a layer that was read on its way in. */
export interface ReadLayer extends Pick<ChainLayer, 'openIndex' | 'findings'> {
  readonly refersBelow: boolean
  readonly tarSize: number
  readonly compression: Compression
}

export interface Comparison extends WriteOptions {
  readonly blobs: BlobStore
  /** Layers that were read, by blob; all others are here already. */
  readonly read: ReadonlyMap<Digest, ReadLayer>
  /** The index of a layer that is here already. The caller closes it. */
  openIndex(layer: Layer): Index
}

/**
 * Compares each layer of an image with those below it, and says what there is to say of all of them.
 *
 * @throws as `checkChain` does
 */
export async function compareLayers(
  layers: readonly Layer[],
  { blobs, read, openIndex, strict, signal }: Comparison,
): Promise<LayerReport[]> {
  const told = new Set<Digest>()
  const all = layers.map((layer) => {
    const { digest } = layer.descriptor
    const fresh = read.get(digest)
    // A layer that stands in an image twice is read once.
    const known = fresh === undefined || told.has(digest)
    told.add(digest)
    const refers: ChainLayer['refers'] =
      fresh === undefined ? 'by links' : fresh.refersBelow ? 'in every way' : 'nothing'
    const findings = known ? new Findings(strict) : fresh.findings
    return { layer, fresh, known, refers, findings, openIndex: fresh?.openIndex ?? (() => openIndex(layer)) }
  })
  await checkChain(all, { signal })
  const reports: LayerReport[] = []
  for (const [at, one] of all.entries()) {
    const { layer, fresh, known, findings } = one
    const { digest, size } = layer.descriptor
    const { tarSize, compression } = fresh ?? (await measured(one.openIndex, digest, blobs))
    const about = { layer: at, digest, diffId: layer.diffId, size, tarSize, compression, known }
    reports.push({ ...about, ...findings.report() })
  }
  return reports
}

/** What the report says of a layer that is not read. */
async function measured(openIndex: () => Index, digest: Digest, blobs: BlobStore) {
  const index = openIndex()
  try {
    const blob = await blobs.open(digest)
    try {
      const first = Buffer.alloc(4)
      const compression = compressionOf(first.subarray(0, blob.read(first, 0)))
      return { tarSize: index.devices[0]!.size, compression }
    } finally {
      blob.close()
    }
  } finally {
    index.close()
  }
}
