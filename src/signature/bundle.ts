import type { Digest } from '../model/digest.ts'
import { isDigest } from '../model/digest.ts'
import { Field } from '../model/field.ts'
import { parseJson } from '../model/json.ts'
import { type Claim, payloadLimit } from './payload.ts'

const statementType = 'application/vnd.in-toto+json'
const predicateType = 'https://sigstore.dev/cosign/sign/v1'
const mostSubjects = 100
const mostSignatures = 10

/** The version of a sigstore bundle by its media type; `undefined` for anything else. */
export function bundleType(mediaType: string | undefined): string | undefined {
  return /^application\/vnd\.dev\.sigstore\.bundle(?:\.v|\+json;version=)(0\.\d+)(?:\+json)?$/.exec(
    mediaType ?? '',
  )?.[1]
}

/**
 * What newer versions of cosign write: a sigstore bundle with a DSSE envelope about an in-toto statement. Only what is signed by a key can
 * be checked here; certificates and logs in it are not looked at. @throws PLY_BAD_DOCUMENT
 */
export function bundleIn(raw: Uint8Array): {
  readonly message: Buffer
  readonly signatures: readonly Buffer[]
  readonly claim: () => Claim
} {
  const root = new Field('the bundle', '', parseJson(raw, 'the bundle', payloadLimit))
  const envelope = root.member('dsseEnvelope')
  if (envelope.absent) throw root.bad('has no dsseEnvelope')
  const type = envelope.member('payloadType').text()
  if (type !== statementType) throw envelope.member('payloadType').wrong(JSON.stringify(statementType))
  const payload = Buffer.from(envelope.member('payload').text(), 'base64')
  const signatures = envelope
    .member('signatures')
    .items(mostSignatures)
    .map((one) => Buffer.from(one.member('sig').text(), 'base64'))
  return { message: preAuthentication(type, payload), signatures, claim: () => statementIn(payload) }
}

/** What a DSSE envelope signs (secure-systems-lab/dsse, protocol.md: PAE). */
function preAuthentication(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])
}

function statementIn(payload: Buffer): Claim {
  const root = new Field('the statement', '', parseJson(payload, 'the statement', payloadLimit))
  const type = root.member('_type')
  if (!/^https:\/\/in-toto\.io\/Statement\/v(?:0\.1|1)$/.test(type.text())) throw type.wrong('an in-toto statement')
  // An attestation says something about an image, and not that somebody stands for it.
  const predicate = root.member('predicateType')
  if (predicate.text() !== predicateType) throw predicate.wrong(JSON.stringify(predicateType))
  const subjects = root.member('subject').items(mostSubjects)
  const [only] = subjects
  if (only === undefined || subjects.length > 1) throw root.member('subject').bad('is not one image')
  const digest = `sha256:${only.member('digest').member('sha256').text()}`
  if (!isDigest(digest)) throw only.member('digest').wrong('a sha256 digest')
  const annotations = only.member('annotations')
  return { digest: digest as Digest, identity: undefined, optional: annotations.absent ? {} : annotations.object() }
}
