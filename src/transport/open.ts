import type { ImageSink, ImageSource } from '../image/image.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import { splitReference, storeTransport } from '../model/reference.ts'
import { checkRequirement } from '../signature/index.ts'
import { dirSink, dirSource } from './dir.ts'
import { dockerArchiveSource } from './docker-archive.ts'
import { dockerArchiveSink } from './docker-archive-sink.ts'
import { ociSink, ociSource } from './oci.ts'
import { ociArchiveSink, ociArchiveSource } from './oci-archive.ts'
import type { SinkOptions, SourceOptions } from './options.ts'
import { registrySink } from './registry/sink.ts'
import { registrySource } from './registry/source.ts'
import { rootfsSink, rootfsSource } from './rootfs.ts'
import { signedSource } from './signed-source.ts'
import { tarSink, tarSource } from './tar.ts'
import { upperSink, upperSource } from './upper.ts'

interface Transport {
  source(details: string, options: SourceOptions): Promise<ImageSource>
  sink(details: string, options: SinkOptions): Promise<ImageSink>
}

const transports: Readonly<Record<string, Transport>> = {
  oci: { source: ociSource, sink: ociSink },
  'oci-archive': { source: ociArchiveSource, sink: ociArchiveSink },
  'docker-archive': { source: dockerArchiveSource, sink: dockerArchiveSink },
  dir: { source: dirSource, sink: dirSink },
  tar: { source: tarSource, sink: tarSink },
  rootfs: { source: rootfsSource, sink: rootfsSink },
  upper: { source: upperSource, sink: upperSink },
  docker: { source: registrySource, sink: registrySink },
}

/**
 * Opens a place that images come from, by its reference: `oci:DIR[:TAG][@DIGEST]`, `oci-archive:FILE[:TAG]`,
 * `docker-archive:FILE[:NAME[:TAG]][@INDEX]`, `dir:DIR`, `tar:FILE`, `rootfs:DIR`, `upper:DIR@IMAGE`, `docker://HOST/NAME[:TAG][@DIGEST]`. Only the index is read; layers are read
 * when they are asked for. With `signatures`, images are handed out only if one of those keys vouches for them. Dispose of the source when
 * its images are no longer read.
 *
 * @throws PLY_BAD_REFERENCE, PLY_UNKNOWN_TRANSPORT, PLY_BAD_ARCHIVE, PLY_BAD_DOCUMENT; ENOENT, EACCES … with the path
 */
export async function openSource(reference: string, options: SourceOptions = {}): Promise<ImageSource> {
  checkAborted(options.signal)
  const { transport, details } = find(reference)
  const { signatures } = options
  if (signatures === undefined) return transport.source(details, options)
  checkRequirement(signatures)
  return signedSource(await transport.source(details, options), signatures)
}

/**
 * Opens a place that images go to. Nothing is made before an image is written.
 *
 * @throws PLY_BAD_REFERENCE, PLY_UNKNOWN_TRANSPORT; PLY_USAGE for `tar:` and `rootfs:` without `treeOf`
 */
export async function openSink(reference: string, options: SinkOptions = {}): Promise<ImageSink> {
  checkAborted(options.signal)
  const { transport, details } = find(reference)
  return transport.sink(details, options)
}

/** @throws PLY_UNKNOWN_TRANSPORT naming those that there are */
function find(reference: string): { readonly transport: Transport; readonly details: string } {
  const { transport: name, details } = splitReference(reference)
  if (name === storeTransport) {
    const reason = `it names an image in a store; for a place outside write transport:details, such as docker-archive:${details}`
    throw new PlyError('PLY_BAD_REFERENCE', { text: JSON.stringify(reference), reason })
  }
  const transport = Object.hasOwn(transports, name) ? transports[name] : undefined
  if (transport === undefined) {
    throw new PlyError('PLY_UNKNOWN_TRANSPORT', { transport: name, known: Object.keys(transports).join(', ') })
  }
  return { transport, details }
}
