import type { Descriptor } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { ByteStream } from '../../stream/bytes.ts'
import { wireError } from './answers.ts'
import { scopeOf } from './manifests.ts'
import type { Request } from './options.ts'
import { Patience, worthARetry } from './patience.ts'
import { type Answer, type Call, isInterruption, type Session, unexpected } from './session.ts'
import { Interrupted } from './wire.ts'

/**
 * The bytes of a blob from a position on, unverified. A connection that breaks is made anew, and goes on where the last one
 * ended; how often depends on how much each one brings.
 *
 * @throws PLY_BLOB_NOT_FOUND; PLY_SIZE_MISMATCH where the registry has a blob of another size; what `Session.call` throws
 */
export function blobStream(session: Session, descriptor: Descriptor, request: Request, from = 0): ByteStream {
  const { repository } = session.endpoint
  const path = `${repository}/blobs/${descriptor.digest}`
  return resumed(session, descriptor, request, from, { path, scopes: [scopeOf(repository, 'pull')] })
}

/** The same of an address outside the registry (layer-semantics Q-06). Nobody there hears who we are. */
export function foreignStream(
  session: Session,
  url: URL,
  descriptor: Descriptor,
  request: Request,
  from = 0,
): ByteStream {
  return resumed(session, descriptor, request, from, { path: url, scopes: [] })
}

type Place = Pick<Call, 'path' | 'scopes'>

async function* resumed(
  session: Session,
  descriptor: Descriptor,
  request: Request,
  from: number,
  place: Place,
): ByteStream {
  const { size } = descriptor
  const patience = new Patience(request.options.patience, request.signal)
  let at = from
  let begun = at
  while (at < size) {
    try {
      const answer = await requestFrom(session, descriptor, at, request, place)
      let skip = answer.status === 206 ? 0 : at
      for await (const chunk of answer.body) {
        const rest = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - rest.length
        if (rest.length === 0) continue
        at += rest.length
        yield rest
        // More than there is of it: whoever checks it has seen that by now.
        if (at > size) return
      }
      if (at < size) throw new Interrupted('the connection ended early')
    } catch (error) {
      if (!isInterruption(error)) throw error
      if (at - begun >= worthARetry) patience.progressed()
      begun = at
      if (!(await patience.next())) throw wireError(error, session.endpoint.registry)
    }
  }
}

async function requestFrom(
  session: Session,
  { digest, size }: Descriptor,
  at: number,
  request: Request,
  place: Place,
): Promise<Answer> {
  const { repository } = session.endpoint
  const headers: Record<string, string> = at === 0 ? {} : { range: `bytes=${at}-` }
  const answer = await session.call({ method: 'GET', headers, ...place }, request)
  const { status } = answer
  if (status === 404) {
    await answer.discard()
    throw new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: `${session.endpoint.registry}/${repository}` })
  }
  if (status !== 200 && status !== 206) throw await unexpected(answer, session.endpoint, `blob ${digest} cannot be had`)
  const total = status === 200 ? lengthOf(answer) : rangeOf(answer, at)
  if (total === undefined || total === size) return answer
  await answer.discard()
  throw new PlyError('PLY_SIZE_MISMATCH', { what: `blob ${digest}`, expected: size, actual: total })
}

function lengthOf({ headers }: Answer): number | undefined {
  const length = headers['content-length']
  return length === undefined || headers['content-encoding'] !== undefined ? undefined : Number(length)
}

/** The size of the whole. @throws a failure that passes, where the part is another one than was asked for */
function rangeOf({ headers }: Answer, at: number): number | undefined {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? []
  if (Number(start) !== at) throw new Interrupted('it sends another part than was asked for')
  return total === undefined || total === '*' ? undefined : Number(total)
}

/** Whether a registry's answer means that it does not have a blob, so that another place may be asked. */
export function isElsewhere(error: unknown): boolean {
  return ['PLY_BLOB_NOT_FOUND', 'PLY_UNREACHABLE', 'PLY_REGISTRY', 'PLY_UNAUTHORIZED', 'PLY_TLS'].includes(
    codeOf(error) ?? '',
  )
}
