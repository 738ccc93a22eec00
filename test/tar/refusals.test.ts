import { describe, expect, test } from 'vitest'
import { PlyError } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { encodeHeader, scanTar, TarReader, type TarWarning } from '../../src/tar/index.ts'
import { archive, base256, gnu, header, long, member, pax, record, zeroBlock } from './raw.ts'
import { form00, form01, form10, oldEntries, oldForm } from './sparse-forms.ts'

type Told = readonly [entry: unknown, rule: unknown, reason: unknown]

function refusalOf(read: () => unknown): Told {
  try {
    read()
  } catch (error) {
    if (!(error instanceof PlyError)) throw error
    expect(error.code).toBe('PLY_BAD_LAYER')
    return [error.details.entry, error.details.rule, error.details.reason]
  }
  throw new Error('nothing was refused')
}

function pushed(tar: Uint8Array, warnings: [string, TarWarning][] = []) {
  const reader = new TarReader({ member() {}, warning: (entry, warning) => warnings.push([entry, warning]) })
  reader.push(tar)
  reader.end()
}

const scanned = (tar: Uint8Array) => [...scanTar(memoryBytes(tar))]

const file = { name: 'holes', size: 5000, runs: [[4096, Buffer.from('data')]] } as const
/** The fields of a header that hold the map of the old GNU form. */
const mapped = (entries: string, size = '00000011610\0') => ({
  name: 'holes',
  type: 'S',
  magic: gnu,
  tail: '\0'.repeat(41) + entries + size,
})
const blocksOf = (...lines: readonly string[]) => Buffer.from(lines.join('').padEnd(512, '\0'), 'latin1')
const payloadForm = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5000' }
const inPayload = (map: string) => [pax(payloadForm), member({ name: 'holes' }, map.padEnd(512, '\0'))]
const inRecords = (records: Record<string, string>) => [pax(records), member({ name: 'holes' }, 'data')]
const form = { 'GNU.sparse.size': '5000', 'GNU.sparse.map': '4096,4' }

