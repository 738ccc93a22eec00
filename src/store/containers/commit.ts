import type { BlobStore } from '../../blob/blob-store.ts'
import { packChanges } from '../../diff/index.ts'
import { append } from '../../image/append.ts'
import { configure } from '../../image/configure.ts'
import type { Image, Layer } from '../../image/image.ts'
import type { LayerReport } from '../../image/layer-report.ts'
import { packLayer } from '../../layer/index.ts'
import { mediaTypes } from '../../model/documents.ts'
import type { Operation } from '../../model/operation.ts'
import type { Arrivals } from '../intake/arrivals.ts'
import type { Layers } from '../layers/layers.ts'
import type { CommitOptions } from '../store.ts'
import type { Container } from './containers.ts'

export interface Committed {
  readonly image: Image
  /** Of the layer that was made, if one was. */
  readonly reports: readonly LayerReport[]
}

/**
 * What differs between a container, or one of its snapshots, and its image, as one canonical layer on top of its image. Without changes there is no layer, but a step in the
 * history that says so (`empty_layer`), as `docker commit` does it. The layer is stored as the uncompressed tar it is:
 * nothing is compressed here, and nothing of the image below is read but what the changes name. It can be read once
 * `arrivals` are published.
 */
export async function commitContainer(
  container: Container,
  base: Image,
  { layers, blobs, arrivals }: { readonly layers: Layers; readonly blobs: BlobStore; readonly arrivals: Arrivals },
  { message, author, epoch = defaultEpoch(), ...writing }: CommitOptions,
): Promise<Committed> {
  const { signal, onProgress } = writing
  const operation = { signal, onProgress }
  container.tree.sync()
  const created = new Date(epoch * 1000).toISOString().replace('.000Z', 'Z')
  const history = {
    created,
    created_by: 'ply commit',
    ...(author !== undefined && { author }),
    ...(message !== undefined && { comment: message }),
  }
  if (!(await changesAny(container, operation))) return { image: configure(base, { created, history }), reports: [] }
  const tar = packLayer(
    packChanges(container.changes(operation), { before: container.base, after: container.tree }, operation),
  )
  const docker = base.descriptor.mediaType === mediaTypes.dockerManifest
  const made = await layers.make(tar, docker ? mediaTypes.dockerLayer : mediaTypes.ociLayer, arrivals, writing)
  const layer: Layer = {
    descriptor: made.descriptor,
    diffId: made.diffId,
    compressed: (options) => blobs.stream(made.descriptor.digest, options),
    uncompressed: (options) => blobs.stream(made.descriptor.digest, options),
  }
  return { image: append(base, layer, history), reports: [{ layer: base.layers.length, ...made.report }] }
}

async function changesAny(container: Container, operation: Operation): Promise<boolean> {
  for await (const _ of container.changes(operation)) return true
  return false
}

function defaultEpoch(): number {
  const given = process.env.SOURCE_DATE_EPOCH
  return given !== undefined && /^\d+$/.test(given) ? Number(given) : Math.floor(Date.now() / 1000)
}
