import { setMaxListeners } from 'node:events'
import type { Image, ImageSink } from '../../image/image.ts'
import type { Digest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { SinkOptions } from '../options.ts'
import { streamOfOutgoing } from '../outgoing.ts'
import { blobsOf, type OutgoingBlob } from '../staged-blobs.ts'
import { pushEndpoint } from './mirrors.ts'
import { defaultJobs, type Request } from './options.ts'
import { publish } from './referrers.ts'
import { type RemoteName, remoteName } from './remote-name.ts'
import { Session } from './session.ts'
import { Slots } from './slots.ts'
import { pushBlob } from './upload.ts'

/**
 * Sends images to a registry: `docker://HOST[:PORT]/NAME[:TAG]`, or by digest alone. Manifest, config and layers keep their bytes;
 * what the registry has is not sent. The tag is set last, so that nothing incomplete ever has a name.
 *
 * @throws PLY_USAGE where the registry is not said: an image is not sent where nobody said
 */
export async function registrySink(details: string, options: SinkOptions): Promise<ImageSink> {
  const name = remoteName(details)
  if (!name.registrySaid) {
    const reason = `docker://${details} does not say which registry; write docker://docker.io/${name.repository} if you mean that one`
    throw new PlyError('PLY_USAGE', { reason })
  }
  const registry = options.registry ?? {}
  const session = new Session(pushEndpoint(name, registry), { options: registry })
  return {
    async write(image, as, operation = {}) {
      const tag = tagFor(name, as, image.digest)
      const request = { options: registry, ...operation }
      await sendBlobs(session, image, request)
      const document = { descriptor: image.descriptor, raw: image.rawManifest }
      await publish(session, document, tag, request)
      return image.descriptor
    },
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]()
    },
  }
}

/** The tag that an image gets; none where the reference names its digest. @throws PLY_USAGE */
function tagFor(name: RemoteName, as: string | undefined, digest: Digest): string | undefined {
  if (name.digest !== undefined && name.digest !== digest) {
    throw new PlyError('PLY_USAGE', { reason: `the reference names ${name.digest}, and the image is ${digest}` })
  }
  if (as === undefined) return name.tag
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(as)) return as
  const other = remoteName(as)
  if (other.registry === name.registry && other.repository === name.repository) return other.tag
  const reason = `${as} is no tag of ${name.registry}/${name.repository}; leave out the name, or give a tag`
  throw new PlyError('PLY_USAGE', { reason })
}

/** Everything but the manifest, a few blobs at a time. One that fails stops the others. */
async function sendBlobs(session: Session, image: Image, request: Request): Promise<void> {
  const failed = new AbortController()
  const signal = request.signal === undefined ? failed.signal : AbortSignal.any([request.signal, failed.signal])
  // An image has hundreds of blobs, and each listens.
  setMaxListeners(0, signal)
  const slots = new Slots(request.options.jobs ?? defaultJobs)
  const blobs = blobsOf(image).filter(({ digest }) => digest !== image.digest)
  const descriptors = new Map(image.layers.map((layer) => [layer.descriptor.digest, layer]))
  const tasks = blobs.map(async (blob) => {
    using _ = await slots.take(signal)
    const layer = descriptors.get(blob.digest)
    const { origin } = layer ?? {}
    const near = origin?.registry === session.endpoint.registry ? [origin.repository] : []
    // Whoever may read such a layer fetches it from where its descriptor says (layer-semantics Q-06).
    if (layer !== undefined && isForeign(layer.descriptor)) return
    const sending = { ...request, signal }
    const mountFrom = [...near, ...(request.options.mountFrom ?? [])]
    await pushBlob(session, outgoing(blob, sending), mountFrom, sending)
  })
  try {
    await Promise.all(tasks)
  } catch (error) {
    failed.abort()
    await Promise.allSettled(tasks)
    throw error
  }
}

function outgoing({ digest, size, content }: OutgoingBlob, { signal }: Operation) {
  return { digest, size, open: () => streamOfOutgoing(content({ signal }), { signal }) }
}

function isForeign({ mediaType, urls = [] }: Descriptor): boolean {
  return urls.length > 0 || /\.nondistributable\.|\.foreign\./.test(mediaType)
}
