import type { Digest } from '../../model/digest.ts'
import { formatName, parseName } from '../../model/reference.ts'

/** What `docker://` refers to, taken apart. */
export interface RemoteName {
  /** The registry as people and files of credentials call it: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** The repository in it, in full: `library/debian`. */
  readonly repository: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
  /** Whether the text says which registry. */
  readonly registrySaid: boolean
  /** The name that the image has in a store: `debian:12`. `undefined` where only a digest was said. */
  readonly name: string | undefined
}

/** Who answers for the names without a registry. */
export const defaultRegistry = 'docker.io'
/** Where the requests for it go. */
const defaultHost = 'registry-1.docker.io'

/** @throws PLY_BAD_REFERENCE */
export function remoteName(details: string): RemoteName {
  const { domain, path, tag, digest } = parseName(details)
  const repository = domain === undefined && !path.includes('/') ? `library/${path}` : path
  const name = tag === undefined ? undefined : formatName({ domain, path, tag, digest: undefined })
  const registrySaid = domain !== undefined || /^(?:index\.)?docker\.io\//.test(details)
  return { registry: domain ?? defaultRegistry, repository, tag, digest, registrySaid, name }
}

/** `HOST[:PORT]` that the requests for a registry go to. */
export function hostOf(registry: string): string {
  return registry === defaultRegistry ? defaultHost : registry
}

/** Whether a `HOST[:PORT]` is this machine: nobody else can listen on the way there. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name)
}
