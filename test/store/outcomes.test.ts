import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import type { ImportJudgement, LayerReport } from '../../src/image/layer-report.ts'
import { defaultLimits, type LayerLimits } from '../../src/layer/limits.ts'
import { type DiffId, digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { dir, file, gone, link, named, opaque, symlink, withXattrs } from '../layer/parts.ts'
import { archive, base256, content, gnu, header, long, member, pax, zeroBlock } from '../tar/raw.ts'

/** What a rule does to a layer: `forgiven` is refused unless lenient, and then a warning. */
type Outcome = 'warned' | 'refused' | 'forgiven'

interface Row {
  readonly rule: string
  readonly is: string
  readonly outcome: Outcome
  readonly parts?: readonly Buffer[]
  /** The blob in place of an archive of the parts. */
  readonly blob?: Buffer
  /** What the blob holds, where it is compressed. */
  readonly tar?: Buffer
  readonly mediaType?: string
  readonly size?: number
  /** The layer below. */
  readonly below?: readonly Buffer[]
  readonly limits?: Partial<LayerLimits>
  /** Where the error has none of its own for broken rules. */
  readonly code?: string
}

const x = file('x')
const tar = archive(x)
const gz = gzipSync(tar)
const n256 = 'n'.repeat(256)
/** One zstd frame of no bytes: a header of these bytes and an empty last block. */
const frame = (...head: number[]) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...head, 1, 0, 0])
const sparse = (map: string, size: number, stored: string) =>
  Buffer.concat([pax({ 'GNU.sparse.map': map, 'GNU.sparse.size': `${size}` }), file('s', stored)])

