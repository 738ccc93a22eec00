import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A page that is served until it is closed. */
export interface Served extends AsyncDisposable {
  /** With a secret in it: other users of this machine can reach the port, and must not see the image. */
  readonly address: string
}

/**
 * Serves one page on the loopback address, at a port that is free. Only requests that name this host get it: a page of elsewhere whose
 * name was pointed here does not.
 */
export async function servePage(page: string): Promise<Served> {
  const body = Buffer.from(page, 'utf8')
  const path = `/${randomBytes(16).toString('base64url')}/`
  const hosts = new Set<string>()
  const server = createServer((request, response) => {
    const answer = (status: number, content: Buffer, headers: Readonly<Record<string, string>> = {}) => {
      response.writeHead(status, {
        'content-length': content.length,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        ...headers,
      })
      response.end(request.method === 'HEAD' ? undefined : content)
    }
    const text = { 'content-type': 'text/plain; charset=utf-8' }
    if (!hosts.has(request.headers.host ?? '')) return answer(421, Buffer.from('not this host\n'), text)
    if (request.url !== path) return answer(404, Buffer.from('nothing here\n'), text)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(405, Buffer.from('only GET\n'), { ...text, allow: 'GET, HEAD' })
    return answer(200, body, { 'content-type': 'text/html; charset=utf-8' })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  hosts.add(`127.0.0.1:${port}`).add(`localhost:${port}`)
  return {
    address: `http://127.0.0.1:${port}${path}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      // Closing once more is fine.
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
