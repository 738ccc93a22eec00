import type { Digest } from '../model/digest.ts'
import { Field, type JsonObject } from '../model/field.ts'
import { canonicalJson, parseJson } from '../model/json.ts'

/** The type of a payload (SIGNATURE_SPEC.md, simple signing). */
export const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json'
/** Where its signature is, on the descriptor of the payload. */
export const signatureAnnotation = 'dev.cosignproject.cosign/signature'

const type = 'cosign container image signature'
/** Bytes. Real ones have a few hundred. */
export const payloadLimit = 1 << 20

/** What somebody has put their key to. */
export interface Claim {
  /** What they vouch for: a manifest or an index. */
  readonly digest: Digest
  /** The name that it has for them: `HOST/NAME[:TAG]`. `undefined` where the form has no place for one. */
  readonly identity: string | undefined
  /** Who made it, when, and what else they say. */
  readonly optional: JsonObject
}

/**
 * The bytes to sign: keys in their order and no white space, as Go's encoder writes them. `created` is in seconds since 1970.
 */
export function payloadOf(
  digest: Digest,
  identity: string,
  { annotations, created }: { readonly annotations: Readonly<Record<string, string>>; readonly created: number },
): Buffer {
  return canonicalJson({
    critical: {
      identity: { 'docker-reference': identity },
      image: { 'docker-manifest-digest': digest },
      type,
    },
    optional: { ...annotations, creator: 'plyfs', timestamp: created },
  })
}

/**
 * What a payload says. Everything that matters is there and nothing else, as containers/image has it: what somebody has signed that this
 * version does not know may be a condition. @throws PLY_BAD_DOCUMENT
 */
export function parsePayload(raw: Uint8Array): Claim {
  const root = new Field('the payload', '', parseJson(raw, 'the payload', payloadLimit))
  const [critical, optional] = [exactly(root, ['critical'], ['optional']).member('critical'), root.member('optional')]
  exactly(critical, ['identity', 'image', 'type'])
  if (critical.member('type').text() !== type) throw critical.member('type').wrong(JSON.stringify(type))
  const image = exactly(critical.member('image'), ['docker-manifest-digest'])
  const identity = exactly(critical.member('identity'), ['docker-reference'])
  return {
    digest: image.member('docker-manifest-digest').digest(),
    identity: identity.member('docker-reference').text(),
    optional: optional.absent ? {} : optional.object(),
  }
}

function exactly(field: Field, names: readonly string[], more: readonly string[] = []): Field {
  const other = Object.keys(field.object()).find((name) => !names.includes(name) && !more.includes(name))
  if (other !== undefined) throw field.member(other).bad('is not known')
  return field
}
