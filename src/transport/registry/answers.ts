import { codeOf, PlyError } from '../../model/errors.ts'
import { collect } from '../../stream/collect.ts'
import { type Inbound, Interrupted } from './wire.ts'

const errorLimit = 64 << 10

/** Codes of errors in the body of an answer (distribution-spec, error codes). */
export interface Refusal {
  readonly codes: readonly string[]
  /** One line for people. */
  readonly text: string
}

/** What an answer says went wrong; the body is read. Never fails. */
async function refusalIn(answer: Inbound): Promise<Refusal> {
  const { status } = answer
  let errors: unknown
  try {
    const raw = await collect(answer.body, errorLimit)
    errors = (JSON.parse(raw.toString('utf8')) as { errors?: unknown } | null)?.errors
  } catch {
    // The body only explains the status: without it that has to do.
  } finally {
    await answer.discard()
  }
  const list = (Array.isArray(errors) ? errors : [])
    .slice(0, 5)
    .filter((one) => typeof one === 'object' && one !== null)
  const word = (value: unknown) => (typeof value === 'string' ? value.slice(0, 200) : '')
  const codes = list.map(({ code }) => word(code)).filter(Boolean)
  const texts = list.map(({ code, message }) => word(message) || word(code)).filter(Boolean)
  return { codes, text: texts.length > 0 ? `${status}: ${texts.join('; ')}` : String(status) }
}

/** The line alone. */
export async function reasonIn(answer: Inbound): Promise<string> {
  return (await refusalIn(answer)).text
}

/** Answers that may be others the next time. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

const transientCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_SOCKET_CLOSED',
])

/** Failures of the wire that may be gone the next time. */
export function isTransient(error: unknown): boolean {
  return error instanceof Interrupted || transientCodes.has(codeOf(error) ?? '') || isGarbled(error)
}

/** The peer speaks HTTP until it does not: what comes out of a cut connection. */
function isGarbled(error: unknown): boolean {
  return codeOf(error)?.startsWith('HPE_') === true
}

/** Whether the peer does not speak TLS at all, or breaks off while it is spoken. */
export function isNoTls(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  return code === 'EPROTO' || code === 'ECONNRESET' || code.startsWith('ERR_SSL_')
}

const certificateCodes =
  /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET|DECODE|DECRYPT)|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)/

/** A failure of the wire, for people; what is a `PlyError` already comes back as it is. */
export function wireError(error: unknown, registry: string): unknown {
  if (error instanceof PlyError) return error
  const code = codeOf(error) ?? ''
  const { message } = error as Error
  if (certificateCodes.test(code)) return new PlyError('PLY_TLS', { registry, reason: `${trim(message)} (${code})` })
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
    return new PlyError('PLY_TLS', { registry, reason: `no TLS connection comes about (${code})` })
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new PlyError('PLY_UNREACHABLE', { registry, reason: 'its name is not known here' }, { cause: error })
  }
  if (isTransient(error)) {
    return new PlyError('PLY_UNREACHABLE', { registry, reason: trim(message) || code }, { cause: error })
  }
  return error
}

function trim(message: string): string {
  return message.split('\n', 1)[0]!.slice(0, 200)
}
