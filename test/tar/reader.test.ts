import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { type Member, scanTar } from '../../src/tar/index.ts'
import { archive, base256, content, gnu, header, long, member, pax, record, zeroBlock } from './raw.ts'
import { readAll, refusal, ruleOf } from './read.ts'

function only(...parts: readonly Uint8Array[]): Member {
  const { members } = readAll(archive(...parts))
  expect(members).toHaveLength(1)
  return members[0]!
}

const rules = (warnings: readonly { readonly rule: string }[]) => warnings.map(({ rule }) => rule)

describe('entry types', () => {
  test.each(['0', '\0', '7'])('T-01: type flag %j is a regular file', (type) => {
    expect(only(member({ type }, 'abc'))).toMatchObject({ type: '0', size: 3, name: 'file', data: 512, header: 0 })
  })

  test.each(['1', '2'])('T-01: type flag %j has a link text', (type) => {
    expect(only(member({ type, linkName: 'a/b' }))).toMatchObject({ type, linkName: 'a/b' })
  })

  test.each(['3', '4'])('T-01: type flag %j has device numbers', (type) => {
    expect(only(member({ type, major: 8, minor: 300 }))).toMatchObject({ type, major: 8, minor: 300 })
  })

  test('T-02: a NUL type with a trailing slash is a directory, type 0 with one is a file and a warning', () => {
    expect(only(member({ type: '\0', name: 'd/', magic: '' })).type).toBe('5')
    const file = only(member({ name: 'd/' }))
    expect(file.type).toBe('0')
    expect(rules(file.warnings)).toEqual(['T-02'])
  })

  test('T-05: an empty volume header is ignored, any other unknown type is refused', () => {
    const { members, warnings } = readAll(archive(member({ type: 'V', name: 'label' }), member({ name: 'a' })))
    expect(members.map(({ name }) => name)).toEqual(['a'])
    expect(rules(warnings)).toEqual(['T-05'])
    for (const type of ['A', 'D', 'M', 'N', 'X', '8', '\xff']) expect(refusal(archive(member({ type })))).toBe('T-05')
    expect(refusal(archive(member({ type: 'V' }, 'x')))).toBe('T-05')
  })

  test.each(['1', '2', '3', '4', '5', '6'])('T-06: type %s takes no content whatever its size says', (type) => {
    const { members } = readAll(archive(header({ type, size: 512, linkName: 'x' }), member({ name: 'next' })))
    expect(members.map(({ name, size }) => [name, size])).toEqual([
      ['file', 0],
      ['next', 0],
    ])
    expect(rules(members[0]!.warnings)).toEqual(['T-06'])
  })

  test('T-07: device numbers outside 12 and 20 bits are refused, on devices only', () => {
    expect(refusal(archive(member({ type: '3', major: 4095, minor: 1048575 })))).toBeUndefined()
    expect(refusal(archive(member({ type: '3', major: 4096 })))).toBe('T-07')
    expect(refusal(archive(member({ type: '4', minor: 1048576 })))).toBe('T-07')
    expect(refusal(archive(member({ type: '4', minor: base256(-1n, 8) })))).toBe('T-07')
    expect(refusal(archive(member({ type: '5', major: 4096 })))).toBeUndefined()
  })
})