const rows: readonly Row[] = [
  // Names
  { rule: 'N-02', is: 'a name that leads out', outcome: 'refused', parts: [file('a/../../b')] },
  { rule: 'N-03', is: 'an inner ..', outcome: 'warned', parts: [file('a/../b')] },
  { rule: 'N-04', is: 'a symlink as the root', outcome: 'refused', parts: [symlink('/', 'x')] },
  { rule: 'N-06', is: 'a NUL in a name', outcome: 'refused', parts: [pax({ path: 'a\0b' }), x] },
  {
    rule: 'N-06',
    is: 'a NUL in a link text',
    outcome: 'refused',
    parts: [pax({ linkpath: 'a\0b' }), symlink('l', 't')],
  },
  { rule: 'N-08', is: 'a long name', outcome: 'refused', parts: [named(n256, file('-'))] },
  { rule: 'N-08', is: 'a whiteout of a long name', outcome: 'refused', parts: [named(`.wh.${n256}`, file('-'))] },
  { rule: 'N-10', is: 'a marker in the middle', outcome: 'refused', parts: [file('.wh.a/b')] },
  { rule: 'N-11', is: 'a loop', outcome: 'refused', parts: [symlink('a', 'b'), symlink('b', 'a'), file('a/c')] },
  { rule: 'N-12', is: 'a name twice', outcome: 'warned', parts: [file('a'), file('a')] },
  { rule: 'N-12', is: 'a directory twice', outcome: 'warned', parts: [dir('d'), dir('d')] },
  { rule: 'N-13', is: 'a symlink below', outcome: 'warned', below: [symlink('l', 't')], parts: [file('l/y')] },
  { rule: 'N-14', is: 'a file in the path', outcome: 'forgiven', parts: [file('a'), file('a/b')] },
  { rule: 'N-14', is: 'a file in the path of a whiteout', outcome: 'forgiven', parts: [file('a'), gone('a/b')] },
  // Types
  { rule: 'T-02', is: 'a file with a slash', outcome: 'warned', parts: [file('f/')] },
  { rule: 'T-05', is: 'an empty volume header', outcome: 'warned', parts: [member({ name: 'v', type: 'V' })] },
  {
    rule: 'T-05',
    is: 'a volume header with a size',
    outcome: 'refused',
    parts: [member({ name: 'v', type: 'V' }, 'x')],
  },
  { rule: 'T-05', is: 'an unknown type', outcome: 'refused', parts: [member({ name: 'q', type: 'Q' })] },
  {
    rule: 'T-06',
    is: 'a directory with a size',
    outcome: 'warned',
    parts: [header({ name: 'd', type: '5', size: 9 })],
  },
  { rule: 'T-07', is: 'a large device number', outcome: 'refused', parts: [member({ type: '3', major: 4096 })] },
  {
    rule: 'T-10',
    is: 'a layer for Windows',
    outcome: 'refused',
    parts: [pax({ 'MSWINDOWS.fileattr': '16' }), dir('Files')],
  },
  // Whiteouts
  { rule: 'W-02', is: 'a marker with content', outcome: 'warned', parts: [file('.wh.a', 'text')] },
  { rule: 'W-11', is: 'a whiteout of nothing', outcome: 'refused', parts: [file('.wh.')] },
  { rule: 'W-11', is: 'a whiteout of ..', outcome: 'refused', parts: [file('.wh...')] },
  { rule: 'W-13', is: 'an opaque file', outcome: 'refused', parts: [file('d'), opaque('d')] },
  { rule: 'W-13', is: 'an opaque file, marker first', outcome: 'refused', parts: [opaque('d'), file('d')] },
  { rule: 'W-15', is: 'housekeeping at the top', outcome: 'warned', parts: [file('.wh..wh.aufs')] },
  { rule: 'W-15', is: 'housekeeping deeper', outcome: 'refused', parts: [file('d/.wh..wh.aufs')] },
  { rule: 'W-15', is: 'the marker of the first aufs', outcome: 'warned', parts: [file('d/.wh.__dir_opaque')] },
  { rule: 'W-16', is: 'a directory among the kept inodes', outcome: 'warned', parts: [dir('.wh..wh.plnk/d')] },
  { rule: 'W-18', is: 'a whiteout twice', outcome: 'warned', parts: [gone('a'), gone('a')] },
  { rule: 'W-18', is: 'an opaque marker twice', outcome: 'warned', parts: [opaque('d'), opaque('d')] },
  // Hardlinks
  { rule: 'H-01', is: 'a target that leads out', outcome: 'refused', parts: [link('b', '../a')] },
  { rule: 'H-03', is: 'a link to itself', outcome: 'refused', parts: [link('b', 'b')] },
  { rule: 'H-03', is: 'a link to a directory', outcome: 'refused', parts: [dir('d'), link('b', 'd')] },
  { rule: 'H-03', is: 'a link to a directory below', outcome: 'refused', below: [dir('d')], parts: [link('b', 'd')] },
  { rule: 'H-05', is: 'a target that comes later', outcome: 'warned', parts: [link('b', 'a'), file('a')] },
  { rule: 'H-06', is: 'a target that is nowhere', outcome: 'refused', parts: [link('b', 'a')] },
  { rule: 'H-06', is: 'a target that is not below', outcome: 'refused', below: [x], parts: [link('b', 'a')] },
  { rule: 'H-07', is: 'other attributes', outcome: 'warned', parts: [file('a'), link('b', 'a', { uid: 5 })] },
  { rule: 'H-12', is: 'a link to a whiteout', outcome: 'refused', parts: [gone('a'), link('b', '.wh.a')] },
  // Headers
  { rule: 'F-01', is: 'a number that is none', outcome: 'refused', parts: [file('f', '', { uid: '12x' })] },
  { rule: 'F-02', is: 'a negative size', outcome: 'refused', parts: [header({ size: base256(-1n, 12) })] },
  { rule: 'F-02', is: 'a negative owner', outcome: 'refused', parts: [file('f', '', { uid: base256(-1n, 8) })] },
  { rule: 'F-03', is: 'a wrong checksum', outcome: 'refused', parts: [file('f', '', { checksum: 1 })] },
  { rule: 'F-08', is: 'a symlink without text', outcome: 'refused', parts: [symlink('l', '')] },
  {
    rule: 'F-08',
    is: 'a symlink of 4096 bytes',
    outcome: 'refused',
    parts: [long('K', 't'.repeat(4096)), symlink('l', '-')],
  },
  { rule: 'P-02', is: 'a malformed record', outcome: 'refused', parts: [pax('99 path=a\n'), x] },
  { rule: 'P-05', is: 'two extended headers', outcome: 'warned', parts: [pax({ mtime: '1' }), pax({ mtime: '2' }), x] },
  { rule: 'P-08', is: 'a global header with an owner', outcome: 'warned', parts: [pax({ uid: '5' }, 'g'), x] },
  { rule: 'P-09', is: 'a header above a mebibyte', outcome: 'refused', parts: [long('L', 'n'.repeat(1 << 20)), x] },
  { rule: 'P-10', is: 'a header without an entry', outcome: 'refused', parts: [pax({ mtime: '1' })] },
  // Sparse files
  { rule: 'S-03', is: 'a map that overlaps', outcome: 'refused', parts: [sparse('0,2,1,2', 9, 'data')] },
  { rule: 'S-03', is: 'a map beyond the size', outcome: 'refused', parts: [sparse('8,4', 9, 'data')] },
  // Attributes
  {
    rule: 'X-01',
    is: 'a value that is not base64',
    outcome: 'refused',
    parts: [pax({ 'LIBARCHIVE.xattr.user.a': '!' }), x],
  },
  {
    rule: 'X-02',
    is: 'two values',
    outcome: 'refused',
    parts: [pax({ 'SCHILY.xattr.user.a': '1', 'LIBARCHIVE.xattr.user.a': 'Mg' }), x],
  },
  { rule: 'X-06', is: 'an unknown kind', outcome: 'warned', parts: [withXattrs({ 'other.a': '1' }, x)] },
  {
    rule: 'X-07',
    is: 'a short capability',
    outcome: 'refused',
    parts: [withXattrs({ 'security.capability': 'x' }, x)],
  },
  // Compression and framing
  { rule: 'Z-01', is: 'another media type', outcome: 'warned', blob: gz, tar, mediaType: mediaTypes.ociLayerZstd },
  { rule: 'Z-02', is: 'text after gzip', outcome: 'forgiven', blob: Buffer.concat([gz, Buffer.from('text')]), tar },
  {
    rule: 'Z-02',
    is: 'text after NULs after gzip',
    outcome: 'forgiven',
    blob: Buffer.concat([gz, Buffer.alloc(70_000), Buffer.from('text')]),
    tar,
  },
  { rule: 'Z-03', is: 'a window of 256 MiB', outcome: 'refused', blob: frame(0, 0x90), tar: Buffer.alloc(0) },
  { rule: 'Z-03', is: 'a dictionary', outcome: 'refused', blob: frame(0x21, 7, 0), tar: Buffer.alloc(0) },
  { rule: 'Z-04', is: 'a gzip cut off', outcome: 'refused', blob: gz.subarray(0, -4), tar },
  { rule: 'Z-04', is: 'a tar cut off', outcome: 'refused', blob: file('f', 'text').subarray(0, 514) },
  {
    rule: 'Z-05',
    is: 'another size',
    outcome: 'refused',
    blob: gz,
    tar,
    size: gz.length + 1,
    code: 'PLY_SIZE_MISMATCH',
  },
  { rule: 'Q-02', is: 'a header after a zero block', outcome: 'refused', parts: [x, zeroBlock, file('y')] },
  { rule: 'Q-04', is: 'text after the end', outcome: 'warned', blob: Buffer.concat([tar, content('text')]) },
  {
    rule: 'Q-07',
    is: 'an encrypted layer',
    outcome: 'refused',
    mediaType: `${mediaTypes.ociLayerGzip}+encrypted`,
    code: 'PLY_UNSUPPORTED',
  },
]

