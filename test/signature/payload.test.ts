import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Digest, digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { whyOther } from '../../src/signature/identity.ts'
import { identityText } from '../../src/signature/index.ts'
import { parsePayload, payloadOf } from '../../src/signature/payload.ts'

const digest = digestOf(Buffer.from('manifest'))
const other = digestOf(Buffer.from('another'))

describe('the payload of a signature', () => {
  test('what is written is read, and looks as cosign writes it', () => {
    const raw = payloadOf(digest, 'example.com/app:1', { annotations: { b: '2', a: '1' }, created: 5 })
    expect(raw.toString()).toBe(
      `{"critical":{"identity":{"docker-reference":"example.com/app:1"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":{"a":"1","b":"2","creator":"plyfs","timestamp":5}}`,
    )
    const optional = { a: '1', b: '2', creator: 'plyfs', timestamp: 5 }
    expect(parsePayload(raw)).toEqual({ digest, identity: 'example.com/app:1', optional })
  })

  test('what cosign writes is read, with nothing optional', () => {
    const raw = Buffer.from(
      `{"critical":{"identity":{"docker-reference":"index.docker.io/library/debian"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":null}`,
    )
    expect(parsePayload(raw)).toEqual({ digest, identity: 'index.docker.io/library/debian', optional: {} })
  })

  const good = {
    critical: {
      identity: { 'docker-reference': 'example.com/app' },
      image: { 'docker-manifest-digest': digest as string },
      type: 'cosign container image signature',
    },
    optional: {} as unknown,
  }
  const wrong: Readonly<Record<string, unknown>> = {
    'a condition that nobody here knows': { ...good, critical: { ...good.critical, until: '2020' } },
    'more beside it': { ...good, more: 1 },
    'another type': { ...good, critical: { ...good.critical, type: 'atomic container signature' } },
    'no digest': { ...good, critical: { ...good.critical, image: {} } },
    'a digest that is none': {
      ...good,
      critical: { ...good.critical, image: { 'docker-manifest-digest': 'sha256:1' } },
    },
    'no name': { ...good, critical: { ...good.critical, identity: {} } },
    'a list': [good],
    nothing: null,
    'a text for what is optional': { ...good, optional: 'x' },
  }
  for (const [name, value] of Object.entries(wrong)) {
    test(`${name} is refused`, () => {
      expect(() => parsePayload(Buffer.from(JSON.stringify(value)))).toThrow(
        expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }),
      )
    })
  }

  test('whatever is in it, it is read or refused with a code', () => {
    const check = (raw: Uint8Array) => {
      try {
        parsePayload(raw)
      } catch (error) {
        expect(['PLY_BAD_DOCUMENT', 'PLY_UNSUPPORTED']).toContain(codeOf(error))
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check))
    fc.assert(fc.property(fc.json(), (text) => check(Buffer.from(text))))
    check(Buffer.from('['.repeat(1 << 20)))
  })
})

describe('the name in a signature', () => {
  const same = (signed: string, asked: string, subject: Digest = digest) =>
    whyOther(signed, asked, subject) === undefined

  test('the repository has to be the same, and the tag where both have one', () => {
    expect(same('example.com/app:1', 'example.com/app:1')).toBe(true)
    expect(same('example.com/app', 'example.com/app:1')).toBe(true)
    expect(same('example.com/app:1', 'example.com/app')).toBe(true)
    expect(same('index.docker.io/library/debian', 'debian:12')).toBe(true)
    expect(same('docker.io/library/debian:12', 'debian:12')).toBe(true)
    expect(same('localhost:5000/app', 'localhost:5000/app:latest')).toBe(true)
    expect(same('example.com/app:1', 'example.com/app:2')).toBe(false)
    expect(same('example.com/app', 'example.org/app')).toBe(false)
    expect(same('example.com/app', 'example.com/app/more')).toBe(false)
    expect(same('example.com/app', 'example.com:5000/app')).toBe(false)
    expect(same('', 'example.com/app')).toBe(false)
    expect(same('Not A Name', 'example.com/app')).toBe(false)
    expect(same('any', 'example.com/app')).toBe(false)
  })

  test('a digest in it has to be the one', () => {
    expect(same(`example.com/app@${digest}`, 'example.com/app:1')).toBe(true)
    expect(same(`example.com/app@${other}`, 'example.com/app:1')).toBe(false)
  })

  test('any is any, also none at all', () => {
    expect(whyOther(undefined, 'any', digest)).toBeUndefined()
    expect(whyOther('Not A Name', 'any', digest)).toBeUndefined()
    expect(whyOther(undefined, 'example.com/app', digest)).toBeDefined()
  })

  test('what is signed has its registry, and a tag only if one was said', () => {
    expect(identityText('debian')).toBe('docker.io/library/debian')
    expect(identityText('example.com/app:1')).toBe('example.com/app:1')
    for (const text of ['any', '', 'A/B', 'x y'])
      expect(() => identityText(text)).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
  })
})
