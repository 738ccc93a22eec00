import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { dir, file, named } from '../layer/parts.ts'
import { archive, header, pax } from '../tar/raw.ts'
import { form10 } from '../tar/sparse-forms.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const at = (name: string) => join(directory, name)
const run = (...argv: string[]) => ply([...argv, '--root', root])
const put = (name: string, content: Uint8Array) => {
  writeFileSync(at(name), content)
  return at(name)
}

const odd = put(
  'odd.tar',
  archive(file('a', 'one'), file('a', 'two'), dir('d'), dir('d'), file('e\x1b[2J'), file('e\x1b[2J')),
)

test('import prints what is odd on stderr, a line each, with the entry and the rule', async () => {
  const { code, out, err } = await run('import', odd, 'odd')
  expect(code).toBe(0)
  expect(out).toMatch(/^sha256:[0-9a-f]{64}\n$/)
  expect(err.split('\n').filter((line) => line.startsWith('warning:'))).toEqual([
    expect.stringMatching(/^warning: layer 0 \(sha256:[0-9a-f]{12}\): a: the layer has this name .*\(N-12\)$/),
    expect.stringMatching(/^warning: layer 0 \(sha256:[0-9a-f]{12}\): d: .*\(N-12\)$/),
    expect.stringMatching(/^warning: layer 0 \(sha256:[0-9a-f]{12}\): e\\x1b\[2J: .*\(N-12\)$/),
  ])
})

test('--json has what was found; a layer that is here already is known, and not judged again', async () => {
  const { out } = await run('import', odd, 'odd2', '--json')
  expect(JSON.parse(out)).toMatchObject({
    digest: expect.stringMatching(/^sha256:/),
    layers: [{ layer: 0, known: true, warningCount: 0, compression: 'none' }],
  })
})

test('--strict refuses what gives a warning, says which rule, and leaves nothing', async () => {
  const before = readdirSync(join(root, 'names')).length
  const { code, out, err } = await run('import', odd, 'never', '--strict', '--report', at('failed.json'))
  expect(code).toBe(4)
  expect(out).toBe('')
  expect(err).toContain('layer entry a: the layer has this name more than once; the last one counts (N-12)')
  expect(err).toContain('without --strict this is a warning')
  expect(JSON.parse(readFileSync(at('failed.json'), 'utf8'))).toMatchObject({
    images: [],
    error: { code: 'PLY_BAD_LAYER', details: { rule: 'N-12', entry: 'a' } },
  })
  expect(readdirSync(join(root, 'names'))).toHaveLength(before)
})

test('a broken rule of a header is told with its entry, also of a tar that is imported by itself', async () => {
  const owner = put('owner.tar', archive(header({ name: 'first', uid: '\xff'.repeat(8) })))
  const attributes = put(
    'attributes.tar',
    archive(file('first'), pax({ 'SCHILY.xattr.user.a': 'x', 'LIBARCHIVE.xattr.user.a': 'eQ==' }), file('second')),
  )
  for (const [tar, entry, rule] of [
    [owner, 'first', 'F-02'],
    [attributes, 'second', 'X-02'],
  ] as const) {
    const { code, err } = await run('import', tar, 'never', '--json')
    expect([code, err]).toEqual([4, expect.stringContaining(`layer entry ${entry}: `)])
    expect(err).toContain(`(${rule})`)
    expect(err).toContain('docs/layer-semantics.md')
  }
  const cut = put('cut.tar', readFileSync(attributes).subarray(0, 1536))
  const { code, err } = await run('import', cut, 'never')
  expect([code, err]).toEqual([4, expect.stringMatching(/cut\.tar: .*truncated or damaged \((Z-04|P-10)\)/)])
})

test('--limit sparseEntries counts for a tar that is imported by itself', async () => {
  const long = `1000001\n${'0\n0\n'.repeat(1_000_001)}`
  const longer = put('longer.tar', archive(form10({ name: 'f', size: 0, runs: [] }, long)))
  expect(await run('import', longer, 'longer')).toMatchObject({ code: 8 })
  expect(await run('import', longer, 'longer', '--limit', 'sparseEntries=2M')).toMatchObject({ code: 0 })
})

test('many warnings are summed up; --report has the first thousand of a layer, and counts all by rule', async () => {
  const many = put(
    'many.tar',
    archive(...Array.from({ length: 1200 }, (_, i) => [file(`f${i}`), file(`f${i}`)]).flat()),
  )
  const { err } = await run('import', many, 'many', '--report', at('many.json'))
  expect(err.split('\n').filter((line) => line.startsWith('warning:'))).toHaveLength(20)
  expect(err).toContain(
    `… and 1180 more (${at('many.json')} has the first thousand of each layer, and counts them all)`,
  )
  const { images } = JSON.parse(readFileSync(at('many.json'), 'utf8'))
  expect(images).toMatchObject([
    {
      name: 'many',
      layers: [{ warningCount: 1200, warningsByRule: { 'N-12': 1200 }, entries: 2400 }],
      recompressed: [],
    },
  ])
  expect(images[0].layers[0].warnings).toHaveLength(1000)

  const some = put('some.tar', archive(...Array.from({ length: 30 }, (_, i) => [file(`f${i}`), file(`f${i}`)]).flat()))
  const { err: short } = await run('import', some, 'some')
  expect(short).toContain('… and 10 more (--report FILE has them all)')
  expect((await run('import', some, 'some', '-q')).err).toBe('')
})

test('--report - takes stdout for itself, and nothing else does', async () => {
  const { out, err } = await run('import', odd, 'odd', '--report', '-')
  expect(JSON.parse(out)).toMatchObject({ images: [{ name: 'odd', layers: [{ known: true }] }] })
  expect(err).toMatch(/sha256:[0-9a-f]{64}/)
  expect((await run('import', odd, 'odd', '--report', '-', '--json')).code).toBe(2)
  expect((await run('copy', 'odd', 'oci-archive:-', '--report', '-')).code).toBe(2)
})

test('--lenient takes with a warning what is refused otherwise, and the refusal says so', async () => {
  const blocked = put(
    'blocked.tar.gz',
    Buffer.concat([gzipSync(archive(file('a', 'x'), file('a/b', 'y'))), Buffer.from('left over')]),
  )
  const refused = await run('import', blocked, 'blocked')
  expect(refused.code).toBe(4)
  expect(refused.err).toContain('--lenient')
  const { code, err } = await run('import', blocked, 'blocked', '--lenient')
  expect(err).toContain('(N-14)')
  expect(err).toContain('(Z-02)')
  expect(code).toBe(0)
  expect((await run('cat', 'blocked', '/a/b')).out).toBe('y')
  expect((await run('save', 'blocked', '-o', at('blocked.docker.tar'))).code).toBe(0)
  const strict = await run('import', blocked, 'blocked', '--lenient', '--strict')
  expect(strict.code).toBe(4)
})

test('--limit sets a budget, with units; the error of one that is exceeded says how', async () => {
  const deep = put('deep.tar', archive(named(`${'d/'.repeat(1100)}f`, file('-', 'x'))))
  const refused = await run('import', deep, 'deep')
  expect(refused.code).toBe(8)
  expect(refused.err).toContain('exceeds the budget of 1024')
  expect(refused.err).toContain('--limit depth=VALUE')
  expect((await run('import', deep, 'deep', '--limit', 'depth=2k', '--limit', 'logicalSize=1MiB')).code).toBe(0)
  for (const wrong of ['depth', 'height=1', 'depth=', 'depth=many', 'depth=-1', 'depth=1X', 'toString=1']) {
    const { code, err } = await run('import', deep, 'deep', '--limit', wrong)
    expect(code, wrong).toBe(2)
    expect(err).toContain('--limit')
  }
  expect((await run('import', deep, 'deep', '--limit', 'nothing=1')).err).toContain('entries=10000000')
})

test('copy and load judge as import does; where bytes are only kept, nothing can be judged', async () => {
  expect((await run('copy', 'odd', `oci:${at('layout')}:odd`)).code).toBe(0)
  const other = ['--root', at('other')]
  const copied = await ply(['copy', `oci:${at('layout')}:odd`, 'odd', '--json', ...other])
  expect(JSON.parse(copied.out)).toMatchObject({
    layers: [{ known: false, warningsByRule: { 'N-12': 3 } }],
    recompressed: [],
  })
  const third = ['--root', at('third')]
  expect((await ply(['load', at('layout'), '--strict', ...third])).code).toBe(4)
  const loaded = await ply(['load', at('layout'), '--json', ...third])
  expect(JSON.parse(loaded.out)).toMatchObject([{ layers: [{ warningCount: 3 }] }])
  expect((await run('copy', 'odd', `oci:${at('layout')}:odd`, '--strict')).code).toBe(2)
  expect((await run('copy', 'odd', `oci:${at('layout')}:odd`, '--limit', 'depth=1')).code).toBe(2)
})

test('I-05: --compress makes other blobs of the same layers, and says which digests change', async () => {
  const { code, out, err } = await run('copy', 'odd', `oci:${at('packed')}:odd`, '--compress', 'gzip', '--json')
  expect(code).toBe(0)
  const { digest, recompressed } = JSON.parse(out)
  expect(recompressed).toMatchObject([
    { layer: 0, reason: 'recompressed none → gzip', settings: { level: 4, block: 1 << 20 } },
  ])
  expect(err).toMatch(/layer 0: sha256:\w{12} is sha256:\w{12} now \(recompressed none → gzip\)/)
  const blob = readFileSync(join(at('packed'), 'blobs/sha256', recompressed[0].to.digest.slice(7)))
  expect(gunzipSync(blob).equals(readFileSync(odd))).toBe(true)

  const saved = await run('save', 'odd', '-o', `oci-archive:${at('packed.tar')}`, '--compress', 'gzip', '--json')
  expect(JSON.parse(saved.out)).toMatchObject([{ descriptor: { digest }, recompressed }])
  const best = await run(
    'save',
    'odd',
    '-o',
    `dir:${at('best')}`,
    '--compress',
    'gzip',
    '--compress-level',
    '9',
    '--json',
  )
  expect(JSON.parse(best.out)).toMatchObject([{ recompressed: [{ settings: { level: 9 } }] }])

  for (const argv of [
    ['save', 'odd', '-o', at('no.tar'), '--compress', 'gzip'],
    ['copy', 'odd', `docker-archive:${at('no.tar')}`, '--compress', 'none'],
    ['copy', 'odd', `tar:${at('no.tar')}`, '--compress', 'gzip'],
    ['copy', 'odd', `oci:${at('no')}`, '--compress', 'gzip', '--compress-level', '10'],
    ['copy', 'odd', `oci:${at('no')}`, '--compress-level', '9'],
    ['copy', 'odd', `oci:${at('no')}`, '--compress', 'brotli'],
  ]) {
    expect((await run(...argv)).code, argv.join(' ')).toBe(2)
    expect(existsSync(at('no.tar')) || existsSync(at('no'))).toBe(false)
  }
})

test('I-04: a layer that is damaged is never presented as written, not even into a pipe', async () => {
  const damaged = at('damaged')
  const tar = put('large.tar', archive(file('f', 'content'.repeat(500_000)), file('g', 'last')))
  const other = (...argv: string[]) => ply([...argv, '--root', damaged])
  expect((await other('import', tar, 'large')).code).toBe(0)
  const blobs = join(damaged, 'blobs/sha256')
  const blob = readdirSync(blobs)
    .map((name) => join(blobs, name))
    .find((path) => readFileSync(path).equals(readFileSync(tar)))!
  const content = readFileSync(blob)
  content[3_000_000]! ^= 1
  chmodSync(blob, 0o644)
  writeFileSync(blob, content)

  const writes: readonly (readonly [readonly string[], string])[] = [
    [['save', 'large', '-o', at('d1.tar')], 'd1.tar'],
    [['save', 'large', '-o', `oci-archive:${at('d2.tar')}`], 'd2.tar'],
    [['save', 'large', '-o', `oci:${at('d3')}`], 'd3'],
    [['save', 'large', '-o', `dir:${at('d4')}`], 'd4'],
    [['copy', 'large', `oci:${at('d5')}`, '--compress', 'gzip'], 'd5'],
    [['export', 'large', '-o', at('d6.tar')], 'd6.tar'],
    [['copy', 'large', `tar:${at('d7.tar')}`], 'd7.tar'],
  ]
  for (const [argv, target] of writes) {
    const { code, out, err } = await other(...argv)
    expect(code, argv.join(' ')).toBe(4)
    expect(out).toBe('')
    expect(err).toMatch(/PLY_(DIGEST_MISMATCH|DAMAGED)/)
    expect(existsSync(at(target)), target).toBe(false)
  }
  for (const format of ['docker-archive', 'oci-archive']) {
    const { code, bytes, err } = await other('save', 'large', '--format', format)
    expect(code).toBe(4)
    expect(bytes).toHaveLength(0)
    expect(err).toContain('PLY_DIGEST_MISMATCH')
  }
  // A tree is written as it is read: what comes is cut off, without an end, and the exit code says so.
  const { code, bytes } = await other('export', 'large')
  expect(code).toBe(4)
  expect(bytes.length).toBeGreaterThan(0)
  expect(bytes.length).toBeLessThan(content.length)
  expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(false)
})
