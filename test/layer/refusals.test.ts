import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type ImportOptions, importLayer, rebuildIndex } from '../../src/layer/import.ts'
import type { IndexOptions } from '../../src/layer/index-tar.ts'
import { Findings } from '../../src/layer/report.ts'
import { digestOf } from '../../src/model/digest.ts'
import { PlyError } from '../../src/model/errors.ts'
import { inChunks } from '../support/collect.ts'
import { archive, pax } from '../tar/raw.ts'
import { layerOf } from './layer.ts'
import { dir, file, gone, link, named, opaque, symlink, withXattrs } from './parts.ts'

const refusalOf = async (reading: Promise<unknown>) => {
  const error = await reading.then(
    () => undefined,
    (reason) => reason,
  )
  if (!(error instanceof PlyError)) throw error ?? new Error('it was accepted')
  return { code: error.code, ...error.details }
}

const badLayer = (entry: string, rule: string, reason: string, option?: string) => ({
  code: 'PLY_BAD_LAYER',
  entry,
  rule,
  reason,
  ...(option && { option }),
})
const overBudget = (entry: string, what: string, limit: number, option: string) => ({
  code: 'PLY_BUDGET',
  entry,
  what,
  limit,
  option,
})
const n256 = 'n'.repeat(256)
const capability = (bytes: number, revision: number) =>
  String.fromCharCode(0, 0, 0, revision).padEnd(bytes, '\0').slice(0, bytes)
const obstacle = (path: string) => `${path} is in the way, which the layer has as something other than a directory`

