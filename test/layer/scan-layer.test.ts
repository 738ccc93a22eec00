import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanLayer } from '../../src/layer/scan-layer.ts'
import type { IndexedView, Verdict } from '../../src/layer/view.ts'
import { PlyError } from '../../src/model/errors.ts'
import { dataRuns, memoryBytes } from '../../src/stream/bytes.ts'
import { archive, content, gnu, header, long, member, pax } from '../tar/raw.ts'
import { form01, form10, oldForm } from '../tar/sparse-forms.ts'
import { layerOf, sayings } from './layer.ts'
import { dir, file, gone, link, named, opaque, symlink, withXattrs } from './parts.ts'

/** Everything that a view says of every inode, by path; contents only where they lie. */
function told(view: IndexedView): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  const groups = new Map<number, string>()
  const tell = (path: string, verdict: Verdict) => {
    if (verdict.says !== 'entry' && verdict.says !== 'ghost') {
      all[path] = verdict
      return
    }
    const { ino, ...said } = verdict
    const { ino: _, ...stat } = view.stat(ino)
    if (!groups.has(ino)) groups.set(ino, path)
    const place = view.place(ino)
    all[path] = {
      said,
      stat,
      sameAs: groups.get(ino),
      target: stat.kind === 'symlink' ? view.readlink(ino) : undefined,
      xattrs: [...view.xattrs(ino)].map(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
      place: place && { offset: place.offset, spill: place.spill },
      header: view.provenance(ino).header,
    }
    if (stat.kind === 'file') {
      const opened = view.open(ino)
      ;(all[path] as { runs?: unknown }).runs = [opened.size, ...dataRuns(opened, 1)]
      opened.close()
    }
    if (stat.kind !== 'directory') return
    for (const { name, verdict: inside } of view.list(ino)) {
      expect(strip(view.lookup(ino, name))).toEqual(strip(inside))
      tell(`${path}/${name}`, inside)
    }
    expect(view.lookup(ino, 'nothing has this name')).toEqual({ says: 'nothing' })
  }
  tell('', view.root)
  return all
}

const strip = (verdict: Verdict) => JSON.stringify(verdict)

/** What both ways of reading make of an archive: what they say, or the error. */
async function bothOf(tar: Uint8Array, lenient = false): Promise<readonly [unknown, unknown]> {
  const outcome = async (read: () => Promise<IndexedView>) => {
    try {
      const view = await read()
      const all = told(view)
      // It may say so of links that nothing leads to any more, and must of others.
      if (Object.values(all).some((one) => (one as Verdict).says === 'link')) expect(view.linksBelow).toBe(true)
      view.close()
      return all
    } catch (error) {
      if (!(error instanceof PlyError)) throw error
      const { rule, entry } = error.details
      return { code: error.code, rule, entry: rule === 'Z-04' ? undefined : entry }
    }
  }
  return [
    await outcome(async () => (await layerOf(tar, { lenient })).view),
    await outcome(() => scanLayer(memoryBytes(tar), { lenient })),
  ]
}

