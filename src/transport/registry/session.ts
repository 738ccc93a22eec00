import { codeOf, PlyError } from '../../model/errors.ts'
import { checkAborted } from '../../model/operation.ts'
import { isNoTls, isTransient, isTransientStatus, reasonIn, wireError } from './answers.ts'
import { Authority, type Scope } from './authority.ts'
import { Connections } from './connections.ts'
import type { Request } from './options.ts'
import { Patience, retryAfter } from './patience.ts'
import { isLoopback } from './remote-name.ts'
import { type Inbound, Interrupted, type Outbound, send } from './wire.ts'

/** Where one registry, or a mirror of it, answers for one repository. */
export interface Endpoint {
  /** As files of credentials call it. */
  readonly registry: string
  /** `HOST[:PORT]`. */
  readonly host: string
  readonly repository: string
  /** Without TLS, or with certificates that nobody vouches for. */
  readonly insecure: boolean
}

/** One call of the registry's interface. */
export interface Call {
  readonly method: Outbound['method']
  /** Below `/v2/`, or a whole address that the registry gave. */
  readonly path: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Outbound['body']
  readonly scopes: readonly Scope[]
  /** Whether it may be sent again after a failure: everything but a piece of an upload. Default: yes. */
  readonly again?: boolean | undefined
}

/** An answer, and where it came from in the end. */
export interface Answer extends Inbound {
  readonly url: URL
}

const mostRedirects = 5

/**
 * Calls of one registry, for one repository: over TLS unless this machine or the caller says otherwise, with what it takes to be let in,
 * again where the wire or the registry failed for a moment. Only the registry itself ever gets credentials.
 */
export class Session implements Disposable {
  readonly endpoint: Endpoint
  readonly #connections: Connections
  readonly #authority: (origin: string) => Authority
  #opened: Promise<{ readonly origin: string; readonly authority: Authority }> | undefined

  constructor(endpoint: Endpoint, request: Request) {
    this.endpoint = endpoint
    this.#connections = new Connections(endpoint.insecure ? { ...request.options, tlsVerify: false } : request.options)
    const { registry, repository } = endpoint
    this.#authority = (origin) =>
      new Authority({ registry, repository, origin, send: (outbound, asked) => this.#patiently(outbound, asked) })
  }

  /**
   * Any answer with a status that is final: redirects are followed, failures that pass are waited for. The caller reads or
   * discards the body.
   *
   * @throws PLY_UNREACHABLE, PLY_TLS, PLY_UNAUTHORIZED, PLY_REFUSED, PLY_RATE_LIMITED, PLY_REGISTRY, PLY_CREDENTIALS, PLY_ABORTED
   */
  async call(call: Call, request: Request): Promise<Answer> {
    const { origin, authority } = await this.open(request)
    const url = typeof call.path === 'string' ? new URL(`/v2/${call.path}`, origin) : call.path
    for (let refusals = 0; ; refusals++) {
      const own = url.origin === origin
      const authorization = own ? await authority.headers(call.scopes, request) : {}
      const outbound = { ...call, url, headers: { ...call.headers, ...authorization } }
      const answer = await this.#redirected(outbound, request, call.again ?? true)
      if (answer.status !== 401 || answer.url.origin !== origin) return answer
      if (refusals === 0 && (await authority.refused(answer.headers['www-authenticate'], call.scopes, request))) {
        await answer.discard()
        continue
      }
      throw await authority.unauthorized(await reasonIn(answer), request)
    }
  }

  /** Finds out how the registry is reached, and whether it asks who we are. Once. */
  open(request: Request): Promise<{ readonly origin: string; readonly authority: Authority }> {
    this.#opened ??= this.#ping(request).catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]()
  }

  async #ping(request: Request) {
    const { registry, host, insecure } = this.endpoint
    const plain = (insecure || isLoopback(host)) && !(await this.#speaksTls(request))
    const origin = `${plain ? 'http' : 'https'}://${host}`
    const outbound = { method: 'GET', url: new URL('/v2/', origin) } as const
    let answer: Inbound
    try {
      answer = await this.#once(outbound, request)
      if (isTransientStatus(answer.status)) {
        await answer.discard()
        answer = await this.#patiently(outbound, request)
      }
    } catch (error) {
      // Where nobody listens at the first question, nobody is going to in a few seconds.
      if (!isTransient(error) || codeOf(error) === 'ECONNREFUSED') throw wireError(error, registry)
      answer = await this.#patiently(outbound, request)
    }
    const authority = this.#authority(origin)
    if (answer.status === 401) authority.hears(answer.headers['www-authenticate'])
    await answer.discard()
    return { origin, authority }
  }

  /** Asked without looking at certificates: nothing is said to whoever answers. */
  async #speaksTls({ options, signal }: Request): Promise<boolean> {
    const { host, registry } = this.endpoint
    using connections = new Connections({ ...options, tlsVerify: false })
    const url = new URL('/v2/', `https://${host}`)
    try {
      const answer = await send({
        method: 'GET',
        url,
        agent: connections.agentFor(url),
        signal,
        patience: options.patience,
      })
      await answer.discard()
      return true
    } catch (error) {
      const code = codeOf(error)
      // Without a port the other scheme has one of its own.
      if (code === 'ECONNREFUSED' && !/:\d+$/.test(host)) return false
      if (code === 'PLY_ABORTED' || code === 'ECONNREFUSED') throw wireError(error, registry)
      return !isNoTls(error)
    }
  }

  /** A secret address that somebody is sent on to stays out of every message, and gets no credentials of ours. */
  async #redirected(outbound: Outbound, request: Request, again: boolean): Promise<Answer> {
    let { url, headers } = outbound
    for (let step = 0; ; step++) {
      const answer = again
        ? await this.#patiently({ ...outbound, url, headers }, request)
        : await this.#once({ ...outbound, url, headers }, request)
      const { location } = answer.headers
      const leads = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined
      if (!leads || (outbound.method !== 'GET' && outbound.method !== 'HEAD')) return { ...answer, url }
      await answer.discard()
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
      const { registry } = this.endpoint
      if (next === undefined || !/^https?:$/.test(next.protocol) || step === mostRedirects) {
        const reason =
          step === mostRedirects ? 'it sends from one place to the next' : 'it sends to an address that is none'
        throw new PlyError('PLY_REGISTRY', { registry, reason })
      }
      if (url.protocol === 'https:' && next.protocol === 'http:' && !this.#mayBeWithoutTls(request)) {
        throw new PlyError('PLY_REGISTRY', { registry, reason: `it sends on to ${next.host} without TLS` })
      }
      if (next.origin !== url.origin) {
        const { authorization: _, ...rest } = headers ?? {}
        headers = rest
      }
      url = next
    }
  }

