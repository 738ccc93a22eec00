import type { Digest } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import { checkAborted } from '../../model/operation.ts'
import { timed } from '../../model/phases.ts'
import type { ByteStream } from '../../stream/bytes.ts'
import { isTransientStatus, reasonIn, wireError } from './answers.ts'
import { Feed } from './feed.ts'
import { scopeOf } from './manifests.ts'
import type { Request } from './options.ts'
import { Patience, retryAfter, worthARetry } from './patience.ts'
import { type Answer, isInterruption, type Session, unexpected } from './session.ts'

/** A blob that a registry is to have. `open` may be called more than once; the stream checks itself. */
export interface UploadedBlob {
  readonly digest: Digest
  readonly size: number
  open(): ByteStream
}

/** What a smaller blob is sent with: one request. Bytes. */
const atOnce = 1 << 20
/** What is sent at a time to a registry that takes no large requests. Bytes. */
const smallPiece = 5 << 20

/** Whether the repository has the blob already. */
export async function hasBlob(session: Session, digest: Digest, request: Request): Promise<boolean> {
  const { repository } = session.endpoint
  const scopes = [scopeOf(repository, 'pull,push')]
  const answer = await session.call({ method: 'HEAD', path: `${repository}/blobs/${digest}`, scopes }, request)
  await answer.discard()
  // What a registry does not want to say is no reason not to send it.
  return answer.status === 200
}

/**
 * Brings a blob into the repository: nothing is sent if it is there, or can be mounted from another repository of the registry.
 * Otherwise it goes in one request, or in pieces; what breaks off goes on from where the registry has it.
 *
 * @throws PLY_REFUSED, PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH, and what `Session.call` throws
 */
export async function pushBlob(
  session: Session,
  blob: UploadedBlob,
  mountFrom: readonly string[],
  request: Request,
): Promise<'there' | 'mounted' | 'sent'> {
  if (await hasBlob(session, blob.digest, request)) return 'there'
  const begun = await begin(session, blob, mountFrom, request)
  if (begun === 'mounted') return begun
  await using feed = new Feed(blob.open)
  await timed('push', blob.digest, () => new Upload(session, blob, feed, request).run(begun))
  return 'sent'
}

/** Opens an upload, or has the blob mounted. */
async function begin(
  session: Session,
  { digest }: UploadedBlob,
  mountFrom: readonly string[],
  request: Request,
): Promise<URL | 'mounted'> {
  const { repository } = session.endpoint
  const push = scopeOf(repository, 'pull,push')
  const path = `${repository}/blobs/uploads/`
  const near = [...new Set(mountFrom)].filter((from) => from !== repository)
  for (const [at, from] of near.entries()) {
    const query = new URLSearchParams({ mount: digest, from })
    let answer: Answer
    try {
      const scopes = [push, scopeOf(from, 'pull')]
      answer = await session.call({ method: 'POST', path: `${path}?${query}`, scopes }, request)
    } catch (error) {
      // Who may not see the other repository sends the blob.
      if (codeOf(error) === 'PLY_UNAUTHORIZED') continue
      throw error
    }
    await answer.discard()
    if (answer.status === 201) return 'mounted'
    if (answer.status !== 202) continue
    // It has begun an upload instead: that is what is needed after the last one, and before it is in the way.
    if (at === near.length - 1) return locationOf(answer, session)
    await giveUp(locationOf(answer, session), session, request)
  }
  const answer = await session.call({ method: 'POST', path, scopes: [push] }, request)
  if (answer.status !== 202) throw await unexpected(answer, session.endpoint, `${repository} takes no uploads`)
  await answer.discard()
  return locationOf(answer, session)
}

/** Nothing is going to be sent. A registry that does not hear of it forgets the upload by itself. */
async function giveUp(location: URL, session: Session, request: Request): Promise<void> {
  const scopes = [scopeOf(session.endpoint.repository, 'pull,push')]
  try {
    await (await session.call({ method: 'DELETE', path: location, scopes }, request)).discard()
  } catch (error) {
    if (codeOf(error) === 'PLY_ABORTED') throw error
  }
}

/** Where the upload goes on. A registry behind a proxy may not know that it is spoken to with TLS. */
function locationOf({ headers, url }: Answer, { endpoint }: Session): URL {
  const { location } = headers
  if (location === undefined || !URL.canParse(location, url.href)) {
    throw new PlyError('PLY_REGISTRY', {
      registry: endpoint.registry,
      reason: 'it does not say where an upload goes on',
    })
  }
  const next = new URL(location, url)
  if (url.protocol === 'https:' && next.protocol === 'http:') {
    if (next.hostname !== url.hostname) {
      const reason = `it has an upload go on at ${next.host} without TLS`
      throw new PlyError('PLY_REGISTRY', { registry: endpoint.registry, reason })
    }
    return new URL(`${next.pathname}${next.search}`, url.origin)
  }
  return next
}