describe('a refusal names the entry, the rule, and what is wrong in words', () => {
  test.each<[string, readonly Buffer[], ReturnType<typeof badLayer>]>([
    ['a name that leads out', [file('a/../../b')], badLayer('a/../../b', 'N-02', 'its name leads out of the root')],
    ['a file as the root', [file('./')], badLayer('./', 'N-04', 'only a directory can be the root')],
    ['a name that is too long', [named(n256, file('-'))], badLayer(n256, 'N-08', 'its name is longer than 255 bytes')],
    [
      'a component that is too long',
      [named(`${n256}/a`, file('-'))],
      badLayer(`${n256}/a`, 'N-08', 'a component of its path is longer than 255 bytes'),
    ],
    [
      'a whiteout of a name that is too long',
      [named(`.wh.${n256}`, file('-'))],
      badLayer(`.wh.${n256}`, 'N-08', 'the name it removes is longer than 255 bytes'),
    ],
    [
      'a marker in the middle',
      [file('a/.wh.b/c')],
      badLayer('a/.wh.b/c', 'N-10', 'a component of its path starts with .wh.'),
    ],
    [
      'a loop of symlinks',
      [symlink('a', 'a'), file('a/b')],
      badLayer(
        'a/b',
        'N-11',
        'its path goes through more than 255 symlinks, or through a loop of them',
        'limits.symlinkSteps',
      ),
    ],
    ['a file on the way', [file('a'), file('a/b/c')], badLayer('a/b/c', 'N-14', obstacle('a'), 'lenient')],
    [
      'a file on the way, further down',
      [file('a/\xe9'), gone('a/\xe9/c')],
      badLayer('a/\\xe9/.wh.c', 'N-14', obstacle('a/\\xe9'), 'lenient'),
    ],
    ['a file that is marked opaque', [file('a'), opaque('a')], badLayer('a/.wh..wh..opq', 'W-13', obstacle('a'))],
    [
      'a file in place of what is marked opaque',
      [opaque('a'), file('a')],
      badLayer('a', 'W-13', 'the layer marks this as an opaque directory, and it is none'),
    ],
    ['a whiteout of nothing', [file('a/.wh.')], badLayer('a/.wh.', 'W-11', 'a whiteout of nothing')],
    ['a whiteout of a dot', [file('.wh..')], badLayer('.wh..', 'W-11', 'a whiteout of nothing')],
    ['a whiteout of two dots', [file('.wh...')], badLayer('.wh...', 'W-11', 'a whiteout of nothing')],
    ['an unknown marker', [file('a/.wh..wh.x')], badLayer('a/.wh..wh.x', 'W-15', 'an unknown marker')],
    ['a symlink to nothing', [symlink('a', '')], badLayer('a', 'F-08', 'a symlink without a target')],
    [
      'a symlink with a long text',
      [pax({ linkpath: 'l'.repeat(4096) }), symlink('a', '')],
      badLayer('a', 'F-08', 'a symlink of 4096 bytes; no kernel takes more than 4095'),
    ],
    ['a hardlink to itself', [link('a', './a')], badLayer('a', 'H-03', 'a hardlink to itself')],
    ['a hardlink to a directory', [dir('d'), link('a', 'd')], badLayer('a', 'H-03', 'a hardlink to a directory')],
    [
      'a hardlink to a directory that comes later',
      [link('a', 'd'), dir('d')],
      badLayer('d', 'H-03', 'a hardlink before it names this directory as its target'),
    ],
    [
      'a hardlink by way of a later symlink to a directory',
      [link('a', 'l/d'), symlink('l', 'real'), dir('real/d')],
      badLayer('a', 'H-03', 'a hardlink to a directory'),
    ],
    [
      'hardlinks in a ring',
      [link('a', 'b'), link('b', 'a')],
      badLayer('b', 'H-03', 'hardlinks that only point at each other'),
    ],
    [
      'a hardlink that leads out',
      [link('a', '../b')],
      badLayer('a', 'H-01', 'the target of the hardlink leads out of the root'),
    ],
    ['a hardlink to the root', [link('a', '/')], badLayer('a', 'H-03', 'a hardlink to the root')],
    ['a hardlink to a whiteout', [link('a', 'd/.wh.b')], badLayer('a', 'H-12', 'a hardlink to a whiteout')],
    [
      'a hardlink to a long name',
      [pax({ linkpath: `d/${n256}` }), link('a', 'x')],
      badLayer('a', 'N-08', 'a component of the target of the hardlink is longer than 255 bytes'),
    ],
    [
      'a hardlink into the folder of aufs that nothing is in',
      [link('a', '.wh..wh.plnk/1.2')],
      badLayer('a', 'H-06', 'the target of the hardlink is not in the layer and cannot be below'),
    ],
    [
      'a capability that is none',
      [withXattrs({ 'security.capability': capability(20, 3) }, file('a'))],
      badLayer('a', 'X-07', 'a capability of 20 bytes and revision 3'),
    ],
    [
      'a capability of no revision',
      [withXattrs({ 'security.capability': 'abc' }, file('a'))],
      badLayer('a', 'X-07', 'a capability of 3 bytes and revision none'),
    ],
    [
      'a layer for Windows',
      [pax({ 'MSWINDOWS.fileattr': '32' }), dir('Files')],
      badLayer('Files', 'T-10', 'this is a layer for Windows, which plyfs does not read'),
    ],
  ])('%s', async (_, parts, expected) => {
    expect(await refusalOf(layerOf(archive(...parts)))).toEqual(expected)
  })

  test('names on either side of what they may be are accepted', async () => {
    const windows = (name: string) => layerOf(archive(pax({ 'MSWINDOWS.fileattr': '32' }), dir(name)))
    for (const name of ['a/Files', 'Filesystem', 'a/Hives/b']) expect((await windows(name)).report.entries).toBe(1)
    const long = layerOf(archive(pax({ linkpath: 'l'.repeat(4095) }), symlink('a', '')))
    const { view } = await long
    const verdict = view.lookup(view.root.ino, 'a')
    expect(verdict.says === 'entry' && view.readlink(verdict.ino).length).toBe(4095)
    for (const [bytes, revision] of [
      [12, 1],
      [20, 2],
      [24, 3],
    ] as const) {
      const capable = withXattrs({ 'security.capability': capability(bytes, revision) }, file('a'))
      expect((await layerOf(archive(capable))).report.warnings).toEqual([])
    }
    const target = `d/${'n'.repeat(255)}`
    expect((await layerOf(archive(pax({ linkpath: target }), link('a', 'x')))).view.linksBelow).toBe(true)
  })

  test.each<[string, readonly Buffer[], IndexOptions, ReturnType<typeof overBudget>]>([
    [
      'entries',
      [file('a'), file('b')],
      { limits: { entries: 1 } },
      overBudget('b', 'the number of entries', 1, 'limits.entries'),
    ],
    [
      'bytes of files',
      [file('a', 'xx'), file('b', 'xx')],
      { limits: { logicalSize: 3 } },
      overBudget('b', 'the size of all files', 3, 'limits.logicalSize'),
    ],
    [
      'components of a name',
      [file('a/b/c')],
      { limits: { depth: 2 } },
      overBudget('a/b/c', 'its path', 2, 'limits.depth'),
    ],
    [
      'components on the way',
      [file('a/b/c/d')],
      { limits: { depth: 2 } },
      overBudget('a/b/c/d', 'its path', 2, 'limits.depth'),
    ],
    [
      'components of a target',
      [link('x', 'a/b/c')],
      { limits: { depth: 2 } },
      overBudget('x', 'the target of the hardlink', 2, 'limits.depth'),
    ],
    [
      'bytes of an attribute',
      [withXattrs({ 'user.a': 'xxx' }, file('a'))],
      { limits: { xattrSize: 2 } },
      overBudget('a', 'attribute user.a', 2, 'limits.xattrSize'),
    ],
    [
      'bytes of attributes',
      [withXattrs({ 'user.a': 'x', 'user.b': 'x' }, file('a'))],
      { limits: { xattrsSize: 23 } },
      overBudget('a', 'the size of its attributes', 23, 'limits.xattrsSize'),
    ],
  ])('budgets: %s', async (_, parts, options, expected) => {
    expect(await refusalOf(layerOf(archive(...parts), options))).toEqual(expected)
    const [limit] = Object.keys(options.limits!)
    const enough = { limits: { [limit!]: expected.limit + 2 } }
    expect((await layerOf(archive(...parts), enough)).report.warnings).toEqual([])
  })
})

