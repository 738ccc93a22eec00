import { describe, expect, test } from 'vitest'
import { encodeHeader, type MemberFields, writeHeader } from '../../src/tar/index.ts'
import { formatTime, parseDecimal, parseNumber, parseTime } from '../../src/tar/numbers.ts'
import { base256, content, header, type RawHeader, record } from './raw.ts'

const plain: MemberFields = {
  type: '0',
  name: 'file',
  linkName: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  xattrs: new Map(),
}

/** A header as it has to be, without device numbers unless they are given. */
const block = (fields: RawHeader) => header({ major: '', minor: '', ...fields })

/** An extended header of these records as it has to be. */
const extension = (name: string, ...records: readonly (readonly [string, string])[]) => {
  const text = records.map(([key, value]) => record(key, value)).join('')
  return [block({ type: 'x', name: `PaxHeaders.0/${name}`, size: text.length }), content(text)]
}

const seconds = (count: bigint) => count * 1_000_000_000n
const n = (count: number) => 'n'.repeat(count)
const p = (count: number) => 'p'.repeat(count)

describe('the blocks of a member, byte for byte', () => {
  test.each<[string, Partial<MemberFields>, readonly Uint8Array[]]>([
    [
      'a file',
      { mode: 0o104755, uid: 7, gid: 8, size: 9, mtime: seconds(10n) },
      [block({ name: 'file', mode: 0o4755, uid: 7, gid: 8, size: 9, mtime: 10 })],
    ],
    [
      'the largest that a header says',
      { uid: 0o7777777, gid: 0o7777777, size: 0o77777777777, mtime: seconds(0o77777777777n) },
      [block({ uid: 0o7777777, gid: 0o7777777, size: 0o77777777777, mtime: 0o77777777777 })],
    ],
    ['an owner that a header cannot say', { uid: 0o10000000 }, [...extension('file', ['uid', '2097152']), block({})]],
    ['a group that a header cannot say', { gid: 0o10000000 }, [...extension('file', ['gid', '2097152']), block({})]],
    [
      'a size that a header cannot say',
      { size: 0o100000000000 },
      [...extension('file', ['size', '8589934592']), block({})],
    ],
    [
      'a time that a header cannot say',
      { mtime: seconds(0o100000000000n) },
      [...extension('file', ['mtime', '8589934592']), block({})],
    ],
    [
      'a time with a fraction, whose seconds stand in the header',
      { mtime: 5_250_000_000n },
      [...extension('file', ['mtime', '5.25']), block({ mtime: 5 })],
    ],
    ['a time before 1970', { mtime: -1n }, [...extension('file', ['mtime', '-0.000000001']), block({})]],
    ['a time long before 1970', { mtime: seconds(-100n) }, [...extension('file', ['mtime', '-100']), block({})]],
    [
      'several, in byte order',
      { uid: 2097152, gid: 2097153, size: 8589934593, mtime: 1n },
      [
        ...extension('file', ['gid', '2097153'], ['mtime', '0.000000001'], ['size', '8589934593'], ['uid', '2097152']),
        block({}),
      ],
    ],
    ['a symlink', { type: '2', linkName: 'to/it' }, [block({ type: '2', linkName: 'to/it' })]],
    ['a link text of 100 bytes', { type: '2', linkName: n(100) }, [block({ type: '2', linkName: n(100) })]],
    [
      'a link text of 101 bytes, of which a header shows 100',
      { type: '2', linkName: n(101) },
      [...extension('file', ['linkpath', n(101)]), block({ type: '2', linkName: n(100) })],
    ],
    [
      'a link text that is not ASCII',
      { type: '1', linkName: 'caf\xe9' },
      [...extension('file', ['linkpath', 'caf\xe9']), block({ type: '1', linkName: 'caf_' })],
    ],
    [
      'a character device',
      { type: '3', major: 1, minor: 0o3777777 },
      [block({ type: '3', major: 1, minor: 0o3777777 })],
    ],
    ['a block device', { type: '4', major: 4095, minor: 5 }, [block({ type: '4', major: 4095, minor: 5 })]],
    ['numbers of a device on what is none', { type: '6', major: 1, minor: 3 }, [block({ type: '6' })]],
    ['a name of 100 bytes', { name: n(100) }, [block({ name: n(100) })]],
    [
      'a name of 101 bytes without a slash',
      { name: n(101) },
      [...extension(n(87), ['path', n(101)]), block({ name: n(100) })],
    ],
    [
      'a name of 101 bytes with a slash in front',
      { name: `/${n(100)}` },
      [...extension(n(87), ['path', `/${n(100)}`]), block({ name: `/${n(99)}` })],
    ],
    ['a name of 102 bytes with its slash behind one', { name: `p/${n(100)}` }, [block({ prefix: 'p', name: n(100) })]],
    [
      'a name that is split at the last slash there can be',
      { name: `a/${p(150)}/b/${n(50)}` },
      [block({ prefix: `a/${p(150)}/b`, name: n(50) })],
    ],
    [
      'a name with 101 bytes behind its last slash',
      { name: `p/${n(101)}` },
      [...extension(n(87), ['path', `p/${n(101)}`]), block({ name: `p/${n(98)}` })],
    ],
    ['a name of 256 bytes', { name: `${p(155)}/${n(100)}` }, [block({ prefix: p(155), name: n(100) })]],
    [
      'a name of 256 bytes with its slash one byte late',
      { name: `${p(156)}/${n(99)}` },
      [...extension(n(87), ['path', `${p(156)}/${n(99)}`]), block({ name: p(100) })],
    ],
    [
      'a name of 257 bytes',
      { name: `${p(155)}/${n(101)}` },
      [...extension(n(87), ['path', `${p(155)}/${n(101)}`]), block({ name: p(100) })],
    ],
    [
      'a directory of 101 bytes with no slash but the last',
      { type: '5', name: `${n(100)}/` },
      [...extension(n(87), ['path', `${n(100)}/`]), block({ type: '5', name: n(100) })],
    ],
    [
      'a directory that is split before its last part',
      { type: '5', name: `${p(60)}/${n(60)}/` },
      [block({ type: '5', prefix: p(60), name: `${n(60)}/` })],
    ],
    [
      'a name that is not ASCII',
      { name: 'caf\xe9' },
      [...extension('caf_', ['path', 'caf\xe9']), block({ name: 'caf_' })],
    ],
    [
      'a directory that is not ASCII, whose extended header is a file',
      { type: '5', name: 'a/caf\xe9/b//' },
      [...extension('a_caf__b', ['path', 'a/caf\xe9/b//']), block({ type: '5', name: 'a/caf_/b//' })],
    ],
    [
      'xattrs with whatever bytes',
      {
        xattrs: new Map([
          ['user.b', Buffer.from([0, 10, 61, 255])],
          ['user.a', Buffer.from('x')],
        ]),
      },
      [...extension('file', ['SCHILY.xattr.user.a', 'x'], ['SCHILY.xattr.user.b', '\0\n=\xff']), block({})],
    ],
  ])('%s', (_, fields, blocks) => {
    const expected = Buffer.concat(blocks)
    const written = Buffer.from(encodeHeader({ ...plain, ...fields }))
    expect(written.toString('latin1')).toBe(expected.toString('latin1'))
  })

  test('the length of a record counts its own digits, also where they become one more', () => {
    for (const size of [
      1, 8, 9, 10, 60, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 969, 970, 971, 972, 973, 974, 975, 976, 977, 978, 979,
      980,
    ]) {
      const value = Buffer.alloc(size, 0x76)
      const written = Buffer.from(encodeHeader({ ...plain, xattrs: new Map([['user.x', value]]) }))
      const [, length, key] = /^(\d+) (SCHILY\.xattr\.user\.x)=/.exec(written.toString('latin1', 512))!
      expect(Number(length), `${size} bytes`).toBe(`${length} ${key}=\n`.length + size)
      expect(written.toString('latin1', 512 + Number(length) - 2, 512 + Number(length)), `${size} bytes`).toBe('v\n')
    }
  })

  test('a block is written anywhere, over whatever is there, and nothing beside it', () => {
    const fields = {
      ...plain,
      type: '2',
      linkName: n(101),
      name: `${p(155)}/${n(100)}`,
      mtime: 1_500_000_000n,
    } as const
    const alone = encodeHeader(fields)
    expect(alone).toHaveLength(3 * 512)
    const into = Buffer.alloc(4096, 0xee)
    expect(writeHeader(into, 700, fields)).toBe(alone.length)
    expect(into.subarray(700, 700 + alone.length).equals(alone)).toBe(true)
    expect(into.subarray(0, 700).every((byte) => byte === 0xee)).toBe(true)
    expect(into.subarray(700 + alone.length).every((byte) => byte === 0xee)).toBe(true)
  })

  test('where there is no room nothing is written, and it is said how much there has to be', () => {
    const into = Buffer.alloc(2048, 0xee)
    expect(writeHeader(into, 2048 - 512, plain)).toBe(512)
    into.fill(0xee)
    expect(writeHeader(into, 2048 - 511, plain)).toBe(512)
    expect(writeHeader(into, 2048 - 1535, { ...plain, uid: 2097152 })).toBe(1536)
    expect(into.every((byte) => byte === 0xee)).toBe(true)
    expect(writeHeader(into, 2048 - 1536, { ...plain, uid: 2097152 })).toBe(1536)
    expect(into[511]).toBe(0xee)
    expect(into[512]).not.toBe(0xee)
  })
})

