import type { Image, ImageSource, Layer } from '../../image/image.ts'
import { type BlobReader, imageFromBlobs } from '../../image/image-from-blobs.ts'
import { type Parcel, type ParcelBlob, readParcel } from '../../image/parcel.ts'
import { type Digest, isDigest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { isIndexType, isManifestType } from '../../model/parse-documents.ts'
import type { SourceAttachments } from '../../signature/index.ts'
import { type ByteStream, memoryBytes, streamOf } from '../../stream/bytes.ts'
import { verified } from '../../stream/verify.ts'
import { checkPlatform, choose } from '../layout-source.ts'
import { decompressionOf, type SourceOptions, temporaryDirectoryOf } from '../options.ts'
import { blobStream, foreignStream, isElsewhere } from './blob-stream.ts'
import { Downloads } from './downloads.ts'
import { isConfigType, keptDocument } from './kept-documents.ts'
import { type Document, getManifest, placeOf } from './manifests.ts'
import { pullEndpoints } from './mirrors.ts'
import type { Request } from './options.ts'
import { partialDirectoryOf } from './part-file.ts'
import { referrersOf } from './referrers.ts'
import { isLoopback, type RemoteName, remoteName } from './remote-name.ts'
import { type Endpoint, Session } from './session.ts'
import { someTags } from './tags.ts'

/**
 * An image of a registry: `docker://[HOST[:PORT]/]NAME[:TAG][@DIGEST]`. The manifest is fetched now, config and layers when
 * they are asked for; layers arrive in files that wait for the next attempt if this one fails. Dispose of the source when its
 * images are no longer read.
 *
 * @throws PLY_IMAGE_NOT_FOUND, PLY_BAD_REFERENCE, PLY_UNREACHABLE, PLY_UNAUTHORIZED, PLY_TLS, PLY_RATE_LIMITED, PLY_REGISTRY
 */
export async function registrySource(details: string, options: SourceOptions): Promise<ImageSource> {
  const name = remoteName(details)
  const source = new RegistrySource(name, options)
  try {
    await source.find(name.digest ?? name.tag!, options)
    return source
  } catch (error) {
    await source[Symbol.asyncDispose]()
    throw error
  }
}

class RegistrySource implements ImageSource {
  readonly #name: RemoteName
  readonly #options: SourceOptions
  readonly #sessions: readonly Session[]
  readonly #downloads: Downloads
  readonly #documents = new Map<string, Document>()
  readonly #kept: string | undefined
  /** Who had the manifest is asked for the rest first. */
  #best = 0

  constructor(name: RemoteName, options: SourceOptions) {
    this.#name = name
    this.#options = options
    const registry = options.registry ?? {}
    const request = this.#request({})
    this.#sessions = pullEndpoints(name, registry).map((endpoint) => new Session(endpoint, request))
    this.#kept = partialDirectoryOf(registry)
    this.#downloads = new Downloads({
      fetch: (descriptor, from, operation) => this.#blob(descriptor, from, operation),
      registry,
      temporary: temporaryDirectoryOf(options),
    })
  }

  async *list() {
    const { name, digest, tag } = this.#name
    yield { name, descriptor: (await this.find(digest ?? tag!, {})).descriptor }
  }

  async image(
    name?: string,
    {
      platform = this.#options.platform,
      signal,
      onProgress,
    }: { readonly platform?: string | undefined } & Operation = {},
  ): Promise<Image> {
    const operation = { signal, onProgress }
    const reference = this.#referenceOf(name)
    const top = await this.find(reference, operation)
    const read = this.#read
    const label = `${placeOf(this.#primary)}:${reference}`
    const descriptor = await choose(read, [top.descriptor], label, platform, operation)
    const image = await imageFromBlobs(descriptor, read, { ...operation, ...decompressionOf(this.#options) })
    const layers = image.layers.map((layer) => this.#remote(layer))
    const whole = { ...image, layers }
    return platform === undefined ? whole : checkPlatform(whole, label, platform)
  }

  async parcel(name?: string, operation: Operation = {}): Promise<Parcel> {
    const top = await this.find(this.#referenceOf(name), operation)
    const source = { read: this.#read, blob: (one: ParcelBlob) => this.#remoteBlob(one) }
    return readParcel(top.descriptor, { ...source, ...decompressionOf(this.#options) }, operation)
  }

  /** The document behind a tag or a digest, asked for once. @throws PLY_IMAGE_NOT_FOUND saying what there is */
  async find(reference: string, operation: Operation): Promise<Document> {
    const known = this.#documents.get(reference)
    if (known !== undefined) return known
    const request = this.#request(operation)
    const found = await this.#first(async (session) => getManifest(session, reference, request))
    if (found === undefined) {
      const name = `${placeOf(this.#primary)}${isDigest(reference) ? '@' : ':'}${reference}`
      const session = this.#sessions.at(-1)!
      const available = await someTags(session, request)
      throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: this.#primary.registry, available })
    }
    this.#documents.set(reference, found).set(found.descriptor.digest, found)
    return found
  }

  /** What lies beside the image, from whoever has it; who has the image is still asked first for its layers. */
  get attachments(): SourceAttachments {
    const ask = <T>(operation: Operation, one: (session: Session, request: Request) => Promise<T | undefined>) => {
      const request = this.#request(operation)
      return this.#first((session) => one(session, request), { remember: false })
    }
    return {
      manifest: async (reference, operation = {}) =>
        this.#documents.get(reference) ??
        ask(operation, (session, request) => getManifest(session, reference, request)),
      blob: (descriptor, operation = {}) => {
        const { digest, size } = descriptor
        return verified(this.#blob(descriptor, 0, operation), { digest, size, what: `blob ${digest}` })
      },
      referrers: (subject, { artifactType, ...operation } = {}) => this.#referrers(subject, artifactType, operation),
      roots: async (name, operation = {}) => [(await this.find(this.#referenceOf(name), operation)).descriptor],
      identity: (name) => {
        const reference = this.#referenceOf(name)
        return `${this.#name.registry}/${this.#name.repository}${isDigest(reference) ? '' : `:${reference}`}`
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#downloads[Symbol.asyncDispose]()
    for (const session of this.#sessions) session[Symbol.dispose]()
  }

  get #primary(): Endpoint {
    return this.#sessions.at(-1)!.endpoint
  }

  #request({ signal, onProgress }: Operation): Request {
    return { options: this.#options.registry ?? {}, signal, onProgress }
  }

  /** A tag or a digest, from the name that the list gives, another name of the same repository, or the tag itself. */
  #referenceOf(name: string | undefined): string {
    const { registry, repository, digest, tag } = this.#name
    if (name === undefined || name === this.#name.name) return digest ?? tag!
    if (isDigest(name) || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) return name
    const other = remoteName(name)
    if (other.registry === registry && other.repository === repository) return other.digest ?? other.tag!
    const available = 'images of this repository, by their tags'
    throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: `${registry}/${repository}`, available })
  }

  async *#document(digest: Digest, operation: Operation = {}): ByteStream {
    yield* streamOf(memoryBytes((await this.find(digest, operation)).raw))
  }

  readonly #read: BlobReader = (descriptor, reading) =>
    isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType)
      ? this.#document(descriptor.digest, reading)
      : isConfigType(descriptor.mediaType)
        ? keptDocument(this.#kept, descriptor, () => this.#blob(descriptor, 0, reading ?? {}), reading ?? {})
        : this.#downloads.stream(descriptor, reading)

  #remoteBlob(blob: ParcelBlob): ParcelBlob {
    const { registry, repository } = this.#primary
    const near = { ...blob, origin: { registry, repository } }
    return {
      ...near,
      fetched: async (operation) => {
        const bytes = await this.#downloads.fetched(blob.descriptor, operation)
        return { ...near, atRest: () => bytes }
      },
    }
  }

  #remote(layer: Layer): Layer {
    const { registry, repository } = this.#primary
    const { descriptor } = layer
    return {
      ...layer,
      origin: { registry, repository },
      fetched: async (operation) => {
        const bytes = await this.#downloads.fetched(descriptor, operation)
        const { fetched: _, ...rest } = layer
        return { ...rest, atRest: () => bytes }
      },
    }
  }

  async *#referrers(subject: Digest, artifactType: string | undefined, operation: Operation) {
    const request = this.#request(operation)
    for (const [at, session] of this.#sessions.entries()) {
      let any = false
      try {
        for await (const one of referrersOf(session, subject, { ...request, artifactType })) {
          any = true
          yield one
        }
      } catch (error) {
        if (any || at === this.#sessions.length - 1 || !isElsewhere(error)) throw error
      }
      if (any) return
    }
  }

  async #first<T>(ask: (session: Session) => Promise<T | undefined>, { remember = true } = {}): Promise<T | undefined> {
    for (const [at, session] of this.#sessions.entries()) {
      const last = at === this.#sessions.length - 1
      try {
        const found = await ask(session)
        if (found !== undefined && remember) this.#best = at
        if (found !== undefined || last) return found
      } catch (error) {
        // A mirror that fails is none; the registry itself has the last word.
        if (last || !isElsewhere(error)) throw error
      }
    }
    return undefined
  }

  /** A blob from whoever has it, going on where the one before has failed; at last from the addresses that it names itself. */
  async *#blob(descriptor: Descriptor, from: number, operation: Operation): ByteStream {
    const request = this.#request(operation)
    const best = this.#sessions[this.#best]!
    const ways = [best, ...this.#sessions.filter((session) => session !== best)].map(
      (session) => (at: number) => blobStream(session, descriptor, request, at),
    )
    for (const url of addressesOf(descriptor, this.#primary))
      ways.push((at) => foreignStream(best, url, descriptor, request, at))
    let at = from
    for (const [i, way] of ways.entries()) {
      try {
        for await (const chunk of way(at)) {
          at += chunk.length
          yield chunk
        }
        return
      } catch (error) {
        if (i === ways.length - 1 || !isElsewhere(error)) throw error
      }
    }
  }
}

/** Where else a foreign layer is: with TLS; without it on this machine, where the registry is on it too: no other may have us ask around here. */
function addressesOf({ urls = [] }: Descriptor, { host: registry }: Endpoint): URL[] {
  return urls
    .filter((url) => URL.canParse(url))
    .map((url) => new URL(url))
    .filter(
      ({ protocol, host }) =>
        protocol === 'https:' || (protocol === 'http:' && isLoopback(host) && isLoopback(registry)),
    )
    .slice(0, 4)
}