describe('a warning names the entry, the rule, and what is odd', () => {
  const warningsOf = async (parts: readonly Buffer[], options: IndexOptions = {}) =>
    (await layerOf(archive(...parts), options)).report.warnings

  test.each<[string, readonly Buffer[], string, string, string, IndexOptions?]>([
    ['an inner ..', [file('a/../b')], 'a/../b', 'N-03', 'its name has an inner .., which was resolved'],
    [
      'a name twice',
      [file('a'), file('./a')],
      './a',
      'N-12',
      'the layer has this name more than once; the last one counts',
    ],
    [
      'a directory twice',
      [dir('a'), dir('a/')],
      'a/',
      'N-12',
      'the layer has this name more than once; the last one counts',
    ],
    ['a file on the way', [file('a'), file('a/b')], 'a/b', 'N-14', obstacle('a'), { lenient: true }],
    ['a marker with content', [file('.wh.a', 'x')], '.wh.a', 'W-02', 'a marker that is not an empty regular file'],
    ['a marker that is a directory', [dir('.wh.a')], '.wh.a', 'W-02', 'a marker that is not an empty regular file'],
    ['housekeeping of aufs', [file('.wh..wh.aufs')], '.wh..wh.aufs', 'W-15', 'housekeeping of aufs, ignored'],
    [
      'a marker of the first aufs',
      [file('d/.wh.__dir_opaque')],
      'd/.wh.__dir_opaque',
      'W-15',
      'an opaque marker of the first aufs is an ordinary whiteout',
    ],
    ['a whiteout twice', [gone('a'), gone('a')], '.wh.a', 'W-18', 'the same marker twice'],
    [
      'a whiteout twice of what is there',
      [file('a'), gone('a'), gone('./a')],
      './.wh.a',
      'W-18',
      'the same marker twice',
    ],
    ['an opaque marker twice', [opaque('d'), opaque('d')], 'd/.wh..wh..opq', 'W-18', 'the same marker twice'],
    ['a directory in the folder of aufs', [dir('.wh..wh.plnk/d')], '.wh..wh.plnk/d', 'W-16', 'ignored'],
    ['a symlink in the folder of aufs', [symlink('.wh..wh.plnk/d', 'x')], '.wh..wh.plnk/d', 'W-16', 'ignored'],
    [
      'a target with an inner ..',
      [file('b'), link('a', 'x/../b')],
      'a',
      'N-03',
      'the target of the hardlink has an inner .., which was resolved',
    ],
    ['a link before its target', [link('a', 'b'), file('b')], 'a', 'H-05', 'the target of the hardlink comes after it'],
    [
      'a link of another mode',
      [file('b'), link('a', 'b', { mode: 0o600 })],
      'a',
      'H-07',
      'its attributes differ from those of its target, which count',
    ],
    [
      'a link of another owner',
      [file('b'), link('a', 'b', { uid: 1 })],
      'a',
      'H-07',
      'its attributes differ from those of its target, which count',
    ],
    [
      'a link of another group',
      [file('b'), link('a', 'b', { gid: 1 })],
      'a',
      'H-07',
      'its attributes differ from those of its target, which count',
    ],
    [
      'a link of another time',
      [file('b'), link('a', 'b', { mtime: 1 })],
      'a',
      'H-07',
      'its attributes differ from those of its target, which count',
    ],
    [
      'an attribute of no known kind',
      [withXattrs({ [`odd.${'k'.repeat(80)}`]: 'x' }, file('a'))],
      'a',
      'X-06',
      `the attribute odd.${'k'.repeat(60)} is of no kind that an index can hold; left out`,
    ],
  ])('%s', async (_, parts, entry, rule, text, options) => {
    expect(await warningsOf(parts, options)).toEqual([{ rule, entry, text }])
  })

  test('nothing is warned of where nothing is odd', async () => {
    const plain = [
      dir('d'),
      file('d/a', 'x'),
      link('d/b', 'd/a'),
      symlink('l', 'd'),
      link('m', 'l', { mode: 0o600 }),
      gone('x'),
      opaque('d'),
    ]
    expect(await warningsOf(plain)).toEqual([])
  })

  test('the name of an entry is cut off after a thousand bytes, and not before', async () => {
    const path = (size: number) => `${'d/'.repeat(size).slice(0, size - 3)}/..`
    for (const size of [999, 1000]) {
      const exact = `${`${'./'.repeat(500)}`.slice(0, size - 4)}a/..`
      expect(exact).toHaveLength(size)
      const [warning] = await warningsOf([named(`${exact}`, dir('-'))])
      expect(warning).toMatchObject({ rule: 'N-03', entry: exact })
    }
    const long = path(1002)
    const [warning] = await warningsOf([named(long, dir('-'))])
    expect(warning!.entry).toBe(`${long.slice(0, 1000)}…`)
  })

  test('with strict each is a refusal that says so', async () => {
    const strict = layerOf(archive(file('a'), file('a')), { strict: true })
    const reason = 'the layer has this name more than once; the last one counts'
    expect(await refusalOf(strict)).toEqual(badLayer('a', 'N-12', reason, 'strict'))
    const forgiven = layerOf(archive(file('a'), file('a/b')), { strict: true, lenient: true })
    expect(await refusalOf(forgiven)).toEqual(badLayer('a/b', 'N-14', obstacle('a'), 'strict'))
  })
})

