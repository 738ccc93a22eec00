import type { Descriptor, Platform } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { bestFor, formatPlatform, parsePlatform, thisPlatform } from '../model/platform.ts'
import { isAbout } from '../signature/index.ts'

/** One image of an index, with the platform it is for; `undefined` where nobody knows. */
export interface Candidate {
  readonly descriptor: Descriptor
  readonly platform: Platform | undefined
}

/** Whether an entry of an index is an image, not an attestation about one (as BuildKit adds them), nor a signature of one. */
export function isImageEntry(entry: Descriptor): boolean {
  const { annotations, platform } = entry
  return annotations?.['vnd.docker.reference.type'] === undefined && platform?.os !== 'unknown' && !isAbout(entry)
}

/**
 * Chooses from an index: the image that runs best on the platform asked for (text), or on this machine.
 *
 * @throws PLY_PLATFORM_NOT_FOUND listing what there is; PLY_USAGE if the text is no platform
 */
export function chooseImage(candidates: readonly Candidate[], name: string, platform: string | undefined): Descriptor {
  const wanted = platform === undefined ? thisPlatform() : parsePlatform(platform)
  const known = candidates.filter((candidate) => candidate.platform !== undefined)
  const best = bestFor(wanted, known, (candidate) => candidate.platform!)
  if (best !== undefined) return best.descriptor
  const available = [...new Set(known.map((candidate) => formatPlatform(candidate.platform!)))].join(', ') || 'none'
  throw new PlyError('PLY_PLATFORM_NOT_FOUND', { name, platform: formatPlatform(wanted), available })
}
