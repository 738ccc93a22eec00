import { type Digest, isDigest } from './digest.ts'
import { PlyError } from './errors.ts'

/** Where an image is: a transport and what that transport makes of the rest. A bare name is one in the store. */
export interface Reference {
  readonly transport: string
  readonly details: string
}

/** The transport of a name without one. */
export const storeTransport = 'store'

/** Prefixes that name a transport. Any other text before a colon belongs to an image name. */
const transportNames = [
  'oci',
  'oci-archive',
  'docker-archive',
  'dir',
  'tar',
  'rootfs',
  'upper',
  'docker',
  'container',
  storeTransport,
] as const

const aliases = new Map([['ocidir', 'oci']])

/**
 * Takes `transport:details` apart, as skopeo writes it. `ocidir://DIR` is `oci:DIR`; `docker://NAME` keeps its slashes
 * out of the details. A text without a known transport is a name in the store, in its normal form.
 *
 * @throws PLY_BAD_REFERENCE if it is neither; PLY_UNKNOWN_TRANSPORT if it has the form of a transport nobody knows
 */
export function splitReference(text: string): Reference {
  if (text === '') throw bad(text, 'it is empty')
  if (text.includes('\0')) throw bad(text, 'it holds a NUL byte')
  const colon = text.indexOf(':')
  const prefix = colon < 0 ? '' : text.slice(0, colon)
  const transport = aliases.get(prefix) ?? prefix
  if ((transportNames as readonly string[]).includes(transport)) {
    const rest = text.slice(colon + 1)
    const slashes = (prefix !== transport || transport === 'docker') && rest.startsWith('//')
    const details = slashes ? rest.slice(2) : rest
    if (details === '') throw bad(text, `nothing follows ${prefix}:`)
    return { transport, details }
  }
  const name = tryParseName(text)
  if (typeof name !== 'string') return { transport: storeTransport, details: formatName(name) }
  if (/^[a-z][a-z0-9-]*:(\/|\.)/.test(text)) {
    throw new PlyError('PLY_UNKNOWN_TRANSPORT', { transport: prefix, known: transportNames.join(', ') })
  }
  throw bad(text, name)
}

/** The parts of an image name. At least one of `tag` and `digest` is there. */
export interface ImageName {
  /** Registry host, with its port; `undefined` for Docker Hub. */
  readonly domain: string | undefined
  /** Without `library/`, which Docker Hub implies. */
  readonly path: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const pathPattern = new RegExp(`^${component}(?:/${component})*$`)
const domainPattern =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::[0-9]{1,5})?$/
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

/**
 * Takes an image name apart: `debian`, `debian:12`, `localhost/app`, `host:5000/team/app@sha256:…`. Without tag and
 * digest the tag is `latest`. `docker.io/library/debian` and `debian` are the same name.
 *
 * @throws PLY_BAD_REFERENCE
 */
export function parseName(text: string): ImageName {
  const name = tryParseName(text)
  if (typeof name === 'string') throw bad(text, name)
  return name
}

/** The shortest text for a name, always with its tag or digest: `debian` → `debian:latest`. */
export function formatName(name: ImageName): string {
  // On Docker Hub too the first part of a path may look like a host.
  const host = name.domain ?? (hostIn(name.path) === undefined ? undefined : 'docker.io')
  const domain = host === undefined ? '' : `${host}/`
  const tag = name.tag === undefined ? '' : `:${name.tag}`
  return `${domain}${name.path}${tag}${name.digest === undefined ? '' : `@${name.digest}`}`
}

/** The normal form of a name: two texts name the same image exactly if their normal forms are equal. @throws PLY_BAD_REFERENCE */
export function normalName(text: string): string {
  return formatName(parseName(text))
}

/** The name with its registry spelled out: `debian:12` → `docker.io/library/debian:12`. */
export function fullName(name: ImageName): string {
  if (name.domain !== undefined) return formatName(name)
  return formatName({
    ...name,
    domain: 'docker.io',
    path: name.path.includes('/') ? name.path : `library/${name.path}`,
  })
}

/** A name's parts, or why it is none. */
function tryParseName(text: string): ImageName | string {
  let rest = text
  let digest: Digest | undefined
  const at = rest.indexOf('@')
  if (at >= 0) {
    const found = rest.slice(at + 1)
    if (!isDigest(found)) return `${JSON.stringify(found)} is not a sha256 digest`
    digest = found
    rest = rest.slice(0, at)
  }
  let tag: string | undefined
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    if (!tagPattern.test(tag)) {
      return 'a tag is 1 to 128 letters, digits, and . _ -, and starts with none of . -'
    }
    rest = rest.slice(0, colon)
  }
  const { domain, path } = splitDomain(rest)
  if (path === '') return 'the name is empty'
  if (path !== path.toLowerCase()) return 'a name is in lower case'
  if (!pathPattern.test(path)) return 'a name is made of a-z, 0-9, and single . _ - / between them'
  if (domain !== undefined && !domainPattern.test(domain)) return `${JSON.stringify(domain)} is not a host`
  if (rest.length > 255) return 'a name has at most 255 characters'
  if (domain === undefined && /^[0-9a-f]{64}$/.test(path)) return '64 hexadecimal digits are an id, not a name'
  if (tag === undefined && digest === undefined) tag = 'latest'
  return { domain, path, tag, digest }
}

function splitDomain(text: string): { domain: string | undefined; path: string } {
  const host = hostIn(text)
  if (host === undefined) return { domain: undefined, path: withoutLibrary(text) }
  const rest = text.slice(host.length + 1)
  if (host !== 'docker.io' && host !== 'index.docker.io') return { domain: host, path: rest }
  return { domain: undefined, path: withoutLibrary(rest) }
}

/** The first part is a host if it could not be part of a path on Docker Hub. */
function hostIn(text: string): string | undefined {
  const slash = text.indexOf('/')
  const first = slash < 0 ? '' : text.slice(0, slash)
  return first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase() ? first : undefined
}

/** `library/a/b` is another name than `a/b`. */
function withoutLibrary(path: string): string {
  return /^library\/[^/]+$/.test(path) ? path.slice(8) : path
}

function bad(text: string, reason: string): PlyError {
  return new PlyError('PLY_BAD_REFERENCE', { text: JSON.stringify(text), reason })
}
