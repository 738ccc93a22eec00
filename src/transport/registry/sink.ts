import { setMaxListeners } from 'node:events'
import { isForeign } from '../../image/distributable.ts'
import type { ImageSink } from '../../image/image.ts'
import { documentsIn, manifestsIn, type ParcelBlob, parcelOf } from '../../image/parcel.ts'
import type { Digest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { SinkOptions } from '../options.ts'
import { streamOfOutgoing } from '../outgoing.ts'
import { type OutgoingBlob, outgoingOf } from '../staged-blobs.ts'
import { pushEndpoint } from './mirrors.ts'
import { defaultJobs, type Request } from './options.ts'
import { publish } from './referrers.ts'
import { type RemoteName, remoteName } from './remote-name.ts'
import { openRepository, type Repository } from './repository.ts'
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
  let beside: Repository | undefined
  return {
    get attaching() {
      beside ??= openRepository(`docker://${details}`, registry)
      return beside
    },
    async write(image, as, operation = {}) {
      const tag = tagFor(name, as, image.digest)
      const request = { options: registry, ...operation }
      await sendBlobs(session, parcelOf(image).blobs, request)
      const document = { descriptor: image.descriptor, raw: image.rawManifest }
      await publish(session, document, tag, request)
      return image.descriptor
    },
    async writeParcel(parcel, as, operation = {}) {
      const { descriptor } = parcel
      const tag = tagFor(name, as, descriptor.digest)
      const request = { options: registry, ...operation }
      const blobs = [...manifestsIn(parcel)].flatMap((manifest) => manifest.blobs)
      await sendBlobs(session, [...new Map(blobs.map((blob) => [blob.descriptor.digest, blob])).values()], request)
      // What an index names is there before it is.
      for (const one of documentsIn(parcel))
        await publish(session, one, one.descriptor.digest === descriptor.digest ? tag : undefined, request)
      return descriptor
    },
    async [Symbol.asyncDispose]() {
      await beside?.[Symbol.asyncDispose]()
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
async function sendBlobs(session: Session, blobs: readonly ParcelBlob[], request: Request): Promise<void> {
  const failed = new AbortController()
  const signal = request.signal === undefined ? failed.signal : AbortSignal.any([request.signal, failed.signal])
  // An image has hundreds of blobs, and each listens.
  setMaxListeners(0, signal)
  const slots = new Slots(request.options.jobs ?? defaultJobs)
  const tasks = blobs.map(async (blob) => {
    using _ = await slots.take(signal)
    const { origin, descriptor } = blob
    const near = origin?.registry === session.endpoint.registry ? [origin.repository] : []
    // Whoever may read such a layer fetches it from where its descriptor says (layer-semantics Q-06).
    if (isForeign(descriptor)) return
    const sending = { ...request, signal }
    const mountFrom = [...near, ...(request.options.mountFrom ?? [])]
    await pushBlob(session, outgoing(outgoingOf(blob), sending), mountFrom, sending)
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