function layerOf({ parts = [x], blob = archive(...parts), tar: holds = blob, mediaType, size }: Row): Layer {
  const usual =
    blob === holds ? mediaTypes.ociLayer : blob[0] === 0x1f ? mediaTypes.ociLayerGzip : mediaTypes.ociLayerZstd
  const descriptor = { mediaType: mediaType ?? usual, digest: digestOf(blob), size: size ?? blob.length }
  return {
    ...layerFromBlob(descriptor, digestOf(holds) as DiffId, () => streamOf(memoryBytes(blob))),
    compressed: () => streamOf(memoryBytes(blob)),
  }
}

/** `warned` or `refused` with the rule, or `accepted`. */
async function outcomeOf(row: Row, judgement: ImportJudgement): Promise<string> {
  await using store = await openStore(':memory:')
  const below = row.below === undefined ? scratch : append(scratch, layerOf({ ...row, parts: row.below }))
  const image = append(below, layerOf(row))
  const reports: LayerReport[] = []
  try {
    await store.write(image, 'a', { ...judgement, onReport: (report) => reports.push(report) })
  } catch (error) {
    const { code, details, message } = error as { code: string; message: string; details: Record<string, string> }
    expect(await store.images()).toEqual([])
    if (row.code !== undefined) return code === row.code ? `refused ${row.rule}` : `refused with ${code}`
    expect(code).toMatch(/^PLY_BAD_(LAYER|COMPRESSION)$/)
    expect(message).toContain(details.rule)
    if (code === 'PLY_BAD_LAYER') expect(message).toContain(details.entry)
    return `refused ${details.rule}${details.option === undefined ? '' : ` (${details.option})`}`
  }
  const warnings = reports.flatMap((report) => report.warnings)
  for (const { layer, warningCount, warningsByRule } of reports) {
    expect(warningCount).toBe(warnings.length * (layer === reports.length - 1 ? 1 : 0))
    expect(Object.values(warningsByRule).reduce((sum, count) => sum + count, 0)).toBe(warningCount)
  }
  if (warnings.length === 0) return 'accepted'
  for (const { entry, text } of warnings) {
    expect(entry).not.toBe('')
    expect(text).not.toBe('')
  }
  return `warned ${[...new Set(warnings.map(({ rule }) => rule))].join(' ')}`
}

