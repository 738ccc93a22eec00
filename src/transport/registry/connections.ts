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
    return tunnelAgent(proxy, { ...kept, ...secured })
  }
}

/** TLS through a proxy: `CONNECT` first (RFC 9110, 9.3.6). No class: to extend `https.Agent`, TLS would be loaded by whoever starts. */
function tunnelAgent(proxy: URL, options: https.AgentOptions): https.Agent {
  const secure = proxy.protocol === 'https:'
  const createConnection = (
    options: tls.ConnectionOptions & { host: string; port: number },
    answer: (error: Error | null, socket?: Socket) => void,
  ): undefined => {
    const target = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`
    const request = (secure ? https : http).request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (secure ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyAuthorization(proxy) },
      timeout: 60_000,
    })
    request.once('timeout', () => request.destroy(new Interrupted('the proxy does not answer')))
    request.once('error', answer)
    request.once('connect', (response, socket) => {
      request.off('error', answer)
      if (response.statusCode !== 200) {
        socket.destroy()
        answer(new Interrupted(`the proxy ${proxy.host} answers ${response.statusCode} to CONNECT`))
        return
      }
      const secured = tls.connect({ ...options, socket })
      secured.once('secureConnect', () => answer(null, secured))
      secured.once('error', answer)
    })
    request.end()
    return undefined
  }
  // The types know of an answer by return only; Node takes the callback as well (http.Agent, createConnection).
  return Object.assign(new https.Agent(options), { createConnection })
}
