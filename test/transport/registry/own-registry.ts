import { createHash, randomBytes } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request as it arrived. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly status: number
}

export interface OwnRegistryOptions {
  /** Whether it has the referrers API, and takes note of subjects. */
  readonly referrers?: boolean
  /** Names and passwords that it asks for, by `WWW-Authenticate: Basic`. */
  readonly basic?: Readonly<Record<string, string>>
  /** Has it ask for tokens, which it gives out itself at `/token`. */
  readonly tokens?: {
    readonly users: Readonly<Record<string, string>>
    /** What an identity token is. */
    readonly identity?: string
    /** Requests that a token is good for; default: any number. */
    readonly uses?: number
    readonly expiresIn?: number
    readonly realm?: string
  }
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean }
  readonly pageSize?: number
  readonly address?: string
  /** Answers in its place, where it answers `true`. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>
  /** Blobs are somewhere else: answers the address to go to. */
  readonly redirect?: (digest: string) => string | undefined
}

export interface OwnRegistry {
  readonly host: string
  readonly port: number
  readonly origin: string
  readonly blobs: Map<string, Buffer>
  /** By repository and then tag or digest. */
  readonly manifests: Map<string, { readonly raw: Buffer; readonly type: string }>
  readonly seen: Seen[]
  /** Tokens that were given out. */
  readonly issued: { readonly scopes: readonly string[]; readonly user: string | undefined }[]
  count(method: string, path: RegExp): number
}

/** A registry in this process, on loopback: the distribution specification with what others leave out. It ends with the test. */
export async function ownRegistry(options: OwnRegistryOptions = {}): Promise<OwnRegistry> {
  const registry = new Registry(options)
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    registry.answer(request, response).catch((error) => response.destroy(error))
  }
  const { tls, address = '127.0.0.1' } = options
  const server = tls ? https.createServer({ ...tls, rejectUnauthorized: false }, answer) : http.createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  registry.port = (server.address() as AddressInfo).port
  registry.host = `${address}:${registry.port}`
  registry.origin = `${tls ? 'https' : 'http'}://${registry.host}`
  return registry
}

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

class Registry implements OwnRegistry {
  host = ''
  port = 0
  origin = ''
  readonly blobs = new Map<string, Buffer>()
  readonly manifests = new Map<string, { readonly raw: Buffer; readonly type: string }>()
  readonly seen: Seen[] = []
  readonly issued: { readonly scopes: readonly string[]; readonly user: string | undefined }[] = []
  readonly #options: OwnRegistryOptions
  readonly #uploads = new Map<string, Buffer>()
  readonly #tokens = new Map<string, { scopes: readonly string[]; left: number }>()
  readonly #holds = new Set<string>()

  constructor(options: OwnRegistryOptions) {
    this.#options = options
  }