describe('a refusal names the entry, the rule, and what is wrong in words', () => {
  test.each<[string, readonly Uint8Array[], Told]>([
    [
      'a header after zeros',
      [member({ name: 'a' }), zeroBlock, member({})],
      ['at byte 1024', 'Q-02', 'a header after a block of zeros'],
    ],
    [
      'a negative size of an extended header',
      [header({ type: 'x', size: base256(-1n, 12) })],
      ['at byte 0', 'F-02', 'negative size'],
    ],
    [
      'a size of an extended header that is no number',
      [header({ type: 'g', size: '12z' })],
      ['at byte 0', 'F-01', 'the size is not a number of 64 bits'],
    ],
    [
      'a size of a volume header that is no number',
      [header({ type: 'V', size: '12z' })],
      ['at byte 0', 'F-01', 'the size is not a number of 64 bits'],
    ],
    ['a volume header with content', [member({ type: 'V', name: 'v' }, 'x')], ['v', 'T-05', 'unknown entry type V']],
    [
      'an extended header that is too large',
      [header({ type: 'L', size: 1048577 })],
      ['at byte 0', 'P-09', 'extended header of 1048577 bytes; the limit is 1048576'],
    ],
    ['a NUL in a name', [pax({ path: 'a\0b' }), member({})], ['a\\x00b', 'N-06', 'a NUL inside the name']],
    [
      'a NUL in a link text',
      [pax({ linkpath: 'a\0b' }), member({ name: 'l', type: '2' })],
      ['l', 'N-06', 'a NUL inside the link text'],
    ],
    [
      'a NUL in a long name',
      [member({ type: 'L', magic: gnu }, 'a\0b'), member({})],
      ['at byte 0', 'N-06', 'a NUL inside a long name'],
    ],
    [
      'a sparse map on a directory',
      [pax(form), member({ name: 'd/', type: '5' })],
      ['d/', 'S-01', 'a sparse map on an entry that is no file'],
    ],
    [
      'a wrong checksum',
      [member({}), header({ checksum: 1 })],
      ['at byte 512', 'F-03', 'this is not a tar header: its checksum does not match'],
    ],
    ['an unknown type', [member({ name: 'a', type: '\xff' })], ['a', 'T-05', 'unknown entry type \\xff']],
    [
      'a time that is none',
      [pax({ mtime: `x${'1'.repeat(60)}` }), member({ name: 'a' })],
      ['a', 'M-01', `the time x${'1'.repeat(39)} is not one`],
    ],
    [
      'a time in the header that is no number',
      [member({ name: 'a', mtime: '12z' })],
      ['a', 'F-01', 'the time is not a number of 64 bits'],
    ],
    [
      'a size that is no number',
      [member({ name: 'a', size: '12z' })],
      ['a', 'F-01', 'the size is not a number of 64 bits'],
    ],
    ['a negative size', [pax({ size: '-1' }), member({ name: 'a' })], ['a', 'F-02', 'negative size']],
    [
      'an owner that is no number',
      [member({ name: 'a', uid: 'zz' })],
      ['a', 'F-01', 'the owner is not a number of 64 bits'],
    ],
    [
      'a group that is no number',
      [pax({ gid: 'z' }), member({ name: 'a' })],
      ['a', 'F-01', 'the group is not a number of 64 bits'],
    ],
    [
      'an owner that is too large',
      [pax({ uid: '4294967295' }), member({ name: 'a' })],
      ['a', 'F-02', 'owner 4294967295 is outside 0 to 4294967294'],
    ],
    [
      'a group that is negative',
      [member({ name: 'a', gid: base256(-5n, 8) })],
      ['a', 'F-02', 'group -5 is outside 0 to 4294967294'],
    ],
    [
      'a major device number that is too large',
      [member({ name: 'a', type: '3', major: 4096 })],
      ['a', 'T-07', 'major device number 4096 is outside 0 to 4095'],
    ],
    [
      'a minor device number that is no number',
      [member({ name: 'a', type: '4', minor: 'zz' })],
      ['a', 'T-07', 'minor device number that is no number is outside 0 to 1048575'],
    ],
    ['a mode that is no number', [member({ name: 'a', mode: 'zz' })], ['a', 'F-01', 'the mode is not a number']],
    [
      'a record without a length',
      [pax('x path=a\n'), member({})],
      ['at byte 0', 'P-02', 'malformed extended header record at byte 0 of it'],
    ],
    [
      'a record of a wrong length',
      [member({}), pax(`${record('a', 'b')}12 path=a\n`), member({})],
      ['at byte 512', 'P-02', 'malformed extended header record at byte 6 of it'],
    ],
    [
      'a record without a key',
      [pax(`${record('a', 'b')}6 =a b\n`.replace('6 =a b', '7 =abc')), member({})],
      ['at byte 0', 'P-02', 'extended header record without a key at byte 6 of it'],
    ],
    [
      'a record of nothing but a key',
      [pax('7 path\n'), member({})],
      ['at byte 0', 'P-02', 'extended header record without a key at byte 0 of it'],
    ],
    [
      'an xattr whose value is not base64',
      [pax({ 'LIBARCHIVE.xattr.user.a': '***' }), member({ name: 'a' })],
      ['a', 'X-01', 'the value of LIBARCHIVE.xattr.user.a is not base64'],
    ],
    [
      'an xattr of two values',
      [pax({ 'SCHILY.xattr.user.a': 'x', 'LIBARCHIVE.xattr.user%2ea': 'eQ==' }), member({ name: 'a' })],
      ['a', 'X-02', 'two different values for the attribute user.a'],
    ],
    [
      'an xattr without a name',
      [pax({ 'SCHILY.xattr.': 'x' }), member({ name: 'a' })],
      ['a', 'X-01', 'an attribute without a usable name'],
    ],
    [
      'an xattr with a NUL in its name',
      [pax({ 'LIBARCHIVE.xattr.a%00': 'eQ==' }), member({ name: 'a' })],
      ['a', 'X-01', 'an attribute without a usable name'],
    ],
    [
      'a sparse entry of another layout',
      [member({ name: 'a', type: 'S' })],
      ['a', 'S-01', 'a sparse entry whose header is not of the GNU layout'],
    ],
    ['an old map and one in records', [pax(form), oldForm(file)], ['holes', 'S-01', 'a sparse entry of two forms']],
    [
      'two maps in records',
      inRecords({ ...form, 'GNU.sparse.offset': '4096', 'GNU.sparse.numbytes': '4' }),
      ['holes', 'S-01', 'a sparse entry of two forms'],
    ],
    [
      'a map in the payload and one in records',
      inRecords({ ...payloadForm, 'GNU.sparse.map': '1,1' }),
      ['holes', 'S-01', 'a sparse entry of two forms'],
    ],
    [
      'an unknown version',
      inRecords({ ...form, 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0' }),
      ['holes', 'S-01', 'a sparse entry of an unknown version'],
    ],
    [
      'half a version, the first',
      inRecords({ ...form, 'GNU.sparse.major': '0' }),
      ['holes', 'S-01', 'a sparse entry of an unknown version'],
    ],
    [
      'half a version, the second',
      inRecords({ ...form, 'GNU.sparse.minor': '1' }),
      ['holes', 'S-01', 'a sparse entry of an unknown version'],
    ],
    ['no map', inRecords({ 'GNU.sparse.size': '5000' }), ['holes', 'S-01', 'a sparse entry without a map']],
    [
      'no real size',
      inRecords({ 'GNU.sparse.map': '4096,4' }),
      ['holes', 'S-03', 'a sparse entry that does not say its real size'],
    ],
    [
      'two real sizes',
      inRecords({ ...form, 'GNU.sparse.realsize': '6000' }),
      ['holes', 'S-03', 'a sparse entry with two real sizes'],
    ],
    [
      'a real size that is no number',
      inRecords({ ...form, 'GNU.sparse.size': 'z' }),
      ['holes', 'S-03', 'a number of its real size is not a number of 64 bits'],
    ],
    [
      'a real size that is negative',
      inRecords({ ...form, 'GNU.sparse.size': '-1' }),
      ['holes', 'S-03', 'a number of its real size is negative'],
    ],
    [
      'a real size that no file has',
      inRecords({ ...form, 'GNU.sparse.size': '9007199254740992' }),
      ['holes', 'S-03', 'a number of its real size is impossibly large'],
    ],
    [
      'an old real size that is no number',
      [header(mapped(oldEntries([], 4, false), 'zz'))],
      ['holes', 'S-03', 'a number of its real size is not a number of 64 bits'],
    ],
    [
      'half an entry in records',
      inRecords({ ...form, 'GNU.sparse.map': '4096,4,5000' }),
      ['holes', 'S-03', 'its map has an entry of which half is missing'],
    ],
    [
      'entries whose halves are swapped',
      [
        pax(
          record('GNU.sparse.size', '5000') + record('GNU.sparse.numbytes', '4') + record('GNU.sparse.offset', '4096'),
        ),
        member({ name: 'holes' }, 'data'),
      ],
      ['holes', 'S-03', 'its map has an entry of which half is missing'],
    ],
    [
      'another number of entries than announced',
      inRecords({ ...form, 'GNU.sparse.numblocks': '2' }),
      ['holes', 'S-03', 'its map has another number of entries than it says'],
    ],
    [
      'a number of entries that is no number',
      inRecords({ ...form, 'GNU.sparse.numblocks': 'z' }),
      ['holes', 'S-03', 'a number of its map is not a number of 64 bits'],
    ],
    [
      'an offset that is no number',
      inRecords({ ...form, 'GNU.sparse.map': 'z,4' }),
      ['holes', 'S-03', 'a number of its map is not a number of 64 bits'],
    ],
    [
      'a length that is no number',
      inRecords({ ...form, 'GNU.sparse.map': '4096,z' }),
      ['holes', 'S-03', 'a number of its map is not a number of 64 bits'],
    ],
    [
      'an old entry without a length',
      [header(mapped(`${'00000010000\0'.padEnd(96, '\0')}\0`))],
      ['holes', 'S-03', 'its map has an entry of which half is missing'],
    ],
    [
      'an old entry without an offset',
      [header(mapped(`${`${'\0'.repeat(12)}00000000004\0`.padEnd(96, '\0')}\0`))],
      ['holes', 'S-03', 'its map has an entry of which half is missing'],
    ],
    [
      'an old entry that is no number',
      [header(mapped(`${'0000001z000\0'.repeat(2).padEnd(96, '\0')}\0`))],
      ['holes', 'S-03', 'a number of its map is not a number of 64 bits'],
    ],
    [
      'an old map that goes on behind a blank entry',
      [header(mapped(`${`${'\0'.repeat(24)}${'00000000004\0'.repeat(2)}`.padEnd(96, '\0')}\0`))],
      ['holes', 'S-03', 'its map goes on after its end'],
    ],
    [
      'an old map with a block behind its end',
      [header(mapped(oldEntries([], 4, true))), blocksOf(oldEntries([], 21, false))],
      ['holes', 'S-03', 'its map goes on after its end'],
    ],
    [
      'lines that are not decimal',
      inPayload('1\n4096\n-4\n'),
      ['holes', 'S-03', 'its map holds something other than decimal lines'],
    ],
    [
      'a line with a letter behind the digits',
      inPayload('1\n4096\n4:\n'),
      ['holes', 'S-03', 'its map holds something other than decimal lines'],
    ],
    [
      'an empty line',
      inPayload('1\n\n4096\n4\n'),
      ['holes', 'S-03', 'its map holds something other than decimal lines'],
    ],
    ['a line of 21 digits', inPayload(`1\n${'0'.repeat(21)}\n`), ['holes', 'S-03', 'a number in its map is too long']],
    [
      'a line that no file is long enough for',
      inPayload('1\n9007199254740993\n'),
      ['holes', 'S-03', 'a number of its map is impossibly large'],
    ],
    [
      'a map that is longer than its content',
      inPayload(`254\n${'0\n'.repeat(254)}`),
      ['holes', 'S-03', 'its map is longer than its content'],
    ],
    [
      'runs out of order',
      inRecords({ ...form, 'GNU.sparse.map': '10,2,11,2' }),
      ['holes', 'S-03', 'its map is out of order, or overlaps itself'],
    ],
    [
      'a run beyond the size',
      inRecords({ ...form, 'GNU.sparse.map': '4997,4' }),
      ['holes', 'S-03', 'its map leads beyond its size'],
    ],
    [
      'a run that begins beyond the size',
      inRecords({ ...form, 'GNU.sparse.map': '5001,0' }),
      ['holes', 'S-03', 'its map leads beyond its size'],
    ],
    [
      'other content than the map speaks of',
      inRecords({ ...form, 'GNU.sparse.map': '4096,3' }),
      ['holes', 'S-03', 'its map speaks of 3 stored bytes, and there are 4'],
    ],
  ])('%s', (_, parts, expected) => {
    const tar = archive(...parts)
    expect(refusalOf(() => pushed(tar))).toEqual(expected)
    expect(refusalOf(() => scanned(tar))).toEqual(expected)
  })

  test.each<[string, Uint8Array, Told, Told]>([
    [
      'inside a header',
      member({}).subarray(0, 100),
      ['at byte 100', 'Z-04', 'the archive ends inside a header'],
      ['at byte 100', 'Z-04', 'the archive ends inside a header'],
    ],
    [
      'inside content',
      member({}, 'x'.repeat(600)).subarray(0, 1100),
      ['at byte 1100', 'Z-04', 'the archive ends inside the content of an entry'],
      ['at byte 1100', 'Z-04', 'the archive ends inside the content of an entry'],
    ],
    [
      'inside an extended header',
      long('L', 'x'.repeat(600)).subarray(0, 1100),
      ['at byte 1100', 'Z-04', 'the archive ends inside the content of an entry'],
      ['at byte 1100', 'Z-04', 'the archive ends inside the content of an entry'],
    ],
    [
      'inside a sparse map',
      header(mapped(oldEntries([[0, 1]], 4, true))),
      ['at byte 512', 'Z-04', 'the archive ends inside the map of a sparse entry'],
      ['at byte 512', 'Z-04', 'the archive ends inside the map of a sparse entry'],
    ],
    [
      'after an extended header',
      pax({ path: 'a' }),
      ['at byte 1024', 'P-10', 'the archive ends after an extended header'],
      ['at byte 1024', 'P-10', 'the archive ends after an extended header'],
    ],
  ])('an archive that ends %s', (_, tar, byPushing, byScanning) => {
    expect(refusalOf(() => pushed(tar))).toEqual(byPushing)
    expect(refusalOf(() => scanned(tar))).toEqual(byScanning)
  })

  test('a source that is shorter than it says is refused by the scan, in a header and in what an extended header announces', () => {
    const whole = archive(long('L', 'n'.repeat(900_000)), member({}))
    const shortened = (from: number) => ({
      size: whole.length,
      read: (into: Uint8Array, at: number) => memoryBytes(whole.subarray(0, from)).read(into, at),
    })
    const told = (position: number) => [`at byte ${position}`, 'Z-04', 'the archive is shorter than its size says']
    expect(refusalOf(() => [...scanTar(shortened(400))])).toEqual(told(0))
    expect(refusalOf(() => [...scanTar(shortened(800_000))])).toEqual(told(512))
    expect([...scanTar(shortened(whole.length))].map(({ name }) => name.length)).toEqual([900_000])
  })
})

describe('a warning says what is odd, and how often', () => {
  const warningsOf = (...parts: readonly Uint8Array[]) => {
    const [only] = scanned(archive(...parts))
    return only!.warnings
  }

  test('of an entry: a slash behind a file, a size where there is no content, headers that replace others', () => {
    expect(warningsOf(member({ name: 'a/' }))).toEqual([
      { rule: 'T-02', text: 'a regular file whose name ends with a slash' },
    ])
    expect(warningsOf(header({ name: 'a', type: '5', size: 7 }))).toEqual([
      { rule: 'T-06', text: 'size 7 on an entry without content' },
    ])
    expect(warningsOf(long('L', 'a'), long('L', 'b'), member({}))).toEqual([
      { rule: 'P-05', text: 'a second extended header replaces the first' },
    ])
    expect(warningsOf(long('K', 'a'), long('K', 'b'), long('K', 'c'), member({ type: '2' }))).toEqual([
      { rule: 'P-05', text: 'a second extended header replaces the first', times: 2 },
    ])
    expect(
      warningsOf(pax({ uid: '1' }), pax({ uid: '2' }), pax({ uid: '3' }), pax({ uid: '4' }), member({ name: 'a/' })),
    ).toEqual([
      { rule: 'P-05', text: 'a second extended header replaces the first', times: 3 },
      { rule: 'T-02', text: 'a regular file whose name ends with a slash' },
    ])
  })

  test('of the archive: volume headers, global headers that say something, bytes behind the end and where the first is', () => {
    const warnings: [string, TarWarning][] = []
    const longKey = `SCHILY.xattr.${'k'.repeat(80)}`
    const parts = [
      member({ type: 'V', name: 'label' }),
      pax({ path: 'x' }, 'g'),
      pax({ [longKey]: 'x' }, 'g'),
      pax({ comment: 'nothing that counts' }, 'g'),
      member({ name: 'a' }),
    ]
    const tar = archive(...parts)
    pushed(Buffer.concat([tar, Buffer.alloc(100), Buffer.from('x'), Buffer.alloc(10), Buffer.from('y')]), warnings)
    const [first, , third] = warnings
    expect(first).toEqual(['label', { rule: 'T-05', text: 'volume header ignored' }])
    expect(third).toEqual([
      'global extended header',
      { rule: 'P-08', text: `global extended header with ${longKey.slice(0, 64)} has no effect` },
    ])
    expect(warnings.slice(1)).toEqual([
      ['global extended header', { rule: 'P-08', text: 'global extended header with path has no effect' }],
      third,
      [
        `at byte ${tar.length + 100}`,
        { rule: 'Q-04', text: `bytes that are not zero after the end of the archive, from byte ${tar.length + 100}` },
      ],
    ])
  })

  test('bytes behind the end are counted from the beginning of the archive, in whatever chunks they come', () => {
    const tar = Buffer.concat([archive(member({ name: 'a' })), Buffer.alloc(700), Buffer.from('x')])
    for (const size of [1, 100, 513, tar.length]) {
      const told: string[] = []
      const reader = new TarReader({ member() {}, warning: (entry) => told.push(entry) })
      for (let at = 0; at < tar.length; at += size) reader.push(tar.subarray(at, at + size))
      reader.end()
      expect(told, `in chunks of ${size}`).toEqual([`at byte ${tar.length - 1}`])
    }
  })

  test('who does not listen to warnings reads the archive all the same', () => {
    const names: string[] = []
    const reader = new TarReader({ member: ({ name }) => names.push(name) })
    reader.push(
      Buffer.concat([archive(member({ type: 'V' }), pax({ path: 'x' }, 'g'), member({ name: 'a' })), Buffer.from('x')]),
    )
    reader.end()
    expect(names).toEqual(['a'])
  })
})

describe('what no archive can say is refused in words', () => {
  const plain = {
    type: '0',
    name: 'f',
    linkName: '',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0n,
    major: 0,
    minor: 0,
    xattrs: new Map(),
  } as const
  const unrepresentable = (fields: object) => {
    try {
      encodeHeader({ ...plain, ...fields })
    } catch (error) {
      expect(error).toMatchObject({ code: 'PLY_UNREPRESENTABLE', details: { where: 'an archive' } })
      const { path, reason } = (error as PlyError).details
      return [path, reason]
    }
    throw new Error('it was written')
  }
  const xattr = (key: string, value = 'v') => ({ xattrs: new Map([[key, Buffer.from(value)]]) })

  test('NULs, empty values, and names that the spelling has no room for', () => {
    expect(unrepresentable({ name: 'a\0b' })).toEqual(['a\\x00b', 'a NUL in a name'])
    expect(unrepresentable({ type: '2', linkName: 'a\0b' })).toEqual(['f', 'a NUL in a name'])
    expect(unrepresentable(xattr('user.a', ''))).toEqual(['f', 'an extended attribute without a value: user.a'])
    expect(unrepresentable(xattr(''))).toEqual(['f', 'the name of an extended attribute: '])
    expect(unrepresentable(xattr('a=b'))).toEqual(['f', 'the name of an extended attribute: a=b'])
    expect(unrepresentable(xattr('a\0b'))).toEqual(['f', 'the name of an extended attribute: a\\x00b'])
  })
})

test('a map that is whole in every form is read, so that the refusals above are of what they name', () => {
  for (const whole of [oldForm, form00, form01, form10]) {
    expect(scanned(archive(whole(file)))).toMatchObject([{ name: 'holes', size: 5000, sparse: { count: 1 } }])
  }
})
