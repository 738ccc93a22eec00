import { PlyError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { memoryBytes, streamOf } from '../../stream/bytes.ts'
import { collect } from '../../stream/collect.ts'
import { reasonIn } from './answers.ts'
import type { AuthorityOptions, Scope } from './authority.ts'
import type { Challenge } from './challenge.ts'
import type { Credentials, Request } from './options.ts'
import { isLoopback } from './remote-name.ts'

export interface Token {
  readonly text: string
  /** When it ends, on the clock of `performance.now()`. */
  readonly until: number
}

interface Asking extends AuthorityOptions {
  readonly scopes: readonly Scope[]
  readonly credentials: Credentials | undefined
}

const tokenLimit = 1 << 20
const clientId = 'plyfs'

/**
 * Asks the token service that a challenge names (distribution-spec; token and oauth2 of the distribution project): by GET with the
 * password or without, by POST with an identity token.
 *
 * @throws PLY_UNAUTHORIZED if it refuses, PLY_REGISTRY if it has no address that a secret may be sent to, or no token
 */
export async function requestToken(challenge: Challenge, asking: Asking, request: Request): Promise<Token> {
  const { registry, credentials, scopes, send } = asking
  const { service } = challenge.parameters
  const realm = realmOf(challenge, asking, request)
  const asked = performance.now()
  const answer =
    credentials?.kind === 'identity'
      ? await send(refreshing(realm, service, scopes, credentials.token), request)
      : await send(getting(realm, service, scopes, credentials), request)
  const { status } = answer
  if (status === 401 || status === 403 || status === 400) {
    const who = credentials === undefined ? '; nothing is known to log in with' : ''
    const reason = `its token service ${realm.host} says no (${await reasonIn(answer)})${who}`
    throw new PlyError('PLY_UNAUTHORIZED', { registry, reason, status })
  }
  if (status !== 200) {
    const reason = `its token service ${realm.host} answers ${status} (${await reasonIn(answer)})`
    throw new PlyError('PLY_REGISTRY', { registry, reason, status })
  }
  return tokenIn(await collect(answer.body, tokenLimit, { what: 'the token' }), registry, asked)
}

/** A secret goes to no address that others can listen to, unless that was asked for. */
function realmOf({ parameters }: Challenge, { registry, origin }: Asking, { options }: Request): URL {
  const { realm = '' } = parameters
  const url = URL.canParse(realm) ? new URL(realm) : undefined
  const secure = url?.protocol === 'https:'
  const local = url !== undefined && isLoopback(url.host) && isLoopback(new URL(origin).host)
  if (url !== undefined && (secure || (url.protocol === 'http:' && (options.tlsVerify === false || local)))) return url
  const reason = url === undefined ? 'it names no token service' : `its token service ${url.host} is without TLS`
  throw new PlyError('PLY_REGISTRY', { registry, reason: `${reason}; no token can be asked for` })
}

function getting(
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  credentials: Credentials | undefined,
) {
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const headers: Record<string, string> = {}
  if (credentials?.kind === 'password') {
    const { username, password } = credentials
    url.searchParams.set('account', username)
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  }
  return { method: 'GET' as const, url, headers }
}

function refreshing(realm: URL, service: string | undefined, scopes: readonly Scope[], token: string) {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: token })
  if (service !== undefined) form.set('service', service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  const content = Buffer.from(form.toString())
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = { size: content.length, stream: () => streamOf(memoryBytes(content)) }
  return { method: 'POST' as const, url: new URL(realm), headers, body }
}

function tokenIn(raw: Uint8Array, registry: string, asked: number): Token {
  let answer: { readonly token?: unknown; readonly access_token?: unknown; readonly expires_in?: unknown }
  try {
    answer = (parseJson(raw, 'the token', tokenLimit) ?? {}) as typeof answer
  } catch {
    // The parser quotes what it stumbles over, which may be the token.
    answer = {}
  }
  const text = [answer.token, answer.access_token].find((one) => typeof one === 'string' && /^[\x21-\x7e]+$/.test(one))
  if (typeof text !== 'string') {
    throw new PlyError('PLY_REGISTRY', { registry, reason: 'the answer of its token service holds no token' })
  }
  // A minute, where nothing is said. Clocks differ: what counts is when it was asked for.
  const seconds = typeof answer.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : 60
  return { text, until: asked + seconds * 1000 }
}
