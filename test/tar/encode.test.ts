import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import tarStream from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import {
  encodeHeader,
  endMarker,
  type Member,
  type MemberFields,
  type MemberType,
  paddingOf,
  scanTar,
} from '../../src/tar/index.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'
import { readAll } from './read.ts'

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

/** An archive of members; content is a run of one byte. */
function write(members: readonly MemberFields[]): Buffer {
  const parts: Uint8Array[] = []
  for (const member of members) {
    parts.push(encodeHeader(member), Buffer.alloc(member.size, 0x61), Buffer.alloc(paddingOf(member.size)))
  }
  return Buffer.concat([...parts, endMarker])
}

const fieldsOf = ({ header, data, windows, warnings, ...fields }: Member): MemberFields => fields

const nameByte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f)
const component = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0x61, max: 0x7a }) }, nameByte), {
    minLength: 1,
    maxLength: 120,
  })
  .map((bytes) => String.fromCharCode(...bytes))
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const seconds = fc.oneof(
  fc.bigInt({ min: 0n, max: 8589934592n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)
const fields: fc.Arbitrary<MemberFields> = fc
  .record({
    type: fc.constantFrom<MemberType[]>('0', '1', '2', '3', '4', '5', '6'),
    name: path,
    linkName: path,
    mode: fc.nat(0o7777),
    uid: fc.oneof(fc.nat(2097152), fc.nat(4294967294)),
    gid: fc.oneof(fc.nat(2097152), fc.nat(4294967294)),
    size: fc.nat(2000),
    mtime: fc
      .tuple(seconds, fc.oneof(fc.constant(0), fc.nat(999999999)))
      .map(([whole, rest]) => whole * 1_000_000_000n + BigInt(rest)),
    major: fc.nat(4095),
    minor: fc.nat(1048575),
    xattrs: fc
      .array(
        fc.tuple(
          component.filter((name) => !name.includes('=')),
          fc.uint8Array({ minLength: 1, maxLength: 300 }),
        ),
        { maxLength: 3 },
      )
      .map(
        (pairs) =>
          new Map(pairs.map(([name, value]) => [`user.${name}`, value] as const).sort(([a], [b]) => (a < b ? -1 : 1))),
      ),
  })
  .map((all) => ({
    ...all,
    name: all.type === '5' ? `${all.name}/` : all.name,
    linkName: all.type === '1' || all.type === '2' ? all.linkName : '',
    size: all.type === '0' ? all.size : 0,
    major: all.type === '3' || all.type === '4' ? all.major : 0,
    minor: all.type === '3' || all.type === '4' ? all.minor : 0,
  }))

describe('encoding', () => {
  test('E-11: what is written is read back equal, by both readers, whatever the chunks', () => {
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 6 }), fc.integer({ min: 100, max: 5000 }), (members, chunk) => {
        const bytes = write(members)
        const found = readAll(bytes, chunk)
        expect(found.members.map(fieldsOf)).toEqual(members)
        expect(found.members.flatMap(({ warnings }) => warnings)).toEqual([])
        expect([...scanTar(memoryBytes(bytes))]).toEqual(found.members)
      }),
      { numRuns: 300 },
    )
  })

  test('E-13: the same fields give the same bytes, however the xattrs are ordered', () => {
    const xattrs = [
      ['user.b', new Uint8Array([1])],
      ['user.a', new Uint8Array([2])],
    ] as const
    const one = encodeHeader({ ...plain, xattrs: new Map(xattrs) })
    const other = encodeHeader({ ...plain, xattrs: new Map([...xattrs].reverse()) })
    expect(Buffer.compare(one, other)).toBe(0)
    const text = Buffer.from(one).toString('latin1')
    expect(text.indexOf('SCHILY.xattr.user.a')).toBeLessThan(text.indexOf('SCHILY.xattr.user.b'))
  })

  test('X-11: xattrs are written in byte order of their names', () => {
    const names = ['user.b', 'user.B', 'user.a', 'user.a.b', 'security.z', 'user.\xe9', 'trusted.a', 'user.\xc3\xa9']
    const member = { ...plain, xattrs: new Map(names.map((name) => [name, Uint8Array.of(1)])) }
    const text = Buffer.from(encodeHeader(member)).toString('latin1')
    const written = [...text.matchAll(/SCHILY\.xattr\.([^=]+)=/g)].map(([, name]) => name)
    const inOrder = ['security.z', 'trusted.a', 'user.B', 'user.a', 'user.a.b', 'user.b', 'user.\xc3\xa9', 'user.\xe9']
    expect(written).toEqual(inOrder)
  })

  const slashed = `${'p'.repeat(155)}/${'n'.repeat(100)}`
  test.each<[string, Partial<MemberFields>, boolean]>([
    ['a name of 100 bytes', { name: 'n'.repeat(100) }, false],
    ['a name of 101 bytes without a slash', { name: 'n'.repeat(101) }, true],
    ['a name of 256 bytes with a slash in the right place', { name: slashed }, false],
    ['a name of 257 bytes', { name: `${slashed}n` }, true],
    ['a directory of 101 bytes with one slash, the last', { type: '5', name: `${'n'.repeat(100)}/` }, true],
    ['a name that is not ASCII', { name: 'caf\xe9' }, true],
    ['a link text of 100 bytes', { type: '2', linkName: 'l'.repeat(100) }, false],
    ['a link text of 101 bytes', { type: '2', linkName: 'l'.repeat(101) }, true],
    ['the largest octal owner', { uid: 0o7777777, gid: 0o7777777 }, false],
    ['an owner of 2^21', { uid: 0o10000000 }, true],
    ['the largest octal size', { size: 2 ** 33 - 1 }, false],
    ['a size of 8 GiB', { size: 2 ** 33 }, true],
    ['the largest octal time', { mtime: (2n ** 33n - 1n) * 1_000_000_000n }, false],
    ['a time of 2^33', { mtime: 2n ** 33n * 1_000_000_000n }, true],
    ['a time before the epoch', { mtime: -1_000_000_000n }, true],
    ['a time with nanoseconds', { mtime: 1n }, true],
    ['the largest device numbers', { type: '3', major: 4095, minor: 1048575 }, false],
    ['an xattr', { xattrs: new Map([['user.a', new Uint8Array([1])]]) }, true],
  ])('E-11: an extended header only for what does not fit: %s', (_, some, extended) => {
    expect(encodeHeader({ ...plain, ...some }).length > 512).toBe(extended)
  })

  test('P-01: record lengths are right where they grow by a digit', () => {
    for (const length of [
      85, 86, 87, 88, 89, 90, 91, 92, 93, 984, 985, 986, 987, 988, 989, 990, 991, 9980, 9985, 9990,
    ]) {
      const name = `${'n'.repeat(length)}\xe9`
      const { members } = readAll(Buffer.concat([encodeHeader({ ...plain, name }), endMarker]))
      expect(members[0]!.name).toBe(name)
    }
  })

  test('what no archive can say is refused', () => {
    const refused = (some: Partial<MemberFields>) => {
      try {
        encodeHeader({ ...plain, ...some })
        return undefined
      } catch (error) {
        return codeOf(error)
      }
    }
    expect(refused({ name: 'a\0b' })).toBe('PLY_UNREPRESENTABLE')
    expect(refused({ xattrs: new Map([['user.a=b', new Uint8Array([1])]]) })).toBe('PLY_UNREPRESENTABLE')
    expect(refused({ xattrs: new Map([['user.a', new Uint8Array(0)]]) })).toBe('PLY_UNREPRESENTABLE')
  })
})

