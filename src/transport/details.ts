import { type Digest, isDigest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import { colonAfterPath } from '../model/host-path.ts'

/** `PATH[:NAME][@DIGEST]`, as layouts and their archives are referred to. The path ends at the first colon, but for that of a drive of Windows. */
export interface LayoutDetails {
  readonly path: string
  /** The tag; may hold colons and slashes itself. */
  readonly name: string | undefined
  readonly digest: Digest | undefined
}

/** @throws PLY_BAD_REFERENCE */
export function layoutDetails(transport: string, details: string, platform?: NodeJS.Platform): LayoutDetails {
  const at = /@([a-z0-9]+:[^/@]*)$/.exec(details)
  const digest = at?.[1]
  if (digest !== undefined && !isDigest(digest)) throw wrong(transport, details, `${digest} is not a sha256 digest`)
  const { path, rest } = splitPath(transport, at === null ? details : details.slice(0, at.index), platform)
  if (rest !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$/.test(rest)) {
    throw wrong(transport, details, `${JSON.stringify(rest)} is not a tag`)
  }
  return { path, name: rest, digest }
}

/** `FILE[:NAME[:TAG]][@INDEX]`, or skopeo's `FILE:@INDEX`. */
export interface DockerDetails {
  readonly path: string
  readonly name: string | undefined
  /** Which image of the archive, counted from 0. */
  readonly index: number | undefined
}

/** @throws PLY_BAD_REFERENCE */
export function dockerDetails(transport: string, details: string, platform?: NodeJS.Platform): DockerDetails {
  const at = /:?@(\d{1,6})$/.exec(details)
  const { path, rest } = splitPath(transport, at === null ? details : details.slice(0, at.index), platform)
  return { path, name: rest, index: at === null ? undefined : Number(at[1]) }
}

function splitPath(
  transport: string,
  details: string,
  platform?: NodeJS.Platform,
): { readonly path: string; readonly rest: string | undefined } {
  const colon = colonAfterPath(details, platform)
  const path = colon < 0 ? details : details.slice(0, colon)
  if (path === '') throw wrong(transport, details, 'the path is missing')
  const rest = colon < 0 ? '' : details.slice(colon + 1)
  return { path, rest: rest === '' ? undefined : rest }
}

function wrong(transport: string, details: string, reason: string): PlyError {
  return new PlyError('PLY_BAD_REFERENCE', { text: JSON.stringify(`${transport}:${details}`), reason })
}
