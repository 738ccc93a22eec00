import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'

/** The schemes that there are. No signature says which it is: that follows from the key. */
export type KeyKind = 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa' | 'ed25519'

/** A public key, to check signatures with. */
export interface VerifyingKey {
  readonly kind: KeyKind
  /** The SHA-256 of the key in its PKIX form: what people compare. */
  readonly fingerprint: Digest
  /** Whether a signature over a message is by this key. Never throws: what is no signature is none by this key. */
  verifies(message: Uint8Array, signature: Uint8Array): boolean
}

/** A private key. Nothing of it shows in a message, a log or JSON. */
export interface SigningKey {
  readonly public: VerifyingKey
  sign(message: Uint8Array): Buffer
}

/** Files of keys stay far below. */
export const keyLimit = 64 << 10
/** As NIST and OpenSSL have it; a 1024-bit key can be factored. */
const leastRsa = 2048
const mostRsa = 16_384

const curves: Readonly<Record<string, KeyKind>> = {
  prime256v1: 'ecdsa-p256',
  secp384r1: 'ecdsa-p384',
  secp521r1: 'ecdsa-p521',
}

/**
 * Cosign's format takes SHA-256 whatever the key (SIGNATURE_SPEC.md, hashing algorithms), and newer versions of cosign the hash that goes
 * with the curve.
 */
const hashes: Readonly<Record<KeyKind, readonly (string | null)[]>> = {
  'ecdsa-p256': ['sha256'],
  'ecdsa-p384': ['sha256', 'sha384'],
  'ecdsa-p521': ['sha256', 'sha512'],
  rsa: ['sha256'],
  ed25519: [null],
}

/**
 * A public key as `openssl` and `cosign` write it: PEM, PKIX (`BEGIN PUBLIC KEY`). ECDSA over P-256, P-384 or P-521, RSA of 2048 bits and
 * more, or Ed25519. `what` is for messages.
 *
 * @throws PLY_BAD_KEY
 */
export function publicKeyFrom(pem: string | Uint8Array, what = 'the public key'): VerifyingKey {
  const { label, text } = pemIn(pem, what)
  if (label.endsWith('PRIVATE KEY'))
    throw badKey(what, 'it is a private one; give the public one, which may be shown to anybody')
  if (label !== 'PUBLIC KEY')
    throw badKey(what, `it is a ${label}; a public key begins with -----BEGIN PUBLIC KEY-----`)
  let key: KeyObject
  try {
    key = createPublicKey({ key: text, format: 'pem' })
  } catch (error) {
    throw badKey(what, 'its bytes are no key', error)
  }
  return verifyingKey(key, what)
}

function verifyingKey(key: KeyObject, what: string): VerifyingKey {
  const kind = kindOf(key, what)
  const fingerprint = `sha256:${createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')}` as Digest
  return {
    kind,
    fingerprint,
    verifies: (message, signature) =>
      hashes[kind].some((hash) => {
        try {
          return verify(hash, message, key, signature)
        } catch {
          // OpenSSL throws for some of what is no signature, and says no to the rest.
          return false
        }
      }),
  }
}

/** A private key that is open. */
export function signingKey(key: KeyObject, what: string): SigningKey {
  const shown = verifyingKey(createPublicKey(key), what)
  const [hash] = hashes[shown.kind]
  return { public: shown, sign: (message) => sign(hash, message, key) }
}

/** The first key in a text. @throws PLY_BAD_KEY */
export function pemIn(
  pem: string | Uint8Array,
  what: string,
): { readonly label: string; readonly text: string; readonly body: string } {
  if (pem.length > keyLimit) throw badKey(what, `it is larger than ${keyLimit} bytes`)
  const text = typeof pem === 'string' ? pem : Buffer.from(pem.buffer, pem.byteOffset, pem.length).toString('latin1')
  const [whole, label, body] = /-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n([^-]*)-----END \1-----/.exec(text) ?? []
  if (whole === undefined || label === undefined || body === undefined)
    throw badKey(what, 'it is no PEM: nothing in it is between -----BEGIN … and -----END …')
  return { label, text: `${whole}\n`, body }
}

/** The cause is left out where it may quote what is secret. */
export function badKey(what: string, reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_BAD_KEY', { what, reason }, cause === undefined ? undefined : { cause })
}

function kindOf(key: KeyObject, what: string): KeyKind {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ed25519') return 'ed25519'
  if (type === 'ec') {
    const kind = curves[details?.namedCurve ?? '']
    if (kind !== undefined) return kind
    throw badKey(what, `its curve is ${details?.namedCurve ?? 'unnamed'}; P-256, P-384 and P-521 are used`)
  }
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0
    if (bits >= leastRsa && bits <= mostRsa) return 'rsa'
    throw badKey(what, `it has ${bits} bits; RSA keys have ${leastRsa} to ${mostRsa}`)
  }
  throw badKey(what, `it is for ${type ?? 'something unknown'}; keys are ECDSA, RSA or Ed25519`)
}