const component = fc.constantFrom('a', 'b', 'c', 'long'.repeat(30), '\xff')
const name = fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const text = fc.integer({ min: 0, max: 40_000 }).map((size) => 'x'.repeat(size))
const spec = fc.tuple(name, fc.nat(3)).map(([path, runs]) => ({
  name: path.slice(0, 90),
  size: 100_000,
  runs: Array.from({ length: runs }, (_, at) => [at * 30_000, Buffer.alloc(512 * (at + 1), 'd')] as const),
}))
const part = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name, text).map(([path, bytes]) => named(path, file('short', bytes))) },
  { weight: 3, arbitrary: name.map((path) => named(path, dir('short'))) },
  { weight: 2, arbitrary: fc.tuple(name, name).map(([path, to]) => symlink(path.slice(0, 99), to.slice(0, 99))) },
  { weight: 2, arbitrary: fc.tuple(name, name).map(([path, to]) => link(path.slice(0, 99), to.slice(0, 99))) },
  { weight: 1, arbitrary: name.map((path) => gone(path.slice(0, 90))) },
  { weight: 1, arbitrary: name.map((path) => opaque(path.slice(0, 80))) },
  { weight: 1, arbitrary: name.map((path) => member({ name: path.slice(0, 99), type: '3', major: 1, minor: 3 })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(name, text)
      .map(([path, bytes]) => withXattrs({ 'user.a': bytes.slice(0, 300) }, file(path.slice(0, 99), bytes))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(name, text)
      .map(([path, bytes]) => [pax({ path, mtime: '1.5' }), file('short', bytes)])
      .map(Buffer.concat),
  },
  { weight: 1, arbitrary: fc.tuple(spec, fc.constantFrom(oldForm, form01, form10)).map(([one, form]) => form(one)) },
)

describe('a layer read by its headers alone', () => {
  test('says what reading all of it says, of generated archives, and refuses the same ones by the same rules', async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 14 }), fc.boolean(), async (parts, lenient) => {
        const [whole, scanned] = await bothOf(archive(...parts), lenient)
        expect(scanned).toEqual(whole)
        if (!(whole as { code?: string }).code) accepted++
      }),
      { numRuns: 600 },
    )
    expect(accepted).toBeGreaterThan(150)
  })

  test('Z-04: archives that are cut off anywhere are refused, or read, as they are otherwise', async () => {
    const tar = archive(
      dir('d'),
      named('d/'.concat('n'.repeat(150)), file('x', 'y'.repeat(700))),
      form10({ name: 's', size: 9000, runs: [[512, Buffer.alloc(1024, 's')]] }),
      withXattrs({ 'user.a': 'b' }, file('e', 'z'.repeat(20_000))),
    )
    for (let size = 0; size <= tar.length; size += 64) {
      const [whole, scanned] = await bothOf(tar.subarray(0, size))
      expect(scanned, `of ${size} bytes`).toEqual(whole)
    }
  })

  test('sizes that lie are errors: more than there is, more than any file has, less than nothing', async () => {
    for (const size of [1 << 20, 8 ** 11 - 1, '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff', '\xff'.repeat(12)]) {
      const tar = Buffer.concat([header({ name: 'a', size }), content('little'), file('b'), Buffer.alloc(1024)])
      const [whole, scanned] = await bothOf(tar)
      // Of two things that are wrong with it each way names the one that it comes to first.
      for (const of of [whole, scanned]) expect(of).toMatchObject({ code: expect.stringMatching(/^PLY_B/) })
    }
    for (const tar of [
      Buffer.concat([long('L', 'x'.repeat(2 << 20)), file('a')]),
      Buffer.concat([header({ name: 'a', magic: gnu, checksum: 7 }), Buffer.alloc(1024)]),
      Buffer.from('no archive at all'),
    ]) {
      const [whole, scanned] = await bothOf(tar)
      expect(whole).toMatchObject({ code: 'PLY_BAD_LAYER' })
      expect(scanned).toEqual(whole)
    }
  })

  test('what lies in it is not read, and it names no layer that there is', async () => {
    const tar = archive(
      file('a', 'text'),
      file('empty'),
      form10({ name: 's', size: 600, runs: [[0, Buffer.alloc(512, 's')]] }),
    )
    const [view, again] = [await scanLayer(memoryBytes(tar)), await scanLayer(memoryBytes(tar))]
    const whole = (await layerOf(tar)).view
    const ino = (of: IndexedView, path: string) => (of.lookup(of.root.ino, path) as { ino: number }).ino
    for (const path of ['a', 's']) {
      const opened = view.open(ino(view, path))
      expect(() => opened.read(Buffer.alloc(4), 0)).toThrow(expect.objectContaining({ code: 'EIO' }))
      const layers = [view, again, whole].map((of) => of.place(ino(of, path))?.layer)
      expect(new Set(layers).size).toBe(3)
    }
    expect(view.open(ino(view, 'empty')).read(Buffer.alloc(4), 0)).toBe(0)
    expect(Object.keys(sayings(whole))).toEqual(['/', 'a', 'empty', 's'])
  })

  test('contents are seeked over: of a gigabyte little is read', async () => {
    const size = 1 << 30
    const head = Buffer.concat([header({ name: 'large', size })])
    const tail = archive(file('behind', 'x'))
    let read = 0
    const view = await scanLayer({
      size: head.length + size + tail.length,
      read(into, position) {
        into.fill(0)
        read += into.length
        for (const [at, part] of [
          [0, head],
          [head.length + size, tail],
        ] as const) {
          const from = Math.max(position, at)
          const to = Math.min(position + into.length, at + part.length)
          if (from < to) part.copy(into, from - position, from - at, to - at)
        }
        return Math.min(into.length, head.length + size + tail.length - position)
      },
    })
    expect(Object.keys(told(view))).toEqual(['', '/behind', '/large'])
    expect(read).toBeLessThan(1 << 17)
  })

  test('it can be stopped', async () => {
    const tar = archive(...Array.from({ length: 300 }, (_, at) => file(`f${at}`)))
    const scanning = scanLayer(memoryBytes(tar), { signal: AbortSignal.abort() })
    await expect(scanning).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  })
})
