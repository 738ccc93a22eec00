import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { PlyError } from '../../model/errors.ts'
import { checkAborted } from '../../model/operation.ts'
import { timed } from '../../model/phases.ts'
import type { ByteStream } from '../../stream/bytes.ts'
import type { PatienceOptions } from './options.ts'
import { proxyAuthorization } from './proxy.ts'

/** One request, as it goes out. */
export interface Outbound {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: { readonly size: number; stream(): ByteStream } | undefined
  readonly agent?: http.Agent | undefined
  /** Who passes on a request without TLS. */
  readonly proxy?: URL | undefined
  readonly patience?: PatienceOptions | undefined
  readonly signal?: AbortSignal | undefined
}

/** What comes back. The body is to be read, or discarded. */
export interface Inbound {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: ByteStream
  /** Lets the connection serve the next request. Never fails. */
  discard(): Promise<void>
}

/** A failure of the wire that may be gone the next time. The message names no address beyond what was dialled. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/**
 * Sends one request and answers once the headers are here. Nothing is repeated, no redirect followed.
 *
 * @throws PLY_ABORTED; `Interrupted` where no answer came in time, or the connection went
 */
export async function send(outbound: Outbound): Promise<Inbound> {
  const { method, url } = outbound
  // A query may hold what is nobody's business.
  return timed('request', `${method} ${url.origin}${url.pathname}`, () => answered(outbound))
}

async function answered(outbound: Outbound): Promise<Inbound> {
  const { method, url, headers = {}, body, agent, proxy, signal, patience: { silence = 60_000 } = {} } = outbound
  checkAborted(signal)
  const lengths = body !== undefined ? { 'content-length': String(body.size) } : sized(method)
  const request = (url.protocol === 'https:' ? https : http).request(proxy ?? url, {
    method,
    headers: { 'user-agent': 'plyfs', ...headers, ...lengths, ...(proxy && throughProxy(url, proxy)) },
    ...(agent && { agent }),
    ...(proxy && { path: url.href, auth: null }),
  })
  const stop = () => request.destroy(new PlyError('PLY_ABORTED', {}, { cause: signal?.reason }))
  signal?.addEventListener('abort', stop, { once: true })
  const release = () => signal?.removeEventListener('abort', stop)
  const timer = new Silence(silence, () => request.destroy(new Interrupted(`no answer for ${silence / 1000} s`)))
  let answered = false
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', (response) => {
      answered = true
      resolve(response)
    })
    request.on('error', reject)
  })
  answer.catch(() => {})
  try {
    timer.start()
    if (body === undefined) request.end()
    else await write(request, body.stream(), answer, () => answered, timer)
    const response = await answer
    // What is not sent to its end leaves nothing that another request could use.
    const done = () => {
      release()
      if (!request.writableEnded) request.destroy()
    }
    return inbound(response, outbound, done)
  } catch (error) {
    release()
    request.destroy()
    throw error
  } finally {
    timer.end()
  }
}

function throughProxy(url: URL, proxy: URL): Record<string, string> {
  return { host: url.host, ...proxyAuthorization(proxy) }
}

function sized(method: string): Record<string, string> {
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? { 'content-length': '0' } : {}
}

/** A chunk's memory is its maker's again once the kernel has it. An answer that comes early ends the sending. */
async function write(
  request: http.ClientRequest,
  stream: ByteStream,
  answer: Promise<IncomingMessage>,
  answered: () => boolean,
  timer: Silence,
): Promise<void> {
  const failed = answer.then(
    () => {},
    () => {},
  )
  for await (const chunk of stream) {
    if (answered() || request.destroyed) return
    timer.start()
    const taken = new Promise<void>((resolve) => request.write(chunk, () => resolve()))
    await Promise.race([taken, failed])
  }
  timer.start()
  if (!answered() && !request.destroyed) request.end()
}

function inbound(response: IncomingMessage, outbound: Outbound, done: () => void): Inbound {
  const { silence = 60_000, slowest = 512 } = outbound.patience ?? {}
  let read = false
  async function* body(): ByteStream {
    read = true
    const fail = (why: string) => response.destroy(new Interrupted(why))
    const timer = new Silence(silence, () => fail(`no bytes for ${silence / 1000} s`))
    let since = performance.now()
    let waited = 0
    let got = 0
    try {
      timer.start()
      for await (const chunk of response as AsyncIterable<Buffer>) {
        timer.stop()
        waited += performance.now() - since
        got += chunk.length
        if (waited >= silence) {
          if (got < (slowest * waited) / 1000) throw new Interrupted(`fewer than ${slowest} bytes a second`)
          waited = got = 0
        }
        yield chunk
        since = performance.now()
        timer.start()
      }
    } catch (error) {
      throw ended(error, outbound.signal)
    } finally {
      timer.end()
      done()
    }
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: body(),
    async discard() {
      if (read) return
      let size = 0
      try {
        // What is long is cheaper to cut off than to read.
        if (outbound.method !== 'HEAD' && Number(response.headers['content-length'] ?? 0) > 1 << 16) return
        for await (const chunk of body()) if ((size += chunk.length) > 1 << 16) return
      } catch {
        // Nobody waits for the rest of an answer that is not wanted.
      } finally {
        done()
        response.destroy()
      }
    },
  }
}

/** What a broken stream says, without the name that Node has for it. */
function ended(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
  return error
}

/** A clock that is wound again and again at no cost, and rings only while somebody waits. */
class Silence {
  readonly #timer: NodeJS.Timeout
  #waiting = false

  constructor(limit: number, ring: () => void) {
    this.#timer = setTimeout(() => this.#waiting && ring(), limit)
    this.#timer.unref()
  }

  start(): void {
    this.#waiting = true
    this.#timer.refresh()
  }

  stop(): void {
    this.#waiting = false
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
