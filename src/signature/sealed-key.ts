import { scrypt } from 'node:crypto'
import { codeOf } from '../model/errors.ts'
import { Field } from '../model/field.ts'
import { parseJson } from '../model/json.ts'
import { badKey, keyLimit } from './keys.ts'

const labels = ['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY']
/** The most memory that a key may ask for: cosign's take 64 MiB. */
const mostMemory = 512 << 20

export function isSealed(label: string): boolean {
  return labels.includes(label)
}

/**
 * What a sealed key of cosign holds: PKCS#8 in NaCl's secretbox (XSalsa20-Poly1305) under scrypt, as JSON in the PEM
 * (go-securesystemslib, encrypted). `body` is the text between the lines of the PEM. The caller wipes the answer.
 *
 * @throws PLY_BAD_KEY
 */
export async function openSealed(body: string, passphrase: Uint8Array, what: string): Promise<Buffer> {
  const { N, r, p, salt, nonce, ciphertext } = envelopeIn(body, what)
  // OpenSSL has no XSalsa20. Loaded for such a key alone.
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
  const key = await derived(passphrase, salt, { N, r, p })
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(ciphertext))
  } catch {
    throw badKey(what, 'the passphrase is wrong, or its bytes are damaged')
  } finally {
    key.fill(0)
  }
}

interface Envelope {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

function envelopeIn(body: string, what: string): Envelope {
  try {
    const root = new Field(what, '', parseJson(Buffer.from(body, 'base64'), what, keyLimit))
    const [kdf, cipher] = [root.member('kdf'), root.member('cipher')]
    if (kdf.member('name').text() !== 'scrypt') throw kdf.member('name').wrong('"scrypt"')
    if (cipher.member('name').text() !== 'nacl/secretbox') throw cipher.member('name').wrong('"nacl/secretbox"')
    const params = kdf.member('params')
    const [N, r, p] = (['N', 'r', 'p'] as const).map((name) => params.member(name).size()) as [number, number, number]
    // Whoever made the key decides what it costs to try: within bounds.
    const sound = N >= 2 && N <= 1 << 22 && (N & (N - 1)) === 0 && r >= 1 && r <= 64 && p >= 1 && p <= 16
    if (!sound || 128 * N * r > mostMemory) throw params.bad('ask for more than a key may cost')
    const bytes = (field: Field) => Buffer.from(field.text(), 'base64')
    const envelope = { salt: bytes(kdf.member('salt')), nonce: bytes(cipher.member('nonce')) }
    if (envelope.nonce.length !== 24) throw cipher.member('nonce').bad('has not 24 bytes')
    return { N, r, p, ...envelope, ciphertext: bytes(root.member('ciphertext')) }
  } catch (error) {
    // The text is told, not the key: a field's value may be part of a secret.
    if (codeOf(error) === 'PLY_BAD_DOCUMENT') throw badKey(what, 'its envelope is not as cosign writes it')
    throw error
  }
}

function derived(
  passphrase: Uint8Array,
  salt: Uint8Array,
  { N, r, p }: Pick<Envelope, 'N' | 'r' | 'p'>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, key: Buffer) => (error ? reject(error) : resolve(key))
    scrypt(passphrase, salt, 32, { N, r, p, maxmem: mostMemory + (64 << 20) }, done)
  })
}