class Upload {
  readonly #session: Session
  readonly #blob: UploadedBlob
  readonly #feed: Feed
  readonly #request: Request
  #location!: URL
  #piece: number

  constructor(session: Session, blob: UploadedBlob, feed: Feed, request: Request) {
    this.#session = session
    this.#blob = blob
    this.#feed = feed
    this.#request = request
    this.#piece = request.options.uploadPiece ?? Math.max(1, blob.size)
  }

  async run(location: URL): Promise<void> {
    this.#location = location
    const { endpoint } = this.#session
    const patience = new Patience(this.#request.options.patience, this.#request.signal)
    let begun = 0
    for (;;) {
      checkAborted(this.#request.signal)
      let failure: unknown
      let wait = 0
      try {
        const refused = await this.#attempt()
        if (refused === undefined) return
        const { status } = refused
        if (status === 413 && this.#piece > smallPiece) this.#piece = smallPiece
        else if (!isTransientStatus(status) && status !== 416 && status !== 404)
          throw await unexpected(refused, endpoint, `blob ${this.#blob.digest} is not taken`)
        wait = retryAfter(refused.headers['retry-after'])
        const reason = `blob ${this.#blob.digest} is not taken (${await reasonIn(refused)})`
        const code = status === 429 ? 'PLY_RATE_LIMITED' : 'PLY_REGISTRY'
        failure = new PlyError(code, { registry: endpoint.registry, reason, status })
      } catch (error) {
        if (!isInterruption(error)) throw error
        failure = wireError(error, endpoint.registry)
      }
      if (!(await patience.next(wait))) throw failure
      const held = await this.#heldThere()
      if (held - begun >= worthARetry) patience.progressed()
      begun = held
      await this.#feed.seek(held)
    }
  }

  /** Sends what is left. Answers what the registry did not take. */
  async #attempt(): Promise<Answer | undefined> {
    const { size } = this.#blob
    if (size <= Math.min(atOnce, this.#piece) && this.#feed.position === 0) return this.#put(size)
    while (this.#feed.position < size) {
      const refused = await this.#patch(Math.min(this.#piece, size - this.#feed.position))
      if (refused !== undefined) return refused
    }
    return this.#put(0)
  }

  async #patch(length: number): Promise<Answer | undefined> {
    const from = this.#feed.position
    const answer = await this.#send('PATCH', this.#location, length, {
      'content-type': 'application/octet-stream',
      'content-range': `${from}-${from + length - 1}`,
    })
    if (![200, 201, 202, 204].includes(answer.status)) return answer
    await answer.discard()
    this.#location = locationOf(answer, this.#session)
    return undefined
  }

  async #put(length: number): Promise<Answer | undefined> {
    const url = new URL(this.#location)
    url.searchParams.set('digest', this.#blob.digest)
    const answer = await this.#send('PUT', url, length, { 'content-type': 'application/octet-stream' })
    if (answer.status !== 201 && answer.status !== 204) return answer
    await answer.discard()
    return undefined
  }

  async #send(method: 'PATCH' | 'PUT', path: URL, length: number, headers: Record<string, string>): Promise<Answer> {
    const { digest, size } = this.#blob
    const { onProgress } = this.#request
    const feed = this.#feed
    async function* told(): ByteStream {
      // Refused for an old token, it is sent again with a new one.
      if (feed.position !== start) await feed.seek(start)
      for await (const chunk of feed.take(length)) {
        yield chunk
        onProgress?.({ what: digest, done: feed.position, total: size })
      }
      // A blob that is not what it is called is not finished there.
      if (feed.position === size) await feed.finish()
    }
    const start = feed.position
    const scopes = [scopeOf(this.#session.endpoint.repository, 'pull,push')]
    const body = { size: length, stream: told }
    return this.#session.call({ method, path, headers, body, scopes, again: false }, this.#request)
  }

  /** How much the registry has of it. An upload that it has forgotten begins anew. */
  async #heldThere(): Promise<number> {
    const { repository } = this.#session.endpoint
    const scopes = [scopeOf(repository, 'pull,push')]
    const answer = await this.#session.call({ method: 'GET', path: this.#location, scopes }, this.#request)
    await answer.discard()
    const range = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? '')?.[1]
    if (answer.status === 204 || answer.status === 200) {
      if (answer.headers.location !== undefined) this.#location = locationOf(answer, this.#session)
      // "0-0" is what some say of nothing: one byte is not worth finding out.
      const held = range === undefined || range === '0' ? 0 : Number(range) + 1
      if (held === 0 || held > this.#blob.size) return this.#anew()
      return held
    }
    return this.#anew()
  }

  async #anew(): Promise<number> {
    const begun = await begin(this.#session, this.#blob, [], this.#request)
    if (begun !== 'mounted') this.#location = begun
    return 0
  }
}