describe('numbers', () => {
  test.each([
    ['0000644\0', 0o644],
    ['   644 \0', 0o644],
    ['644', 0o644],
    ['\0\x00644 ', 0o644],
    ['644\0junk', 0o644],
    ['', 0],
    ['       \0', 0],
    ['77777777', 0o77777777],
  ])('F-01: the octal field %j is %i', (uid, value) => {
    expect(only(member({ uid })).uid).toBe(value)
  })

  test.each(['8', '12 34', '0x1', '-1', '1.5', '64a'])('F-01: %j is not a number', (uid) => {
    expect(refusal(archive(member({ uid })))).toBe('F-01')
  })

  test('F-01: base-256 numbers have a sign and at most 64 bits', () => {
    expect(only(member({ mtime: base256(-5n, 12) })).mtime).toBe(-5_000_000_000n)
    expect(only(member({ mtime: base256(2n ** 63n - 1n, 12) })).mtime).toBe((2n ** 63n - 1n) * 1_000_000_000n)
    expect(only(member({ mtime: base256(-(2n ** 63n), 12) })).mtime).toBe(-(2n ** 63n) * 1_000_000_000n)
    expect(refusal(archive(member({ mtime: base256(2n ** 63n, 12) })))).toBe('F-01')
    expect(refusal(archive(member({ mtime: base256(-(2n ** 63n) - 1n, 12) })))).toBe('F-01')
    expect(only(member({ uid: base256(4294967294n, 8) })).uid).toBe(4294967294)
  })

  test('F-02: negative sizes and owners out of range are refused, and modes are cut to 12 bits', () => {
    expect(refusal(archive(header({ size: base256(-1n, 12) })))).toBe('F-02')
    expect(refusal(archive(header({ size: base256(2n ** 60n, 12) })))).toBe('Z-04')
    expect(refusal(archive(pax({ size: '-1' }), header()))).toBe('F-02')
    expect(refusal(archive(member({ uid: base256(-1n, 8) })))).toBe('F-02')
    expect(refusal(archive(member({ gid: base256(4294967295n, 8) })))).toBe('F-02')
    expect(refusal(archive(pax({ uid: '4294967295' }), member({})))).toBe('F-02')
    expect(only(member({ mode: 0o104755 })).mode).toBe(0o4755)
    expect(only(member({ mode: base256(-1n, 8) })).mode).toBe(0o7777)
  })

  test('F-03: the unsigned or the signed checksum may match, no other', () => {
    expect(only(member({ name: 'caf\xe9', checksum: 'signed' })).name).toBe('caf\xe9')
    expect(refusal(archive(member({ checksum: 12345 })))).toBe('F-03')
    expect(refusal(Buffer.from('this is a text file, not an archive\n'.repeat(40)))).toBe('F-03')
  })

  test('M-01: times of extended headers are exact to the nanosecond, with a sign, digits beyond nine cut', () => {
    const time = (mtime: string) => only(pax({ mtime }), member({})).mtime
    expect(time('1700000000.123456789')).toBe(1700000000123456789n)
    expect(time('1.5')).toBe(1500000000n)
    expect(time('1.')).toBe(1000000000n)
    expect(time('-1.5')).toBe(-1500000000n)
    expect(time('-0.000000001')).toBe(-1n)
    expect(time('1.9999999999')).toBe(1999999999n)
    expect(time('9223372036854775807')).toBe((2n ** 63n - 1n) * 1_000_000_000n)
    for (const bad of ['x', '1,5', '--1', '1.2.3', '9223372036854775808', '']) {
      if (bad === '') expect(time(bad)).toBe(0n)
      else expect(refusal(archive(pax({ mtime: bad }), member({})))).toBe('M-01')
    }
  })
})

