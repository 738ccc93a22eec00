import { createPrivateKey, type KeyObject } from 'node:crypto'
import { badKey, pemIn, type SigningKey, signingKey } from './keys.ts'
import { isSealed, openSealed } from './sealed-key.ts'

/** What it takes to open a private key. */
export interface PrivateKeyOptions {
  /** What the key is encrypted with. Not looked at where it is not. */
  readonly passphrase?: string | Uint8Array | undefined
  /** For messages: where the key is. */
  readonly what?: string | undefined
}

const plain = ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']

/**
 * A private key: PEM in PKCS#8 (`BEGIN PRIVATE KEY`, or `BEGIN ENCRYPTED PRIVATE KEY`), the older forms of openssl for EC and RSA, or
 * what `cosign generate-key-pair` and `skopeo generate-sigstore-key` write (`BEGIN ENCRYPTED SIGSTORE PRIVATE KEY`).
 *
 * @throws PLY_BAD_KEY: no such key, a passphrase that is missing or wrong; never with anything of the key in it
 */
export async function privateKeyFrom(
  pem: string | Uint8Array,
  { passphrase, what = 'the private key' }: PrivateKeyOptions = {},
): Promise<SigningKey> {
  const { label, text, body } = pemIn(pem, what)
  if (label === 'PUBLIC KEY') throw badKey(what, 'it is a public one; it takes the private one to sign')
  if (isSealed(label)) {
    if (passphrase === undefined) throw missing(what)
    const der = await openSealed(body, Buffer.from(passphrase), what)
    try {
      return signingKey(read({ key: der, format: 'der', type: 'pkcs8' }, what), what)
    } finally {
      der.fill(0)
    }
  }
  const encrypted = label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(body)
  if (!encrypted && !plain.includes(label))
    throw badKey(what, `it is a ${label}; convert it to PKCS#8 with: openssl pkcs8 -topk8 -in KEY -out KEY.pem`)
  if (!encrypted) return signingKey(read({ key: text, format: 'pem' }, what), what)
  if (passphrase === undefined) throw missing(what)
  const key = read(
    { key: text, format: 'pem', passphrase: Buffer.from(passphrase) },
    what,
    'the passphrase is wrong, or its bytes are no key',
  )
  return signingKey(key, what)
}

/** What OpenSSL says is kept to itself: it is about secrets. */
function read(input: Parameters<typeof createPrivateKey>[0], what: string, reason = 'its bytes are no key'): KeyObject {
  try {
    return createPrivateKey(input)
  } catch {
    throw badKey(what, reason)
  }
}

function missing(what: string) {
  return badKey(what, 'it is encrypted, and there is no passphrase')
}
