import { describe, expect, test } from 'vitest'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { type Member, scanTar } from '../../src/tar/index.ts'
import { archive, gnu, header, member, pax, posix, record } from './raw.ts'
import { readAll, refusal } from './read.ts'

const only = (...parts: readonly Uint8Array[]): Member => {
  const tar = archive(...parts)
  const [found, ...more] = scanTar(memoryBytes(tar))
  expect(more).toEqual([])
  expect(readAll(tar).members).toEqual([found])
  return found!
}

const changed = (text: string, at: number) => `${text.slice(0, at)}?${text.slice(at + 1)}`

describe('F-04: who laid a header out is told by every byte of its magic', () => {
  const device = { type: '3', name: 'n', major: 8, minor: 9, prefix: 'p' }

  test('all of it makes a prefix and device numbers', () => {
    expect(only(member({ ...device, magic: posix }))).toMatchObject({ name: 'p/n', major: 8, minor: 9 })
    expect(only(member({ ...device, magic: gnu }))).toMatchObject({ name: 'n', major: 8, minor: 9 })
  })

  test.each([0, 1, 2, 3, 4, 5])('byte %i that is another makes neither', (at) => {
    for (const magic of [posix, gnu]) {
      expect(only(member({ ...device, magic: changed(magic, at) }))).toMatchObject({ name: 'n', major: 0, minor: 0 })
    }
  })

  test('bytes of the version mean nothing', () => {
    for (const at of [6, 7]) expect(only(member({ ...device, magic: changed(posix, at) })).name).toBe('p/n')
  })

  test('four bytes at the end make the prefix that of star, which is shorter, and no three of them do', () => {
    const tail = (trailer: string) => `${'p'.repeat(131)}${'q'.repeat(24)}${'\0'.repeat(8)}${trailer}`
    expect(only(member({ name: 'n', tail: tail('tar\0') })).name).toBe(`${'p'.repeat(131)}/n`)
    for (const at of [0, 1, 2, 3]) {
      const { name } = only(member({ name: 'n', tail: tail(changed('tar\0', at)) }))
      expect(name, `byte ${at}`).toBe(`${'p'.repeat(131)}${'q'.repeat(24)}/n`)
    }
  })

  test('a name that fills its field needs no NUL, and an empty prefix no slash', () => {
    expect(only(member({ name: 'n'.repeat(100), prefix: 'p'.repeat(155) })).name).toBe(
      `${'p'.repeat(155)}/${'n'.repeat(100)}`,
    )
    expect(only(member({ name: 'n', prefix: '' })).name).toBe('n')
  })
})

describe('F-03: a checksum of signed bytes counts what stands outside of its own field', () => {
  test.each([
    ['in the name', { name: '\xff\x80\x7f' }],
    ['in the byte before', { mtime: '0000000012\0\xff' }],
    ['in the last byte', { magic: gnu, tail: `${'\0'.repeat(166)}\xff` }],
    ['in the last byte but one, and in the first', { name: '\x80', magic: gnu, tail: `${'\0'.repeat(165)}\xff` }],
  ])('%s', (_, fields) => {
    expect(only(member({ ...fields, checksum: 'signed' }))).toEqual(only(member(fields)))
  })

  test('in the byte behind it, which is the type', () => {
    expect(refusal(archive(member({ type: '\xff', checksum: 'signed' })))).toBe('T-05')
  })

  test('bytes of its own field count as spaces, whatever they are', () => {
    const odd = header({ name: '\xff' })
    odd[155] = 0xff
    const signed = header({ name: '\xff', checksum: 'signed' })
    signed[155] = 0xff
    expect(only(odd).name).toBe('\xff')
    expect(only(signed).name).toBe('\xff')
  })

  test('not where a sum is off by 256 for no byte', () => {
    const sum = Number.parseInt(header({}).toString('latin1', 148, 154), 8)
    expect(refusal(archive(header({ checksum: sum - 256 })))).toBe('F-03')
    expect(refusal(archive(header({ checksum: sum })))).toBeUndefined()
  })
})