describe('layouts', () => {
  test('F-04: the prefix counts with ustar magic only, and star has a shorter one', () => {
    expect(only(member({ name: 'b', prefix: 'a' })).name).toBe('a/b')
    expect(only(member({ name: 'b', prefix: 'a', magic: gnu })).name).toBe('b')
    expect(only(member({ name: 'b', prefix: 'a', magic: '' })).name).toBe('b')
    const star = `${'p'.repeat(131)}${'0'.repeat(32)}tar\0`
    expect(only(member({ name: 'b', tail: star })).name).toBe(`${'p'.repeat(131)}/b`)
  })

  test('F-05: fields filled to their last byte have no NUL', () => {
    const name = 'n'.repeat(100)
    const prefix = 'p'.repeat(155)
    const linkName = 'l'.repeat(100)
    expect(only(member({ name, prefix, linkName, type: '2' }))).toMatchObject({ name: `${prefix}/${name}`, linkName })
  })

  test('F-06: a GNU long name wins over a PAX path, which wins over the header, in any order', () => {
    const file = member({ name: 'header', type: '2', linkName: 'to-header' })
    const byPax = pax({ path: 'pax', linkpath: 'to-pax' })
    expect(only(byPax, file)).toMatchObject({ name: 'pax', linkName: 'to-pax' })
    for (const parts of [
      [byPax, long('L', 'gnu'), long('K', 'to-gnu')],
      [long('K', 'to-gnu'), long('L', 'gnu'), byPax],
    ]) {
      expect(only(...parts, file)).toMatchObject({ name: 'gnu', linkName: 'to-gnu', header: 0 })
    }
  })

  test('N-06: a NUL in a name or link text is refused; in a header field it ends the text', () => {
    expect(only(member({ name: 'a\0b' })).name).toBe('a')
    expect(refusal(archive(pax({ path: 'a\0b' }), member({})))).toBe('N-06')
    expect(refusal(archive(pax({ linkpath: 'a\0b' }), member({ type: '2' })))).toBe('N-06')
    expect(refusal(archive(long('L', 'a\0b'), member({})))).toBe('N-06')
  })

  test('N-07: names are bytes: every byte but NUL survives in the header and in records', () => {
    const bytes = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).join('')
    expect(only(member({ name: bytes.slice(155) })).name).toBe(bytes.slice(155))
    expect(only(pax({ path: bytes, hdrcharset: 'BINARY' }), member({})).name).toBe(bytes)
    expect(only(long('L', bytes), member({})).name).toBe(bytes)
  })
})

