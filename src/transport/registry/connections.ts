import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import { secureContextFor } from './certificates.ts'
import { environmentOf, type RegistryOptions } from './options.ts'
import { proxyAuthorization, proxyFor } from './proxy.ts'
import { Interrupted } from './wire.ts'

/** Connections that are kept between requests, one kind for each host: its certificates, its proxy. */
export class Connections implements Disposable {
  readonly #options: RegistryOptions
  readonly #agents = new Map<string, http.Agent>()

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** @throws PLY_USAGE for a proxy or a certificate that makes no sense */
  agentFor(url: URL): http.Agent {
    let agent = this.#agents.get(url.origin)
    if (agent === undefined) {
      agent = this.#make(url)
      this.#agents.set(url.origin, agent)
    }
    return agent
  }

  /** The proxy that a request without TLS goes to itself; with TLS it goes through a tunnel. */
  plainProxyFor(url: URL): URL | undefined {
    return url.protocol === 'http:' ? proxyFor(url, environmentOf(this.#options)) : undefined
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }

  #make(url: URL): http.Agent {
    const kept = { keepAlive: true, maxFreeSockets: 8, scheduling: 'lifo' } as const
    if (url.protocol === 'http:') return new http.Agent(kept)
    const secured = {
      secureContext: secureContextFor(url.host, this.#options),
      rejectUnauthorized: this.#options.tlsVerify !== false,
    }
    const proxy = proxyFor(url, environmentOf(this.#options))
    if (proxy === undefined) return new https.Agent({ ...kept, ...secured })
    return new TunnelAgent(proxy, { ...kept, ...secured }) as https.Agent
  }
}

/** TLS through a proxy: `CONNECT` first (RFC 9110, 9.3.6). */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options)
    this.#proxy = proxy
  }

  // @ts-expect-error The types know of the answer by return only; Node takes the callback as well (http.Agent, createConnection).
  override createConnection(
    options: tls.ConnectionOptions & { host: string; port: number },
    answer: (error: Error | null, socket?: Socket) => void,
  ): undefined {
    const target = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`
    const request = (this.#proxy.protocol === 'https:' ? https : http).request({
      host: this.#proxy.hostname.replace(/^\[|\]$/g, ''),
      port: this.#proxy.port || (this.#proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyAuthorization(this.#proxy) },
      timeout: 60_000,
    })
    request.once('timeout', () => request.destroy(new Interrupted('the proxy does not answer')))
    request.once('error', answer)
    request.once('connect', (response, socket) => {
      request.off('error', answer)
      if (response.statusCode !== 200) {
        socket.destroy()
        answer(new Interrupted(`the proxy ${this.#proxy.host} answers ${response.statusCode} to CONNECT`))
        return
      }
      const secured = tls.connect({ ...options, socket })
      secured.once('secureConnect', () => answer(null, secured))
      secured.once('error', answer)
    })
    request.end()
    return undefined
  }
}