  count(method: string, path: RegExp): number {
    return this.seen.filter((one) => one.method === method && path.test(one.path)).length
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request
    response.on('close', () => this.seen.push({ method, path, headers, status: response.statusCode }))
    if (await this.#options.before?.(request, response)) return
    const url = new URL(path, 'http://x')
    if (url.pathname === '/token') return this.#token(request, response, url)
    if (!this.#mayEnter(request, response, url)) return
    if (url.pathname === '/v2/') return end(response, 200, '{}', { 'content-type': 'application/json' })
    const [, name = '', kind = '', rest = ''] =
      /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(url.pathname) ?? []
    if (kind === 'tags') return this.#tags(response, url, name)
    if (kind === 'referrers') return this.#referrers(response, url, name, rest)
    if (kind === 'manifests') return this.#manifest(request, response, name, rest)
    if (rest.startsWith('uploads/')) return this.#upload(request, response, url, name, rest.slice(8))
    if (kind === 'blobs') return this.#blob(request, response, name, rest)
    return refuse(response, 404, 'NAME_UNKNOWN')
  }

  #mayEnter(request: IncomingMessage, response: ServerResponse, url: URL): boolean {
    const { basic, tokens } = this.#options
    const { authorization = '' } = request.headers
    if (basic !== undefined) {
      const { user, password } = pairOf(authorization)
      if (authorization.startsWith('Basic ') && basic[user] === password) return true
      refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="here"' })
      return false
    }
    if (tokens === undefined) return true
    const name = /^\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//.exec(url.pathname)?.[1]
    const action = { GET: 'pull', HEAD: 'pull', DELETE: 'delete' }[request.method ?? ''] ?? 'push'
    const token = this.#tokens.get(authorization.slice(7))
    const covers = token?.scopes.some((scope) => {
      const [, repository, actions = ''] = scope.split(':')
      return repository === name && actions.split(',').includes(action)
    })
    if (token !== undefined && (name === undefined || covers) && token.left-- > 0) return true
    const scope = name === undefined ? '' : `,scope="repository:${name}:${action === 'push' ? 'pull,push' : action}"`
    const realm = tokens.realm ?? `${this.origin}/token`
    const challenge = `Bearer realm="${realm}",service="own"${scope}`
    refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge })
    return false
  }

  async #token(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { users, identity, uses = Number.POSITIVE_INFINITY, expiresIn } = this.#options.tokens!
    const form = request.method === 'POST' ? new URLSearchParams((await bodyOf(request)).toString()) : undefined
    const scopes = (form?.get('scope')?.split(' ') ?? url.searchParams.getAll('scope')).filter(Boolean)
    const { authorization } = request.headers
    const { user, password } = pairOf(authorization)
    const known = form === undefined ? users[user] === password : form.get('refresh_token') === identity
    const anonymous = form === undefined && authorization === undefined
    if (!known && !(anonymous && '' in users)) return refuse(response, 401, 'UNAUTHORIZED')
    const token = randomBytes(12).toString('hex')
    this.#tokens.set(token, { scopes, left: uses })
    this.issued.push({ scopes, user: anonymous ? undefined : user })
    end(response, 200, JSON.stringify({ token, ...(expiresIn !== undefined && { expires_in: expiresIn }) }), {
      'content-type': 'application/json',
    })
  }

  async #tags(response: ServerResponse, url: URL, name: string): Promise<void> {
    const tags = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${name} `) && !key.includes('sha256:'))
      .map((key) => key.slice(name.length + 1))
      .sort()
    if (tags.length === 0) return refuse(response, 404, 'NAME_UNKNOWN')
    const last = url.searchParams.get('last') ?? ''
    const size = Math.min(Number(url.searchParams.get('n') ?? 100), this.#options.pageSize ?? 100)
    const rest = tags.filter((tag) => tag > last)
    const page = rest.slice(0, size)
    const link = `</v2/${name}/tags/list?n=${size}&last=${page.at(-1)}>; rel="next"`
    end(response, 200, JSON.stringify({ name, tags: page }), rest.length > size ? { link } : {})
  }

  async #referrers(response: ServerResponse, url: URL, name: string, subject: string): Promise<void> {
    if (!this.#options.referrers) return refuse(response, 404, 'NOT_FOUND')
    const wanted = url.searchParams.get('artifactType')
    const manifests = [...this.manifests]
      .filter(([key]) => key.startsWith(`${name} sha256:`))
      .map(([key, { raw, type }]) => ({ key, raw, type, content: JSON.parse(raw.toString()) }))
      .filter(({ content }) => content.subject?.digest === subject)
      .map(({ key, raw, type, content }) => ({
        mediaType: type,
        digest: key.split(' ')[1],
        size: raw.length,
        artifactType: content.artifactType ?? content.config?.mediaType,
        ...(content.annotations && { annotations: content.annotations }),
      }))
      .filter(({ artifactType }) => wanted === null || artifactType === wanted)
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }
    end(response, 200, JSON.stringify(index), {
      'content-type': index.mediaType,
      ...(wanted !== null && { 'oci-filters-applied': 'artifactType' }),
    })
  }

  async #manifest(request: IncomingMessage, response: ServerResponse, name: string, reference: string): Promise<void> {
    const key = `${name} ${reference}`
    if (request.method === 'PUT') {
      const raw = await bodyOf(request)
      const digest = sha256(raw)
      const type = request.headers['content-type'] ?? ''
      if (reference.startsWith('sha256:') && reference !== digest) return refuse(response, 400, 'DIGEST_INVALID')
      this.manifests.set(key, { raw, type }).set(`${name} ${digest}`, { raw, type })
      const subject = JSON.parse(raw.toString()).subject?.digest
      return end(response, 201, '', {
        'docker-content-digest': digest,
        ...(this.#options.referrers && subject && { 'oci-subject': subject }),
      })
    }
    const found = this.manifests.get(key)
    if (found === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN')
    if (request.method === 'DELETE') {
      this.manifests.delete(key)
      // With a manifest go its tags.
      if (reference.startsWith('sha256:'))
        for (const [other, { raw }] of this.manifests)
          if (other.startsWith(`${name} `) && sha256(raw) === reference) this.manifests.delete(other)
      return end(response, 202, '')
    }
    const { raw, type } = found
    end(response, 200, request.method === 'HEAD' ? undefined : raw, {
      'content-type': type,
      'content-length': String(raw.length),
      'docker-content-digest': sha256(raw),
    })
  }

  async #blob(request: IncomingMessage, response: ServerResponse, name: string, digest: string): Promise<void> {
    const content = this.#holds.has(`${name} ${digest}`) || this.#seeded(digest) ? this.blobs.get(digest) : undefined
    if (content === undefined) return refuse(response, 404, 'BLOB_UNKNOWN')
    if (request.method === 'DELETE') {
      this.#holds.delete(`${name} ${digest}`)
      return end(response, 202, '')
    }
    const location = this.#options.redirect?.(digest)
    if (location !== undefined && request.method === 'GET') return end(response, 307, '', { location })
    serve(request, response, content)
  }

  /** What a test has put there itself is in every repository. */
  #seeded(digest: string): boolean {
    return this.blobs.has(digest) && ![...this.#holds].some((key) => key.endsWith(digest))
  }

  async #upload(request: IncomingMessage, response: ServerResponse, url: URL, name: string, id: string): Promise<void> {
    const { method } = request
    if (method === 'POST') {
      const [mount, from] = [url.searchParams.get('mount'), url.searchParams.get('from')]
      if (mount !== null && this.#holds.has(`${from} ${mount}`)) {
        this.#holds.add(`${name} ${mount}`)
        return end(response, 201, '', { location: `/v2/${name}/blobs/${mount}` })
      }
      const fresh = randomBytes(8).toString('hex')
      this.#uploads.set(fresh, Buffer.alloc(0))
      return end(response, 202, '', { location: `/v2/${name}/blobs/uploads/${fresh}?state=secret-state`, range: '0-0' })
    }
    const before = this.#uploads.get(id)
    if (before === undefined) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    const location = `/v2/${name}/blobs/uploads/${id}?state=secret-state`
    const range = (size: number) => `0-${Math.max(0, size - 1)}`
    if (method === 'GET') return end(response, 204, undefined, { location, range: range(before.length) })
    const start = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1]
    if (start !== undefined && Number(start) !== before.length) return refuse(response, 416, 'RANGE_INVALID')
    // What came before a connection broke is kept, as registries do.
    const whole = Buffer.concat([
      before,
      await bodyOf(request, (part) => this.#uploads.set(id, Buffer.concat([before, part]))),
    ])
    this.#uploads.set(id, whole)
    if (method === 'PATCH') return end(response, 202, '', { location, range: range(whole.length) })
    const digest = url.searchParams.get('digest') ?? ''
    if (sha256(whole) !== digest) return refuse(response, 400, 'DIGEST_INVALID')
    this.#uploads.delete(id)
    this.blobs.set(digest, whole)
    this.#holds.add(`${name} ${digest}`)
    end(response, 201, '', { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest })
  }
}

function pairOf(authorization = ''): { readonly user: string; readonly password: string } {
  const pair = Buffer.from(authorization.slice('Basic '.length), 'base64').toString()
  const colon = pair.indexOf(':')
  return { user: pair.slice(0, Math.max(0, colon)), password: pair.slice(colon + 1) }
}

/** Content with ranges. */
export function serve(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const part = content.subarray(Number(from ?? 0))
  end(response, from === undefined ? 200 : 206, request.method === 'HEAD' ? undefined : part, {
    'content-length': String(part.length),
    'content-type': 'application/octet-stream',
    ...(from !== undefined && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  })
}

function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  end(response, status, JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }), headers)
}

function end(
  response: ServerResponse,
  status: number,
  body: string | Buffer | undefined,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, headers).end(body)
}

async function bodyOf(request: IncomingMessage, onPart: (part: Buffer) => void = () => {}): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch (error) {
    onPart(Buffer.concat(chunks))
    throw error
  }
  return Buffer.concat(chunks)
}