describe('extended headers', () => {
  test('P-01: values hold newlines, equal signs and NULs, and lengths cross every digit', () => {
    const value = 'a=b\n7 c=d\n\0'
    expect(only(pax({ 'SCHILY.xattr.user.x': value }), member({})).xattrs.get('user.x')).toEqual(
      new Uint8Array(Buffer.from(value, 'latin1')),
    )
    for (const length of [1, 2, 85, 86, 87, 88, 980, 985, 986, 987, 988, 989, 990]) {
      expect(only(pax({ path: 'n'.repeat(length) }), member({})).name).toHaveLength(length)
    }
  })

  test.each([
    'path=x\n',
    '9 path=x\n1',
    '99 path=x\n',
    '8 path=x\n',
    '9 path=xy',
    '9path=xx\n',
    ' 9 path=x\n',
    '-9 path=x\n',
    '4 =\n',
    '5 =x\n',
    '6 path\n',
    '9999999999999999999 path=x\n',
    '0 path=x\n',
    `${record('path', 'x')}\0\0`,
  ])('P-02: the record %j is malformed', (text) => {
    expect(refusal(archive(pax(text), member({})))).toBe('P-02')
  })

  test('P-03, P-04: an empty value takes a key back, a repeated key counts by its last', () => {
    expect(only(pax({ path: '', uid: '' }), member({ uid: 7 }))).toMatchObject({ name: 'file', uid: 7 })
    const twice = record('path', 'first') + record('path', 'second')
    expect(only(pax(twice), member({})).name).toBe('second')
    expect(only(pax(`${twice}${record('path', '')}`), member({})).name).toBe('file')
  })

  test('P-05: a second extended header replaces the first completely', () => {
    const found = only(pax({ path: 'one', uid: '5' }), pax({ gid: '6' }), member({}))
    expect(found).toMatchObject({ name: 'file', uid: 0, gid: 6, header: 0 })
    expect(rules(found.warnings)).toEqual(['P-05'])
  })

  test('P-06: sizes and owners of an extended header count for framing and attributes', () => {
    const { members } = readAll(
      archive(pax({ size: '3', uid: '3000000', gid: '4' }), header({ size: 0 }), content('abc'), member({ name: 'z' })),
    )
    expect(members[0]).toMatchObject({ size: 3, uid: 3000000, gid: 4, header: 0, data: 1536 })
    expect(members[1]).toMatchObject({ name: 'z', header: 2048 })
  })

  test('P-08: global headers have no effect, and a warning if they would have had one', () => {
    const { members, warnings } = readAll(
      archive(pax({ path: 'no', comment: 'x' }, 'g'), member({ name: 'a' }), pax({ comment: 'x' }, 'g'), member({})),
    )
    expect(members.map(({ name }) => name)).toEqual(['a', 'file'])
    expect(rules(warnings)).toEqual(['P-08'])
  })

  test('P-09: long names and extended headers above 1 MiB are refused before they are read', () => {
    for (const type of ['L', 'K', 'x', 'g']) {
      expect(refusal(header({ type, size: (1 << 20) + 1 }))).toBe('P-09')
      expect(refusal(header({ type, size: base256(-1n, 12) }))).toBe('F-02')
    }
    expect(only(long('L', 'n'.repeat((1 << 20) - 1)), member({})).name).toHaveLength((1 << 20) - 1)
  })

  test('P-10: an extended or long-name header needs an entry after it', () => {
    for (const part of [pax({ path: 'x' }), long('L', 'x'), long('K', 'x')]) {
      expect(refusal(archive(part))).toBe('P-10')
      expect(refusal(part)).toBe('P-10')
    }
    expect(refusal(archive(pax({ comment: 'x' }, 'g')))).toBeUndefined()
  })

  test('X-01, X-02: xattrs come raw or encoded, and may not disagree', () => {
    const both = only(
      pax({
        'SCHILY.xattr.user.a': '\x01\x80',
        'LIBARCHIVE.xattr.user.a': 'AYA=',
        'LIBARCHIVE.xattr.user.%C3%A9': 'eA',
      }),
      member({}),
    )
    expect([...both.xattrs].map(([name, value]) => [name, [...value]])).toEqual([
      ['user.a', [1, 128]],
      ['user.\xc3\xa9', [120]],
    ])
    const refused = (records: Record<string, string>) => refusal(archive(pax(records), member({})))
    expect(refused({ 'SCHILY.xattr.user.a': 'x', 'LIBARCHIVE.xattr.user.a': 'AYA=' })).toBe('X-02')
    expect(refused({ 'LIBARCHIVE.xattr.user.a': '!!' })).toBe('X-01')
    expect(refused({ 'SCHILY.xattr.': 'x' })).toBe('X-01')
  })
})

describe('framing', () => {
  test.each([
    ['two zero blocks', archive(member({}, 'abc'))],
    ['one zero block', Buffer.concat([member({}, 'abc'), zeroBlock])],
    ['nothing', member({}, 'abc')],
    ['no padding', member({}, 'abc').subarray(0, 515)],
    ['twenty zero blocks', Buffer.concat([member({}, 'abc'), Buffer.alloc(20 * 512)])],
    ['zeros that are no whole block', Buffer.concat([archive(member({}, 'abc')), Buffer.alloc(100)])],
  ])('Q-02, Q-03: an archive may end with %s', (_, bytes) => {
    const { members, warnings } = readAll(bytes)
    expect(members).toHaveLength(1)
    expect(warnings).toEqual([])
    expect([...scanTar(memoryBytes(bytes))]).toEqual(members)
  })

  test('Q-02: a header after one zero block is refused', () => {
    expect(refusal(Buffer.concat([member({}), zeroBlock, member({})]))).toBe('Q-02')
  })

  test('Q-04: bytes after the end marker count only if they are not zero, and once', () => {
    const { members, warnings } = readAll(Buffer.concat([archive(member({})), Buffer.alloc(700, 1)]), 100)
    expect(members).toHaveLength(1)
    expect(rules(warnings)).toEqual(['Q-04'])
  })

  test('Q-05: an archive without entries, or without bytes, is one', () => {
    expect(readAll(archive())).toEqual({ members: [], warnings: [] })
    expect(readAll(new Uint8Array(0))).toEqual({ members: [], warnings: [] })
    expect([...scanTar(memoryBytes(new Uint8Array(0)))]).toEqual([])
  })

  test('Z-04: an archive that ends inside a header or inside content is refused', () => {
    const whole = Buffer.concat([member({}, 'x'.repeat(600)), pax({ path: 'a' }), member({})])
    for (let size = 1; size < whole.length; size++) {
      const expected =
        size < 512 ? 'Z-04' : size < 1112 ? 'Z-04' : size <= 1536 ? undefined : size < 2048 ? 'Z-04' : 'other'
      const found = ruleOf(() => readAll(whole.subarray(0, size)))
      if (expected === 'other') expect(found).toMatch(/Z-04|P-10/)
      else expect(found, `cut at ${size}`).toBe(expected)
      expect(refusal(whole.subarray(0, size))).toBe(found)
    }
  })
})

