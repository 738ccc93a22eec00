import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exploreLayers } from '../../src/explore/explore-layers.ts'
import { explore } from '../../src/explore/index.ts'
import { shownName, shownText } from '../../src/explore/names.ts'
import { Outline } from '../../src/explore/outline.ts'
import { packed, unpacked } from '../../src/explore/packing.ts'
import { allKinds, shownRows, standingAt } from '../../src/explore/standing.ts'
import { changes, kinds, wasteCauses } from '../../src/explore/table.ts'
import { openStore } from '../../src/store/open-store.ts'
import { waste } from '../../src/trace/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { plainLayer } from '../../src/union/plain-layer.ts'
import { union } from '../../src/union/union-tree.ts'
import { modelView } from '../stack/layers.ts'
import { applyLayer, type Visible } from '../stack/oracle.ts'
import { layers, models } from '../stack/random-layers.ts'
import { stackOf } from '../trace/stack-of.ts'
import { sample, shownOdd, updated } from './sample.ts'

/** What was there before a range of layers, and after it: a letter for each path. */
function expectedChanges(seen: readonly Visible[], from: number, to: number): Map<string, string> {
  const [before, after] = [seen[from]!, seen[to + 1]!]
  const told = new Map<string, string>()
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    if (path === '') continue
    const [was, is] = [before.get(path), after.get(path)]
    told.set(
      path,
      was === undefined ? 'added' : is === undefined ? 'removed' : was.kind !== is.kind ? 'changed' : 'there',
    )
  }
  return told
}

test('at any range of layers of random stacks the rows are those that the layers show before and after it', async () => {
  await fc.assert(
    fc.asyncProperty(layers, fc.nat(), fc.nat(), async (lines, x, y) => {
      const { models: all } = models(lines)
      const { files } = await exploreLayers(stackOf(all.map(modelView)), 'random')
      const seen: Visible[] = [new Map()]
      for (const model of all) seen.push(applyLayer(model, seen.at(-1)!))
      const [from, to] = [x % all.length, y % all.length].sort((a, b) => a - b) as [number, number]
      const outline = new Outline(files)
      const { told, change } = standingAt(files, { from, to })
      const found = new Map<string, string>()
      for (let row = 1; row < files.count; row++) {
        if (told[row] === 0) continue
        const name = changes[change[row]!]!
        found.set(outline.path(row).slice(1), name)
      }
      const expected = expectedChanges(seen, from, to)
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
      for (const [path, state] of expected) {
        // Of what stands on both sides `blame` tells whether it changed; here it is enough that it is told as there.
        const own = found.get(path)!
        if (state === 'there') expect(['same', 'changed']).toContain(own)
        else expect(`${path} ${own}`).toBe(`${path} ${state}`)
      }
    }),
    { numRuns: 60 },
  )
})

test('without a range the rows that are left are the merged tree, and the waste is that of du --waste', async () => {
  await fc.assert(
    fc.asyncProperty(layers, async (lines) => {
      const { models: all, visible } = models(lines)
      const stack = stackOf(all.map(modelView))
      const { files, layers: facts } = await exploreLayers(stack, 'random')
      const outline = new Outline(files)
      const standing = standingAt(files, undefined)
      const left: string[] = []
      for (let row = 1; row < files.count; row++)
        if (standing.told[row] === 1 && standing.change[row] !== 2)
          left.push(`${outline.path(row).slice(1)} ${kinds[files.kind[row]!]}`)
      expect(left.sort()).toEqual(
        [...visible]
          .filter(([path]) => path !== '')
          .map(([path, { kind }]) => `${path} ${kind}`)
          .sort(),
      )
      const found = await waste(stack)
      expect(
        Array.from(files.wasteRow, (row, at) => [
          outline.path(row),
          wasteCauses[files.wasteCause[at]!],
          files.wasteBytes[at],
          files.wasteLayer[at],
          files.wasteBy[at],
        ]),
      ).toEqual(found.files.map(({ path, cause, bytes, layer, by }) => [`/${path}`, cause, bytes, layer, by]))
      expect(facts.reduce((sum, { wasted }) => sum + wasted, 0)).toBe(found.wasted)
    }),
    { numRuns: 60 },
  )
})

async function exploredSample() {
  const store = await openStore(':memory:')
  await store.write(sample(), 'one')
  await store.write(updated(), 'two')
  const stacks = [await store.layers(await store.image('one')), await store.layers(await store.image('two'))] as const
  return explore({ name: 'one', stack: stacks[0] }, { name: 'two', stack: stacks[1] })
}

describe('two images', () => {
  test('each inode is counted once, and what is packed comes out as it was', async () => {
    const explored = await exploredSample()
    const { files, layers: facts } = explored.before
    const outline = new Outline(files)
    const filter = { kinds: allKinds, changes: 0b1011, matches: undefined, only: undefined, countRemoved: false }
    const shown = shownRows(files, outline.parent, standingAt(files, undefined), filter)
    // Two names, one of them the changed one: what the layer above has is another inode.
    expect(shown.bytes[outline.find('/bin')!]).toBe(800_000)
    expect(facts.map(({ added, removed }) => [added > 0, removed])).toEqual([
      [true, 0],
      [true, 2],
      [true, 11],
    ])
    expect(unpacked(packed(explored))).toEqual(explored)
  })

  test('their difference has every path once, with the directories that lead to it, causes, and settings', async () => {
    const { difference } = await exploredSample()
    const { files, layers: pairs, statements } = difference!
    const outline = new Outline(files)
    const told = Array.from({ length: files.count }, (_, row) => `${changes[files.change[row]!]} ${outline.path(row)}`)
    expect(told).toContain('changed /etc/motd')
    expect(told).toContain('changed /etc/passwd')
    expect(told).toContain('added /opt/extra/part-000')
    expect(told).toContain('removed /usr/lib/lib-007')
    expect(told).toContain('same /usr')
    expect(new Set(told).size).toBe(told.length)
    expect(pairs.map(({ same }) => same)).toEqual([true, true, true, false])
    expect(statements.map(({ at }) => at)).toContain('config.Env.DEBUG')
  })
})

test('a tree without layers is shown as it stands, symlinks and links with it', async () => {
  const tree = union([plainLayer({ a: { directory: true }, 'a/b': 'text', 'a/c': { symlink: 'b' } })], memoryUpper())
  const { before } = await explore({ name: 'plain', tree }, undefined)
  expect(before.layered).toBe(false)
  expect(before.files.names).toBe('/a/b/c/')
  expect(before.files.targets).toBe('b\0')
})

test('names that lead astray are told byte by byte, and stay different', () => {
  expect(shownName(Buffer.from(`odd\u202etxt.exe\n\x1b[31m\xff`, 'utf8').toString('latin1'))).toContain(
    '\\xe2\\x80\\xae',
  )
  expect(shownName('\u00ff\u00fe')).toBe('\\xff\\xfe')
  expect(shownOdd).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 12 }), (a, b) => {
      const [x, y] = [Buffer.from(a).toString('latin1'), Buffer.from(b).toString('latin1')]
      expect(shownName(x)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(shownName(x) === shownName(y)).toBe(x === y)
    }),
  )
  expect(shownText('RUN a\n\tb\x1b]0;x\x07\u2066')).toBe('RUN a\n\tb\\x1b]0;x\\x07\\xe2\\x81\\xa6')
})
