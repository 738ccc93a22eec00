import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { privateKeyFrom, publicKeyFrom } from '../../src/signature/index.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'
import { allOf } from '../transport/registry/setting.ts'
import { openKey, publicKey, sealedKey, sealedPassphrase } from './sealed-fixture.ts'

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const pairs: readonly (readonly [string, () => Pair, string | null])[] = [
  ['ecdsa-p256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'sha256'],
  ['ecdsa-p384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sha256'],
  ['ecdsa-p521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'sha256'],
  ['rsa', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), 'sha256'],
  ['ed25519', () => generateKeyPairSync('ed25519'), null],
]
const publicPem = ({ publicKey: key }: Pair) => key.export({ type: 'spki', format: 'pem' }) as string
const privatePem = ({ privateKey: key }: Pair, passphrase?: string) =>
  key.export({ type: 'pkcs8', format: 'pem', ...(passphrase && { cipher: 'aes-256-cbc', passphrase }) }) as string
const message = Buffer.from('what is signed')

async function failure(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

describe('keys', () => {
  for (const [kind, make, hash] of pairs) {
    test(`${kind}: what is signed with one half holds with the other, and with OpenSSL`, async () => {
      const pair = make()
      const key = await privateKeyFrom(privatePem(pair))
      const other = publicKeyFrom(publicPem(pair))
      expect([key.public.kind, other.kind]).toEqual([kind, kind])
      expect(key.public.fingerprint).toBe(other.fingerprint)
      const signature = key.sign(message)
      expect(other.verifies(message, signature)).toBe(true)
      expect(verify(hash, message, pair.publicKey, signature)).toBe(true)
      expect(publicKeyFrom(publicPem(make())).verifies(message, signature)).toBe(false)
    })

    test(`${kind}: no bit of a signature or of what is signed can be turned over`, async () => {
      const pair = make()
      const signature = (await privateKeyFrom(privatePem(pair))).sign(message)
      const key = publicKeyFrom(publicPem(pair))
      const flipped = (bytes: Buffer, bit: number) => {
        const copy = Buffer.from(bytes)
        copy[bit >> 3]! ^= 1 << (bit & 7)
        return copy
      }
      for (let bit = 0; bit < signature.length * 8; bit += /256|25519/.test(kind) ? 1 : 23)
        expect(key.verifies(message, flipped(signature, bit))).toBe(false)
      for (let bit = 0; bit < message.length * 8; bit += /256|25519/.test(kind) ? 1 : 13)
        expect(key.verifies(flipped(message, bit), signature)).toBe(false)
    })

    test(`${kind}: an encrypted private key opens with its passphrase alone`, async () => {
      const pair = make()
      const pem = privatePem(pair, 'open sesame')
      const key = await privateKeyFrom(pem, { passphrase: 'open sesame' })
      expect(publicKeyFrom(publicPem(pair)).verifies(message, key.sign(message))).toBe(true)
      expect(codeOf(await failure(() => privateKeyFrom(pem)))).toBe('PLY_BAD_KEY')
      const wrong = await failure(() => privateKeyFrom(pem, { passphrase: 'close sesame' }))
      expect(codeOf(wrong)).toBe('PLY_BAD_KEY')
      expect(allOf(wrong)).not.toMatch(/sesame/)
    })
  }

  test('newer versions of cosign sign with the hash of the curve: that holds too', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const signature = sign('sha384', message, pair.privateKey)
    expect(publicKeyFrom(publicPem(pair)).verifies(message, signature)).toBe(true)
    expect(publicKeyFrom(publicPem(pair)).verifies(message, sign('sha1', message, pair.privateKey))).toBe(false)
  })

  test('what is no signature is none, and nothing throws', () => {
    const key = publicKeyFrom(publicKey)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => !key.verifies(message, bytes)))
  })

  test('what is no public key is refused, whatever it is', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const strange = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    const agreeing = generateKeyPairSync('x25519')
    const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
    const bad = ['', 'nothing', openKey, sealedKey, 'x'.repeat(1 << 20), publicPem(weak), publicPem(strange)]
    for (const pem of [...bad, publicPem(agreeing), publicPem(pss), publicKey.replace('MFkw', 'MFkx')])
      expect(() => publicKeyFrom(pem)).toThrow(expect.objectContaining({ code: 'PLY_BAD_KEY' }))
    const body = Buffer.from(publicKey.split('\n').slice(1, -2).join(''), 'base64')
    const asPem = (der: Uint8Array) =>
      `-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PUBLIC KEY-----\n`
    for (let bit = 0; bit < body.length * 8; bit++) {
      const copy = Buffer.from(body)
      copy[bit >> 3]! ^= 1 << (bit & 7)
      // Hardly any point beside it is on the curve; the same point may be written in another form.
      try {
        expect(publicKeyFrom(asPem(copy)).kind).toBe('ecdsa-p256')
      } catch (error) {
        expect(codeOf(error)).toBe('PLY_BAD_KEY')
      }
    }
  })

  test('a private key shows nothing of itself', async () => {
    const key = await privateKeyFrom(openKey)
    const shown = `${inspect(key, { depth: 9, showHidden: true })}${JSON.stringify(key)}`
    const secret = Buffer.from(openKey.split('\n').slice(1, -2).join(''), 'base64')
    for (const form of ['base64', 'hex'] as const) expect(shown).not.toContain(secret.toString(form).slice(48, 80))
    const broken = openKey.replace('Jl', 'kl').replace('MIGH', 'MIGX')
    const error = await failure(() => privateKeyFrom(broken))
    expect(codeOf(error)).toBe('PLY_BAD_KEY')
    expect(allOf(error)).not.toContain(broken.split('\n')[1])
  })

  test("cosign's sealed form opens with its passphrase alone, and costs no more than it may", async () => {
    const key = await privateKeyFrom(sealedKey, { passphrase: sealedPassphrase })
    expect(publicKeyFrom(publicKey).verifies(message, key.sign(message))).toBe(true)
    const wrong = await failure(() => privateKeyFrom(sealedKey, { passphrase: 'guess' }))
    expect(codeOf(wrong)).toBe('PLY_BAD_KEY')
    expect(allOf(wrong)).not.toContain('guess')
    expect(codeOf(await failure(() => privateKeyFrom(sealedKey)))).toBe('PLY_BAD_KEY')
    const lines = sealedKey.split('\n')
    const json = JSON.parse(Buffer.from(lines.slice(1, -2).join(''), 'base64').toString())
    const sealed = (change: (copy: typeof json) => void) => {
      const copy = structuredClone(json)
      change(copy)
      return `${lines[0]}\n${Buffer.from(JSON.stringify(copy)).toString('base64')}\n${lines.at(-2)}\n`
    }
    const hostile = [
      sealed((copy) => (copy.kdf.params.N = 2 ** 30)),
      sealed((copy) => (copy.kdf.params.N = 1000)),
      sealed((copy) => (copy.kdf.params.r = 1e9)),
      sealed((copy) => (copy.kdf.name = 'none')),
      sealed((copy) => (copy.cipher.nonce = '')),
      sealed((copy) => (copy.ciphertext = `A${copy.ciphertext.slice(1)}`)),
      sealed((copy) => (copy.ciphertext = '')),
      sealed((copy) => delete copy.kdf),
    ]
    for (const pem of hostile)
      expect(codeOf(await failure(() => privateKeyFrom(pem, { passphrase: sealedPassphrase })))).toBe('PLY_BAD_KEY')
  })

  const openssl = testIf(hasProgram('openssl'), 'openssl is not installed')
  openssl('openssl checks what was signed here, and what openssl has signed holds here', async () => {
    const directory = temporary()
    const path = (name: string) => join(directory, name)
    writeFileSync(path('key.pem'), openKey)
    writeFileSync(path('key.pub'), publicKey)
    writeFileSync(path('message'), message)
    const run = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })
    writeFileSync(path('ours'), (await privateKeyFrom(openKey)).sign(message))
    expect(run('dgst', '-sha256', '-verify', path('key.pub'), '-signature', path('ours'), path('message')).trim()).toBe(
      'Verified OK',
    )
    const theirs = execFileSync('openssl', ['dgst', '-sha256', '-sign', path('key.pem'), path('message')])
    expect(publicKeyFrom(publicKey).verifies(message, theirs)).toBe(true)
    run(
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-aes256',
      '-pass',
      'pass:word',
      '-out',
      path('sealed.pem'),
    )
    const sealed = execFileSync('cat', [path('sealed.pem')])
    expect((await privateKeyFrom(sealed, { passphrase: 'word' })).public.kind).toBe('ecdsa-p256')
  })
})