describe('chunks', () => {
  const bytes = archive(
    member({ name: 'a' }, 'x'.repeat(1000)),
    pax({ path: 'p'.repeat(600), 'SCHILY.xattr.user.x': 'v' }),
    member({ name: 'b' }, 'y'.repeat(512)),
    long('L', 'l'.repeat(700)),
    long('K', 'k'.repeat(511)),
    member({ name: 'c', type: '2', magic: gnu }),
  )

  test('the members do not depend on how the archive is cut into chunks', () => {
    const whole = readAll(bytes)
    expect(whole.members).toHaveLength(3)
    expect([...scanTar(memoryBytes(bytes))]).toEqual(whole.members)
    for (const size of [1, 7, 511, 512, 513, 1000, 4096]) expect(readAll(bytes, size)).toEqual(whole)
  })

  test('a scan reads the headers of large members and not their content', () => {
    const sizes = [5_000_000, 1, 3_000_000]
    const big = archive(...sizes.map((size, i) => member({ name: `f${i}` }, Buffer.alloc(size))))
    let read = 0
    const source = memoryBytes(big)
    const counted = {
      ...source,
      read(into: Uint8Array, at: number) {
        read += into.length
        return source.read(into, at)
      },
    }
    expect([...scanTar(counted)].map(({ size }) => size)).toEqual(sizes)
    expect(read).toBeLessThan(100_000)
  })

  test('hostile archives are refused with a PlyError or read, and nothing else', () => {
    const parts = fc.oneof(
      fc.constantFrom(zeroBlock, pax({ path: 'a/b' }), pax({ size: '600' }), long('L', 'x'), member({}, 'abc')),
      fc
        .record({
          name: fc.string({ maxLength: 20 }),
          type: fc.constantFrom(...'01234567LKxgVSA\0'),
          size: fc.oneof(
            fc.nat(2000),
            fc.constantFrom(base256(-1n, 12), base256(2n ** 63n - 1n, 12), '99999999999', '77777777777'),
          ),
          mtime: fc.oneof(fc.nat(), fc.constant('\xff'.repeat(12))),
          magic: fc.constantFrom(gnu, '', 'ustar\x0000'),
          checksum: fc.constantFrom(undefined, undefined, undefined, 1),
        })
        .map(({ checksum, ...fields }) => header(checksum === undefined ? fields : { ...fields, checksum })),
      fc.uint8Array({ maxLength: 1200 }),
      fc.string({ maxLength: 600 }).map((text) => pax(text)),
    )
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), fc.integer({ min: 1, max: 2000 }), (blocks, size) => {
        const bytes = Buffer.concat(blocks)
        const whole = outcome(() => readAll(bytes))
        expect(outcome(() => readAll(bytes, size))).toEqual(whole)
      }),
      { numRuns: 500 },
    )
  })
})

function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'PLY_BAD_LAYER' && code !== 'PLY_UNSUPPORTED') throw error
    return (error as Error).message
  }
}
