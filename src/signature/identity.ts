import type { Digest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { fullName, parseName } from '../model/reference.ts'

/** The word for "whatever the signature says". */
export const anyIdentity = 'any'

interface Identity {
  /** With its registry. */
  readonly repository: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
}

/**
 * Why a signature is not for what is asked for; `undefined` if it is. The repository has to be the same, and so has the tag where both name
 * one: `cosign` signs without a tag, and who asks by digest says none. `expected` is a name, or `any`.
 */
export function whyOther(signed: string | undefined, expected: string, subject: Digest): string | undefined {
  if (expected === anyIdentity) return undefined
  if (signed === undefined) return `it names no image; ${expected} is asked for`
  const claimed = identityOf(signed)
  if (claimed === undefined) return `it is for ${JSON.stringify(signed)}, which is no name of an image`
  const asked = identityOf(expected)
  if (asked === undefined) throw badIdentity(expected)
  const sameTag = claimed.tag === undefined || asked.tag === undefined || claimed.tag === asked.tag
  const sameDigest = claimed.digest === undefined || claimed.digest === subject
  if (claimed.repository === asked.repository && sameTag && sameDigest) return undefined
  return `it is for ${signed}, not for ${expected}`
}

/** A name as it is written into a signature: with its registry, and the tag if the text has one. @throws PLY_USAGE */
export function identityText(text: string): string {
  const identity = text === anyIdentity ? undefined : identityOf(text)
  if (identity === undefined) throw badIdentity(text)
  const { repository, tag, digest } = identity
  return `${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function identityOf(text: string): Identity | undefined {
  const [bare = ''] = text.split('@', 1)
  const hasTag = bare.lastIndexOf(':') > bare.lastIndexOf('/')
  try {
    const name = parseName(text)
    const { tag, digest } = name
    const repository = fullName({ ...name, tag: undefined, digest: undefined })
    return { repository, tag: hasTag ? tag : undefined, digest }
  } catch (error) {
    if (codeOf(error) === 'PLY_BAD_REFERENCE') return undefined
    throw error
  }
}

function badIdentity(text: string): PlyError {
  return new PlyError('PLY_USAGE', {
    reason: `${JSON.stringify(text)} is no name that a signature could be for: write HOST/NAME or HOST/NAME:TAG`,
  })
}