describe('other readers agree', () => {
  test('tar-stream reads the same names, sizes, types and owners', async () => {
    const members: MemberFields[] = [
      { ...plain, name: 'd/', type: '5', mode: 0o755 },
      { ...plain, name: 'd/f', size: 700, uid: 12, gid: 34, mtime: 1_700_000_000_000_000_000n },
      { ...plain, name: `d/${'n'.repeat(130)}`, size: 1 },
      { ...plain, name: `${'p'.repeat(120)}/${'n'.repeat(90)}`, size: 2 },
      { ...plain, name: 'd/l', type: '2', linkName: 'f' },
      { ...plain, name: 'd/h', type: '1', linkName: 'd/f' },
      { ...plain, name: 'd/c', type: '3', major: 1, minor: 3 },
    ]
    const extract = tarStream.extract()
    const found: unknown[] = []
    extract.end(write(members))
    for await (const entry of extract) {
      const { name, size, type, mode, uid, gid, linkname } = entry.header
      found.push({ name, size, type, mode, uid, gid, linkname: linkname ?? '' })
      entry.resume()
    }
    const types = { '0': 'file', '1': 'link', '2': 'symlink', '3': 'character-device', '5': 'directory' } as Record<
      string,
      string
    >
    expect(found).toEqual(
      members.map(({ name, size, type, mode, uid, gid, linkName }) => ({
        name,
        size,
        type: types[type],
        mode,
        uid,
        gid,
        linkname: linkName,
      })),
    )
  })

  testIf(hasProgram('tar'), 'there is no tar program')('GNU tar lists what was written, bytes and times exact', () => {
    const file = join(temporary(), 'written.tar')
    const members: MemberFields[] = [
      { ...plain, name: 'd/', type: '5', mode: 0o1777 },
      { ...plain, name: 'd/caf\xc3\xa9', size: 700, uid: 70000, gid: 3000000, mtime: 1_700_000_000_123_456_789n },
      { ...plain, name: 'd/\xff\xfe', size: 1, mtime: -5_000_000_000n },
      { ...plain, name: `d/${'n'.repeat(200)}`, size: 3, mode: 0o4755 },
      { ...plain, name: 'd/l', type: '2', linkName: 'x'.repeat(300), mode: 0o777 },
      { ...plain, name: 'd/h', type: '1', linkName: `d/${'n'.repeat(200)}` },
    ]
    writeFileSync(file, write(members))
    const listing = execFileSync(
      'tar',
      ['--numeric-owner', '--full-time', '--quoting-style=escape', '--utc', '-tvf', file],
      {
        encoding: 'latin1',
        env: { ...process.env, LC_ALL: 'C' },
      },
    )
    const lines = listing.trimEnd().split('\n')
    expect(lines).toHaveLength(members.length)
    expect(lines[0]).toMatch(/^drwxrwxrwt 0\/0\s+0 1970-01-01 00:00:00 d\/$/)
    expect(lines[1]).toMatch(/^-rw-r--r-- 70000\/3000000\s+700 2023-11-14 22:13:20\.123456789 d\/caf\\303\\251$/)
    expect(lines[2]).toMatch(/1969-12-31 23:59:55 +d\/\\377\\376$/)
    expect(lines[3]).toMatch(/^-rwsr-xr-x .* d\/n{200}$/)
    expect(lines[4]).toMatch(/ d\/l -> x{300}$/)
    expect(lines[5]).toMatch(/^hrw-r--r-- .* d\/h link to d\/n{200}$/)
  })
})