describe('findings', () => {
  test('are counted, by rule and in byte order of the rules, and those of another reading are gone on from', () => {
    const findings = new Findings(false, true)
    findings.warn('b', 'Z-01', 'later')
    findings.warn('a', 'N-12', 'one', 3)
    findings.forgive('c', 'N-14', 'two')
    findings.warn('a', 'N-12', 'one')
    findings.entries = 4
    const report = findings.report()
    expect(report).toEqual({
      warnings: [
        { rule: 'Z-01', entry: 'b', text: 'later' },
        { rule: 'N-12', entry: 'a', text: 'one' },
        { rule: 'N-14', entry: 'c', text: 'two' },
        { rule: 'N-12', entry: 'a', text: 'one' },
      ],
      warningCount: 6,
      warningsByRule: { 'N-12': 4, 'N-14': 1, 'Z-01': 1 },
      entries: 4,
    })
    expect(Object.keys(report.warningsByRule)).toEqual(['N-12', 'N-14', 'Z-01'])
    expect(findings.forgiven).toBe(1)
    const more = Findings.continued({ report, forgiven: 1 }, false, true)
    expect([more.report(), more.forgiven]).toEqual([report, 1])
    more.warn('d', 'A-01', 'more')
    more.forgive('e', 'N-14', 'again')
    expect(more.report().warningsByRule).toEqual({ 'A-01': 1, 'N-12': 4, 'N-14': 2, 'Z-01': 1 })
    expect([more.report().warningCount, more.forgiven, more.report().warnings.length]).toEqual([8, 2, 6])
    expect(report.warnings).toHaveLength(4)
    expect(() => Findings.continued({ report, forgiven: 0 }).forgive('e', 'N-14', 'x')).toThrow(PlyError)
    expect(() => Findings.continued({ report, forgiven: 0 }, true).warn('e', 'N-14', 'x')).toThrow(PlyError)
  })

  test('the first thousand are kept', () => {
    const findings = new Findings()
    for (let i = 0; i < 1001; i++) findings.warn(`e${i}`, 'N-12', 'x')
    const { warnings, warningCount } = findings.report()
    expect([warnings.length, warnings.at(-1)!.entry, warningCount]).toEqual([1000, 'e999', 1001])
  })
})