test('modes count their low twelve bits, also of numbers that are negative or large', () => {
  const mode = (text: string | number) => only(member({ mode: text })).mode
  expect(mode(0o7777777)).toBe(0o7777)
  expect(mode(0)).toBe(0)
  expect(mode(`\xff${'\xff'.repeat(7)}`)).toBe(0o7777)
  expect(mode(`\xff${'\xff'.repeat(6)}\xfe`)).toBe(0o7776)
  expect(mode('\x80\x7f\xff\xff\xff\xff\xf1\xa4')).toBe(0o644)
})

describe('records of an extended header', () => {
  const read = (text: string, bytes = '') => only(pax(text), member({}, bytes))

  test('P-01: the length has up to ten digits, zeros in front included, and no other', () => {
    expect(read('0000000018 path=a\n').name).toBe('a')
    expect(refusal(archive(pax('00000000019 path=a\n'), member({})))).toBe('P-02')
    expect(refusal(archive(pax(': a=bcdef\n'), member({})))).toBe('P-02')
    expect(refusal(archive(pax('/ a=b\n'), member({})))).toBe('P-02')
  })

  test('P-01: the shortest record has a key of a byte and no value', () => {
    expect(read(`5 a=\n${record('path', 'b')}`).name).toBe('b')
    expect(refusal(archive(pax('4 =\n'), member({})))).toBe('P-02')
  })

  test('P-02: a record ends in its own newline and has its own equal sign', () => {
    expect(refusal(archive(pax(`7 path\n${record('a', 'b')}`), member({})))).toBe('P-02')
    expect(refusal(archive(pax(`${record('path', 'b')}`.replace('\n', '!')), member({})))).toBe('P-02')
    expect(refusal(archive(pax('90 path=b\n'), member({})))).toBe('P-02')
  })

  test('P-03: an empty value takes back what was said, also of xattrs and of maps', () => {
    const empty = record('path', 'a') + record('path', '') + record('uid', '7') + record('uid', '')
    expect(read(empty)).toMatchObject({ name: 'file', uid: 0 })
    const schily = record('SCHILY.xattr.user.a', 'x') + record('SCHILY.xattr.user.b', 'y')
    expect([...read(schily + record('SCHILY.xattr.user.a', '')).xattrs.keys()]).toEqual(['user.b'])
    expect([...read(record('LIBARCHIVE.xattr.user.a', '\n')).xattrs.keys()]).toEqual([])
    const fields = ['size', 'realsize', 'map', 'major', 'minor', 'numblocks', 'name']
    const sparse = fields.map((field) => record(`GNU.sparse.${field}`, '1')).join('')
    const back = fields.map((field) => record(`GNU.sparse.${field}`, '')).join('')
    expect(read(sparse + back)).toMatchObject({ name: 'file', size: 0 })
    expect(read(sparse + back)).not.toHaveProperty('sparse')
  })

  test('a map in pairs makes an entry sparse by itself', () => {
    const pairs = record('GNU.sparse.offset', '0') + record('GNU.sparse.numbytes', '1')
    expect(refusal(archive(pax(pairs), member({}, 'x')))).toBe('S-03')
    expect(read(record('GNU.sparse.size', '9') + pairs, 'x').size).toBe(9)
  })

  test('Windows is told by keys that begin with its name, and by no other', () => {
    expect(read(record('MSWINDOWS.rawsd', 'x')).windows).toBe(true)
    expect(read(record('XMSWINDOWS.', 'x')).windows).toBe(false)
    expect(read(record('path', 'x')).windows).toBe(false)
    expect(only(member({})).windows).toBe(false)
  })

  test.each([
    'path',
    'linkpath',
    'size',
    'uid',
    'gid',
    'mtime',
    'atime',
    'ctime',
    'SCHILY.xattr.a',
    'LIBARCHIVE.xattr.a',
    'GNU.sparse.map',
  ])('P-08: a global %s is warned of', (key) => {
    const { warnings } = readAll(archive(pax({ [key]: '1' }, 'g'), member({})))
    expect(warnings).toEqual([{ rule: 'P-08', entry: 'global extended header' }])
  })

  test.each(['comment', 'charset', 'GNU.volume.label', 'SCHILY.dev', 'xpath'])('P-08: a global %s is not', (key) => {
    expect(readAll(archive(pax({ [key]: '1' }, 'g'), member({}))).warnings).toEqual([])
  })
})
