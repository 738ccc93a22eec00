import { codeOf, PlyError } from '../../model/errors.ts'
import { type Challenge, challengesOf } from './challenge.ts'
import { type Found, findCredentials } from './credentials.ts'
import type { Credentials, Request } from './options.ts'
import { requestToken, type Token } from './token.ts'
import type { Inbound, Outbound } from './wire.ts'

/** What somebody wants to do, as token services name it: `repository:team/app:pull`. */
export type Scope = string

export interface AuthorityOptions {
  readonly registry: string
  readonly repository: string
  /** Where the registry itself answers. */
  readonly origin: string
  /** Sends one request with what it takes to get through a bad network. */
  send(outbound: Pick<Outbound, 'method' | 'url' | 'headers' | 'body'>, request: Request): Promise<Inbound>
}

/** Milliseconds that a token should still be good for. */
const margin = 10_000

/**
 * Who we are to one registry. It says nothing until the registry asks; then it answers as the registry wants it, with a token
 * for each set of scopes, which is replaced before it expires, and when the registry has had enough of it.
 */
export class Authority {
  readonly #options: AuthorityOptions
  readonly #tokens = new Map<string, Promise<Token>>()
  #challenge: Challenge | undefined
  #found: Promise<Found> | undefined

  constructor(options: AuthorityOptions) {
    this.#options = options
  }

  /** The header for a request with these scopes; none where the registry has not asked for one. */
  async headers(scopes: readonly Scope[], request: Request): Promise<Record<string, string>> {
    const challenge = this.#challenge
    if (challenge === undefined) return {}
    const { credentials } = await this.#credentials(request)
    if (credentials?.kind === 'bearer') return { authorization: `Bearer ${credentials.token}` }
    if (challenge.scheme === 'basic') return basic(credentials)
    const token = await this.#token(challenge, scopes, credentials, request)
    return { authorization: `Bearer ${token.text}` }
  }

  /** Takes note of what the registry says before anything is asked of it. */
  hears(header: string | undefined): void {
    const challenges = challengesOf(header)
    this.#challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ??
      challenges.find(({ scheme }) => scheme === 'basic') ??
      this.#challenge
  }

  /**
   * Takes note of a 401; what was sent before is not sent again. Answers whether there is something else to try.
   */
  async refused(header: string | undefined, scopes: readonly Scope[], request: Request): Promise<boolean> {
    const before = this.#challenge
    this.hears(header)
    if (this.#challenge === undefined) return false
    // A token may have been good until just now. A password does not change.
    if (this.#challenge.scheme === 'bearer') return this.#tokens.delete(keyOf(scopes)) || before === undefined
    const { credentials } = await this.#credentials(request)
    return before === undefined && credentials !== undefined
  }

  /** Why the registry said no, as far as it is about who we are. */
  async unauthorized(reason: string, request: Request): Promise<PlyError> {
    const { credentials, obstacle } = await this.#credentials(request)
    const source = request.options.credentials === undefined ? 'kept' : 'given'
    const known =
      credentials === undefined ? 'nothing is known to log in with' : `what is ${source} to log in with is not accepted`
    const details = { registry: this.#options.registry, reason: [reason, known, obstacle].filter(Boolean).join('; ') }
    return new PlyError('PLY_UNAUTHORIZED', details)
  }

  #credentials(request: Request): Promise<Found> {
    const { registry, repository } = this.#options
    this.#found ??= findCredentials(registry, repository, request).catch((error) => {
      this.#found = undefined
      throw error
    })
    return this.#found
  }

  async #token(
    challenge: Challenge,
    scopes: readonly Scope[],
    credentials: Credentials | undefined,
    request: Request,
  ): Promise<Token> {
    const key = keyOf(scopes)
    const cached = this.#tokens.get(key)
    if (cached !== undefined) {
      const token = await cached
      if (performance.now() + margin < token.until) return token
    }
    // Several requests at once ask for one token, unless who asked first has stopped.
    if (this.#tokens.get(key) === cached) {
      const fresh = requestToken(challenge, { ...this.#options, scopes, credentials }, request)
      this.#tokens.set(key, fresh)
      fresh.catch(() => this.#tokens.get(key) === fresh && this.#tokens.delete(key))
    }
    try {
      return await this.#tokens.get(key)!
    } catch (error) {
      if (codeOf(error) !== 'PLY_ABORTED' || request.signal?.aborted) throw error
      return this.#token(challenge, scopes, credentials, request)
    }
  }
}

function keyOf(scopes: readonly Scope[]): string {
  return scopes.toSorted().join(' ')
}

function basic(credentials: Credentials | undefined): Record<string, string> {
  if (credentials?.kind !== 'password') return {}
  const pair = `${credentials.username}:${credentials.password}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}