  #mayBeWithoutTls({ options }: Request): boolean {
    return options.tlsVerify === false || this.endpoint.insecure
  }

  /** The same again while the failure is one that passes. @throws what is left at the end */
  async #patiently(outbound: Outbound, request: Request): Promise<Inbound> {
    const { registry } = this.endpoint
    const patience = new Patience(request.options.patience, request.signal)
    for (;;) {
      checkAborted(request.signal)
      let answer: Inbound
      try {
        answer = await this.#once(outbound, request)
      } catch (error) {
        if (isTransient(error) && (await patience.next())) continue
        throw wireError(error, registry)
      }
      const { status } = answer
      if (!isTransientStatus(status)) return answer
      const wait = retryAfter(answer.headers['retry-after'])
      const reason = await reasonIn(answer)
      if (await patience.next(wait)) continue
      if (status === 429) throw new PlyError('PLY_RATE_LIMITED', { registry, reason, status })
      throw new PlyError('PLY_REGISTRY', { registry, reason: `it fails again and again (${reason})`, status })
    }
  }

  async #once(outbound: Outbound, { options, signal }: Request): Promise<Inbound> {
    const { url } = outbound
    const agent = this.#connections.agentFor(url)
    const proxy = this.#connections.plainProxyFor(url)
    return send({ ...outbound, agent, proxy, signal, patience: options.patience })
  }
}

/** An answer that nobody expected. The body is read. */
export async function unexpected(answer: Answer, endpoint: Endpoint, what: string): Promise<PlyError> {
  const { registry } = endpoint
  const { status } = answer
  const reason = `${what} (${await reasonIn(answer)})`
  if (status === 401) return new PlyError('PLY_UNAUTHORIZED', { registry, reason, status })
  if (status === 403) return new PlyError('PLY_REFUSED', { registry, reason, status })
  if (status === 405) {
    return new PlyError('PLY_UNSUPPORTED', {
      what: `${what} at ${registry}`,
      reason: 'it is not switched on there',
      status,
    })
  }
  return new PlyError('PLY_REGISTRY', { registry, reason, status })
}

/** A failure of reading a body, as one to try again or one to tell. */
export function isInterruption(error: unknown): boolean {
  return !(error instanceof PlyError) && (error instanceof Interrupted || isTransient(error))
}