describe('what is not the layer that was asked for is told by name, and by what it is', () => {
  const tar = archive(dir('d'), file('d/a', 'a'.repeat(1000)))
  const blob = gzipSync(tar)
  const digest = digestOf(blob)
  const diffId = digestOf(tar)
  const other = digestOf(Buffer.from('other'))
  const read = (bytes: Buffer, options: ImportOptions = {}, size = bytes.length) =>
    importLayer(inChunks(bytes, size), { blob: { write() {} }, openTar: async () => ({ write() {} }) }, options)
  const mismatch = (what: string, expected: unknown, actual: unknown, code = 'PLY_DIGEST_MISMATCH') => ({
    code,
    what,
    expected,
    actual,
  })

  test('digests of the blob and of the tar', async () => {
    expect(await refusalOf(read(blob, { expected: { digest: other } }))).toEqual(mismatch(other, other, digest))
    expect(await refusalOf(read(blob, { expected: { diffId: other } }))).toEqual(
      mismatch('the tar of the layer', other, diffId),
    )
    expect(await refusalOf(read(blob, { expected: { digest, diffId: other } }))).toEqual(
      mismatch(`the tar of ${digest}`, other, diffId),
    )
    expect((await read(blob, { expected: { digest, diffId, size: blob.length } })).blob).toEqual({
      digest,
      size: blob.length,
    })
    expect((await read(tar, { expected: { digest: diffId, diffId, size: tar.length } })).diffId).toBe(diffId)
    expect(await refusalOf(rebuildIndex(inChunks(tar, 100), { expected: { diffId: other } }))).toEqual(
      mismatch(other, other, diffId),
    )
  })

  test('sizes, as soon as there is more than there should be', async () => {
    const size = blob.length
    expect(await refusalOf(read(blob, { expected: { size: size - 1 } }))).toEqual(
      mismatch('the layer', size - 1, `at least ${size}`, 'PLY_SIZE_MISMATCH'),
    )
    expect(await refusalOf(read(blob, { expected: { digest, size: 15 } }, 10))).toEqual(
      mismatch(digest, 15, 'at least 20', 'PLY_SIZE_MISMATCH'),
    )
    expect(await refusalOf(read(blob, { expected: { size: size + 1 } }))).toEqual(
      mismatch('the layer', size + 1, size, 'PLY_SIZE_MISMATCH'),
    )
    expect(await refusalOf(rebuildIndex(inChunks(tar, 100), { expected: { size: 1 } }))).toEqual(
      mismatch('the tar', 1, tar.length, 'PLY_SIZE_MISMATCH'),
    )
    expect((await rebuildIndex(inChunks(tar, 100), { expected: { size: tar.length } })).diffId).toBe(diffId)
  })

  test('bytes that make no sense are another blob where a digest was asked for, and a bad layer where it was these', async () => {
    const rubbish = Buffer.alloc(2000, 'x')
    expect(await refusalOf(read(rubbish, { expected: { digest } }, 300))).toEqual(
      mismatch(digest, digest, digestOf(rubbish)),
    )
    const bad = badLayer('at byte 0', 'F-03', 'this is not a tar header: its checksum does not match')
    expect(await refusalOf(read(rubbish, { expected: { digest: digestOf(rubbish) } }, 300))).toEqual(bad)
    expect(await refusalOf(read(rubbish))).toEqual(bad)
    const over = overBudget('d', 'the number of entries', 0, 'limits.entries')
    expect(await refusalOf(read(blob, { expected: { digest: other }, limits: { entries: 0 } }))).toEqual(over)
  })

  test.each([
    ['xz', '\xfd7zXZ\0'],
    ['bzip2', 'BZh9'],
    ['lz4', '\x04\x22\x4d\x18'],
    ['lzip', 'LZIP'],
  ])('what is compressed with %s is told by its beginning', async (name, magic) => {
    const reason = `it seems to be compressed with ${name}; layers are tar, plain or compressed with gzip or zstd`
    const bytes = Buffer.alloc(1500, 'x')
    bytes.write(magic, 0, 'latin1')
    for (const size of [bytes.length, 512]) {
      expect(await refusalOf(read(bytes, {}, size))).toEqual(badLayer('the whole archive', 'F-03', reason))
    }
    const inside = Buffer.alloc(1500, 'x')
    inside.write(magic, 1, 'latin1')
    expect(await refusalOf(read(inside))).toMatchObject({ entry: 'at byte 0' })
  })

  test('what a media type says of compression is compared, where it says anything', async () => {
    const warnings = async (bytes: Buffer, mediaType: string) =>
      (await read(bytes, { mediaType })).findings.report().warnings
    const layer = 'application/vnd.oci.image.layer.v1.tar'
    const text = (type: string, says: string, are: string) => [
      { rule: 'Z-01', entry: 'the whole archive', text: `the media type ${type} says ${says}, the bytes say ${are}` },
    ]
    expect(await warnings(blob, layer)).toEqual(text(layer, 'none', 'gzip'))
    expect(await warnings(tar, `${layer}+gzip`)).toEqual(text(`${layer}+gzip`, 'gzip', 'none'))
    expect(await warnings(blob, `${layer}+zstd`)).toEqual(text(`${layer}+zstd`, 'zstd', 'gzip'))
    const docker = 'application/vnd.docker.image.rootfs.diff.tar'
    expect(await warnings(tar, `${docker}.gzip`)).toEqual(text(`${docker}.gzip`, 'gzip', 'none'))
    for (const type of [`${layer}+gzip`, `${docker}.gzip`, 'application/octet-stream', 'a+gzip+x'])
      expect(await warnings(blob, type)).toEqual([])
    for (const type of [layer, 'application/octet-stream']) expect(await warnings(tar, type)).toEqual([])
  })

  test('Q-07: what is encrypted is refused before it is read', async () => {
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted'
    const unsupported = {
      code: 'PLY_UNSUPPORTED',
      what: `the layer type ${mediaType}`,
      reason: 'it is encrypted (Q-07)',
    }
    expect(await refusalOf(read(blob, { mediaType }))).toEqual(unsupported)
  })

  test('Z-02: bytes behind the last gzip member are refused, or left out and told', async () => {
    const trailing = Buffer.concat([blob, Buffer.from('more')])
    expect(await refusalOf(read(trailing))).toMatchObject({ code: expect.stringMatching(/^PLY_BAD_/) })
    const { findings, diffId: found } = await read(trailing, { lenient: true })
    expect(found).toBe(diffId)
    expect(findings.report().warnings).toEqual([
      { rule: 'Z-02', entry: 'the whole archive', text: 'bytes after the last gzip member, left out' },
    ])
    expect(findings.forgiven).toBe(1)
  })

  test('progress names the layer, how much of it is here, and of how much where that is known', async () => {
    const told: object[] = []
    const onProgress = (step: object) => void told.push(step)
    await read(tar, { onProgress }, 1000)
    await read(tar, { onProgress, expected: { digest: diffId, size: tar.length } })
    await rebuildIndex(inChunks(tar, tar.length), { onProgress })
    await rebuildIndex(inChunks(tar, tar.length), { onProgress, expected: { diffId, size: tar.length } })
    expect(told).toEqual([
      { what: 'the layer', done: 1000 },
      { what: 'the layer', done: 2000 },
      { what: 'the layer', done: 3000 },
      { what: 'the layer', done: tar.length },
      { what: diffId, done: tar.length, total: tar.length },
      { what: 'the tar', done: tar.length },
      { what: diffId, done: tar.length, total: tar.length },
    ])
  })
})