describe('what each rule does, as it is, with strict, with lenient, and with both', () => {
  const expected: Readonly<Record<Outcome, readonly string[]>> = {
    warned: ['warned', 'refused (strict)', 'warned', 'refused (strict)'],
    refused: ['refused', 'refused', 'refused', 'refused'],
    forgiven: ['refused (lenient)', 'refused (lenient)', 'warned', 'refused (strict)'],
  }
  for (const row of rows) {
    test(`${row.rule}: ${row.is} is ${row.outcome}`, async () => {
      const found: string[] = []
      for (const [strict, lenient] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true],
      ])
        found.push(await outcomeOf(row, { strict, lenient }))
      const rule = (text: string) => text.replace(/^\w+/, (word) => `${word} ${row.rule}`)
      // Some refusals name the limit that could be raised.
      expect(found.map((text) => text.replace(/ \(limits\.\w+\)$/, ''))).toEqual(expected[row.outcome].map(rule))
    })
  }
})

describe('section 17: what exceeds a budget is refused with the number and the option that raises it', () => {
  const attributes = withXattrs({ 'user.a': 'v'.repeat(100), 'user.b': 'v'.repeat(100) }, x)
  const steps = [...'abcd'].map((name, i) => symlink(name, 'bcde'[i]!))
  const bomb = archive(file('zeros', '\0'.repeat(70 << 20)), member({ name: 'noise' }, randomBytes(1 << 20)))
  const cases: readonly (readonly [keyof LayerLimits, number, Partial<Row>])[] = [
    ['entries', 2, { parts: [file('a'), file('b'), file('c')] }],
    ['depth', 2, { parts: [file('a/b/c')] }],
    ['depth', 2, { parts: [gone('a/b/c/d')] }],
    ['logicalSize', 5, { parts: [file('a', 'four'), file('b', 'four')] }],
    ['xattrSize', 99, { parts: [attributes] }],
    ['xattrsSize', 150, { parts: [attributes] }],
    ['symlinkSteps', 3, { parts: [...steps, file('a/f')] }],
    ['sparseEntries', 1, { parts: [sparse('0,2,4,2', 9, 'data')] }],
    ['zstdWindow', 1024, { blob: frame(0, 0x08), tar: Buffer.alloc(0) }],
    ['expansion', 10, { blob: gzipSync(bomb), tar: bomb }],
  ]
  const names = new Set(cases.map(([name]) => name))

  test('every budget is in the table', () => {
    expect([...names].sort()).toEqual(Object.keys(defaultLimits).sort())
  })

  for (const [name, limit, row] of cases) {
    test(`${name} of ${limit}`, async () => {
      const image = append(scratch, layerOf({ rule: 'section 17', is: name, outcome: 'refused', ...row }))
      await using store = await openStore(':memory:')
      const writing = store.write(image, 'a', { limits: { [name]: limit }, lenient: true })
      await expect(writing).rejects.toMatchObject({
        code: expect.stringMatching(/^PLY_(BUDGET|BAD_LAYER|BAD_COMPRESSION)$/),
        message: expect.stringContaining(String(limit)),
        details: { option: `limits.${name}` },
      })
      await store.write(image, 'a')
    })
  }
})

test('P-05: what is found many times of one entry is counted as often, and told once', async () => {
  await using store = await openStore(':memory:')
  const parts = [...Array.from({ length: 50 }, () => pax({ mtime: '1' })), x]
  const reports: LayerReport[] = []
  const image = append(scratch, layerOf({ rule: 'P-05', is: '', outcome: 'warned', parts }))
  await store.write(image, 'a', { onReport: (report) => reports.push(report) })
  expect(reports).toMatchObject([{ warningCount: 49, warningsByRule: { 'P-05': 49 }, warnings: [{ rule: 'P-05' }] }])
})

test('F-04: headers of GNU and of the old form are read like any other', async () => {
  const old = member({ name: 'old', magic: '' })
  await expect(
    outcomeOf({ rule: 'F-04', is: '', outcome: 'warned', parts: [old, member({ name: 'gnu', magic: gnu })] }, {}),
  ).resolves.toBe('accepted')
})