describe('numbers at their bounds', () => {
  test('F-01: base-256 fields hold what 64 bits hold, and no more', () => {
    const read = (value: bigint) => parseNumber(Buffer.from(base256(value, 12), 'latin1'), 0, 12)
    const most = 2n ** 63n - 1n
    expect(read(most)).toBe(most)
    expect(read(most + 1n)).toBeUndefined()
    expect(read(-most - 1n)).toBe(-most - 1n)
    expect(read(-most - 2n)).toBeUndefined()
    expect(read(2n ** 53n - 1n)).toBe(Number.MAX_SAFE_INTEGER)
    expect(read(2n ** 53n)).toBe(2n ** 53n)
  })

  test('decimal numbers hold what 64 bits hold, and are bigints only where they must be', () => {
    expect(parseDecimal('9223372036854775807')).toBe(2n ** 63n - 1n)
    expect(parseDecimal('9223372036854775808')).toBeUndefined()
    expect(parseDecimal('-9223372036854775808')).toBe(-(2n ** 63n))
    expect(parseDecimal('-9223372036854775809')).toBeUndefined()
    expect(parseDecimal('999999999999999')).toBe(999999999999999)
    expect(parseDecimal('9007199254740991')).toBe(9007199254740991)
    expect(parseDecimal('9007199254740993')).toBe(9007199254740993n)
    expect(parseDecimal('-00000000000000000000000000000007')).toBe(-7)
    expect(parseDecimal(`0${'0'.repeat(32)}`)).toBeUndefined()
    expect(['', '-', '+1', '1.0', ' 1', '1 ', '0x1'].map(parseDecimal)).toEqual(Array(7).fill(undefined))
  })

  test('M-01: times hold seconds of 64 bits, below and above', () => {
    expect(parseTime('9223372036854775807.999999999')).toBe(seconds(2n ** 63n) - 1n)
    expect(parseTime('9223372036854775808')).toBeUndefined()
    expect(parseTime('-9223372036854775808')).toBe(seconds(-(2n ** 63n)))
    expect(parseTime('-9223372036854775808.000000001')).toBeUndefined()
    expect(parseTime('-9223372036854775809')).toBeUndefined()
  })

  test('times are spelt without zeros at the end of the fraction, and without a fraction of nothing', () => {
    expect([0n, 1n, -1n, seconds(5n), seconds(-5n), 1_500_000_000n, -1_500_000_000n, 10n].map(formatTime)).toEqual([
      '0',
      '0.000000001',
      '-0.000000001',
      '5',
      '-5',
      '1.5',
      '-1.5',
      '0.00000001',
    ])
  })
})
