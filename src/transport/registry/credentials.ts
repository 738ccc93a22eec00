import { codeOf, PlyError } from '../../model/errors.ts'
import { type AuthFile, authFilePaths, readAuthFile } from './auth-files.ts'
import { askHelper } from './credential-helper.ts'
import type { Credentials, Request } from './options.ts'
import { defaultRegistry } from './remote-name.ts'

/** What docker calls its own registry in its files. */
export const dockerKey = 'https://index.docker.io/v1/'

/** What is known of somebody at a registry. */
export interface Found {
  readonly credentials: Credentials | undefined
  /** A program that keeps credentials and could not be asked: worth saying if the registry refuses. */
  readonly obstacle?: string
}

/**
 * The credentials for a repository, as podman and docker look for them. In each file: the helper of the registry, then
 * `auths` from the repository's full path up to the registry, then the helper for all. The first file that has some wins.
 *
 * @throws PLY_CREDENTIALS where a registry's own helper fails; PLY_BAD_DOCUMENT; PLY_ABORTED
 */
export async function findCredentials(registry: string, repository: string, request: Request): Promise<Found> {
  const { credentials: given } = request.options
  if (given !== undefined) return { credentials: given === 'anonymous' ? undefined : given }
  let obstacle: string | undefined
  for (const path of authFilePaths(request.options)) {
    const file = readAuthFile(path)
    if (file === undefined) continue
    const helper = keysOf(registry).map((key) => [key, file.credHelpers.get(key)] as const)
    for (const [key, name] of helper) {
      if (name === undefined) continue
      const found = await askHelper(name, key, request)
      if (found !== undefined) return { credentials: found }
    }
    const written = writtenIn(file, registry, repository)
    if (written !== undefined) return { credentials: written }
    if (file.credsStore === undefined) continue
    try {
      for (const key of keysOf(registry)) {
        const found = await askHelper(file.credsStore, key, request)
        if (found !== undefined) return { credentials: found }
      }
    } catch (error) {
      // A file that came from another machine names a program that is not here; without one public images can be had.
      if (!(error instanceof PlyError) || codeOf(error) !== 'PLY_CREDENTIALS') throw error
      obstacle ??= `${path}: ${String(error.details.reason)}`
    }
  }
  return { credentials: undefined, ...(obstacle !== undefined && { obstacle }) }
}

/** Under which names a registry is found in files and helpers. */
export function keysOf(registry: string): readonly string[] {
  return registry === defaultRegistry
    ? [dockerKey, defaultRegistry, 'index.docker.io', 'registry-1.docker.io']
    : [registry]
}

function writtenIn({ auths }: AuthFile, registry: string, repository: string): Credentials | undefined {
  if (auths.size === 0) return undefined
  // Paths are compared as they are written; docker's older keys are addresses.
  for (let path = `${registry}/${repository}`; path.includes('/'); path = path.slice(0, path.lastIndexOf('/'))) {
    const found = auths.get(path)
    if (found !== undefined) return found
  }
  const keys = keysOf(registry)
  for (const key of keys) {
    const found = auths.get(key)
    if (found !== undefined) return found
  }
  for (const [key, found] of auths) if (keys.includes(hostIn(key))) return found
  return undefined
}

/** `https://host/v1/` is a way to write `host`. */
function hostIn(key: string): string {
  return /^https?:\/\//.test(key) ? key.replace(/^https?:\/\//, '').replace(/\/.*$/, '') : key
}
