import type { Digest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { JsonObject } from '../model/field.ts'
import type { Operation } from '../model/operation.ts'
import type { Attachments } from './attachments.ts'
import { type Candidate, candidatesFor, type Form, type Refused } from './candidates.ts'
import { anyIdentity, whyOther } from './identity.ts'
import type { KeyKind, VerifyingKey } from './keys.ts'
import type { Claim } from './payload.ts'

/** What a signature has to be to count. */
export interface SignatureRequirement {
  /** Any one of them suffices. */
  readonly keys: readonly VerifyingKey[]
  /**
   * The name that it has to be for, `HOST/NAME[:TAG]`, or `any`. Default: the name under which the image is asked for; in places without
   * such names, any.
   */
  readonly signedAs?: string | undefined
  /** What it has to say besides, word for word. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

/** A signature that holds. */
export interface ImageSignature {
  /** What it vouches for: the image's manifest, or an index that leads to it. */
  readonly subject: Digest
  readonly key: Digest
  readonly kind: KeyKind
  readonly signedAs: string | undefined
  /** What else was signed: `creator`, `timestamp` (seconds), annotations. */
  readonly optional: JsonObject
  readonly form: Form
  /** The manifest that it stands in. */
  readonly manifest: Digest
}

/** Everything that lies in the place of a signature of these documents, each with what came of it. Whoever has enough stops reading. */
export async function* judgedSignatures(
  subjects: readonly Digest[],
  place: Attachments,
  { keys, signedAs = anyIdentity, annotations = {} }: SignatureRequirement,
  operation: Operation = {},
): AsyncGenerator<ImageSignature | Refused> {
  for (const subject of subjects) {
    for await (const candidate of candidatesFor(subject, place, operation)) {
      yield 'why' in candidate ? candidate : judged(candidate, { keys, signedAs, annotations })
    }
  }
}

/** What was not signed by a key is not even read. */
function judged(candidate: Candidate, requirement: Required<SignatureRequirement>): ImageSignature | Refused {
  const { subject, form, manifest, message, signatures } = candidate
  const refused = (why: string): Refused => ({ subject, manifest, why })
  const by = requirement.keys?.find((key) => signatures.some((signature) => key.verifies(message, signature)))
  if (by === undefined) return refused('it is by no key that was given')
  let claim: Claim
  try {
    claim = candidate.claim()
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT' && codeOf(error) !== 'PLY_UNSUPPORTED') throw error
    return refused((error as Error).message)
  }
  const { digest, identity, optional } = claim
  if (digest !== subject) return refused(`it is of ${digest}`)
  const other = whyOther(identity, requirement.signedAs ?? anyIdentity, subject)
  if (other !== undefined) return refused(other)
  for (const [name, value] of Object.entries(requirement.annotations ?? {})) {
    const said = Object.hasOwn(optional, name) ? optional[name] : undefined
    if (said !== value) return refused(`it does not say ${name}=${value}`)
  }
  return { subject, key: by.fingerprint, kind: by.kind, signedAs: identity, optional, form, manifest }
}

/** @throws PLY_USAGE */
export function checkRequirement({ keys }: SignatureRequirement): void {
  if (keys.length === 0) throw new PlyError('PLY_USAGE', { reason: 'it takes a public key to check signatures with' })
}

/** As many refusals as anybody reads. */
const mostTold = 100

/** The answer where nothing vouches for an image. What was refused is said, shortened. */
export function unsigned(what: string, refusals: readonly Refused[]): PlyError {
  const reasons = [...new Set(refusals.map(({ why }) => why))]
  const more = reasons.length > 3 ? `, and ${reasons.length - 3} other reasons` : ''
  const reason =
    refusals.length === 0
      ? 'it has none'
      : `${refusals.length === 1 ? 'there is one, but' : `there are ${refusals.length}, but`} ${reasons.slice(0, 3).join('; ')}${more}`
  return new PlyError('PLY_UNSIGNED', { what, reason, refused: refusals.slice(0, mostTold) })
}
