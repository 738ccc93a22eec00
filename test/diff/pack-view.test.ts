import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { packView, splitView } from '../../src/diff/index.ts'
import { type PackItem, packLayer } from '../../src/layer/pack.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { stackedTree } from '../../src/stack/index.ts'
import { squashedView } from '../../src/stack/squash.ts'
import { collect } from '../../src/stream/collect.ts'
import { layerOf, sayings } from '../layer/layer.ts'
import { layerModel, modelView } from '../stack/layers.ts'
import { layers, models } from '../stack/random-layers.ts'
import { treeText } from '../stack/tree-text.ts'

const views = (...lines: string[][]) => lines.map((own, layer) => modelView(layerModel(own, layer), layer))

/** A layer read back from the archive of items. */
async function imported(items: AsyncIterable<PackItem>): Promise<IndexedView> {
  return (await layerOf(await collect(packLayer(items), 1 << 24))).view
}

async function words(items: AsyncIterable<PackItem>): Promise<string[]> {
  const said: string[] = []
  for await (const item of items) {
    const link = item.says === 'entry' && item.linkTo !== undefined ? ` = ${item.linkTo}` : ''
    said.push(`${item.says} /${item.path}${link}`)
  }
  return said
}

const range = fc.tuple(fc.nat(5), fc.nat(5))

describe('a view as an archive', () => {
  test('A-02, E-04, H-06: a squashed range written as an archive and read back stacks as its layers did', async () => {
    await fc.assert(
      fc.asyncProperty(layers, range, async (lines, [a, b]) => {
        const all = models(lines).models.map(modelView)
        const from = Math.min(a, b, all.length - 1)
        const to = Math.min(Math.max(a, b), all.length - 1)
        const [lower, within, upper] = [all.slice(0, from), all.slice(from, to + 1), all.slice(to + 1)]
        const below = () => stackedTree(lower)
        const written = await imported(packView(squashedView(within, { bottom: from === 0 }), { below }))
        expect(treeText(stackedTree([...lower, written, ...upper]))).toEqual(treeText(stackedTree(all)))
      }),
      { numRuns: 1500 },
    )
  })

  test('I-03: what an archive can say of itself comes back as it was said', async () => {
    await fc.assert(
      fc.asyncProperty(layers, async (lines) => {
        const all = models(lines).models.map(modelView)
        for (const [at, view] of all.entries()) {
          const first = await imported(packView(view, { below: () => stackedTree(all.slice(0, at)) }))
          expect(sayings(await imported(packView(first)))).toEqual(sayings(first))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('E-13: the same view gives the same bytes', async () => {
    const view = squashedView(views(['d/a', 'b'], ['d/.wh.a', 'c=b', 'd/x']))
    const once = await collect(packLayer(packView(view)), 1 << 24)
    expect(once.equals(await collect(packLayer(packView(view)), 1 << 24))).toBe(true)
  })

  test('E-04: opaque marks, then whiteouts, then entries, directory by directory; implied directories are not described', async () => {
    const [view] = views(['d/x', 'd/e/', 'd/e/.wh..wh..opq', 'd/e/f', 'd/.wh.z', '.wh.q', 'a', 'b=a', 'g/.wh.h'])
    expect(await words(packView(view!))).toEqual([
      'whiteout /q',
      'entry /a',
      'entry /b = a',
      'whiteout /d/z',
      'entry /d/e',
      'opaque /d/e',
      'entry /d/e/f',
      'entry /d/x',
      'whiteout /g/h',
    ])
  })
})

describe('H-06: a link to what is below', () => {
  const below = (...lines: string[]) => {
    const [view] = views(lines)
    return () => stackedTree([view!])
  }

  test('is a hardlink, also where the layer removes the target', async () => {
    const view = squashedView(views(['b=a'], ['.wh.a']))
    expect(await words(packView(view))).toEqual(['whiteout /a', 'entry /b = a'])
  })

  test('has the attributes of its target, which some readers take from it', async () => {
    const view = squashedView(views(['b=a']))
    const items: PackItem[] = []
    for await (const item of packView(view, { below: below('a@7') })) items.push(item)
    expect(items).toMatchObject([{ path: 'b', linkTo: 'a', stat: { uid: 7 } }])
  })

  test('takes another name of the target where the layer has something else at its path', async () => {
    const view = squashedView(views(['b=a'], ['a']))
    expect(await words(packView(view, { below: below('a', 'z=a') }))).toEqual(['entry /a', 'entry /b = z'])
  })

  test('carries the content where all names of the target are replaced, and further names share it', async () => {
    const view = squashedView(views(['b=a', 'c=z'], ['a', 'z->x']))
    const said = await words(packView(view, { below: below('a', 'z=a') }))
    expect(said).toEqual(['entry /a', 'entry /b', 'entry /c = b', 'entry /z'])
  })

  test('is refused where the path of its target is taken and nobody knows what is below', async () => {
    for (const lines of [
      [['b=a'], ['a']],
      [['b=a'], ['a/']],
      [['b=l/a'], ['l->t']],
    ]) {
      const items = words(packView(squashedView(views(...lines))))
      await expect(items).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE', details: { path: 'b' } })
    }
  })

  test('to its own name says nothing, unless the directory is opaque', async () => {
    const lower = ['d/b', 'x']
    const plain = squashedView(views(['c=d/b', 'd/.wh.b'], ['d/b=c']))
    expect(await words(packView(plain, { below: below(...lower) }))).toEqual(['entry /c = d/b'])
    const hidden = squashedView(views(['c=d/b', 'd/.wh..wh..opq'], ['d/b=c']))
    const said = await words(packView(hidden, { below: below(...lower) }))
    expect(said).toEqual(['entry /c', 'opaque /d', 'entry /d/b = c'])
  })
})

describe('an implied directory that lost all it held', () => {
  const lost = () => squashedView(views(['d/x'], ['d/.wh.x']))

  test('stays implied where a directory is below, and is made where none is', async () => {
    const over = (line: string) => packView(lost(), { below: () => stackedTree(views([line])) })
    expect(await words(over('d/@5'))).toEqual(['whiteout /d/x'])
    expect(await words(over('e'))).toEqual(['entry /d', 'whiteout /d/x'])
  })

  test('is refused where nobody knows what is below', async () => {
    await expect(words(packView(lost()))).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE', details: { path: 'd' } })
  })
})

describe('a view in parts', () => {
  const names = fc.constantFrom('a', 'b', 'c')
  const paths = fc.uniqueArray(
    fc.array(names, { minLength: 1, maxLength: 2 }).map((parts) => parts.join('/')),
    { maxLength: 2 },
  )

  test('A-02, E-05, E-09: the parts of a layer, stacked, say what the layer said, whatever is below', async () => {
    await fc.assert(
      fc.asyncProperty(layers, fc.nat(4), fc.option(fc.integer({ min: 1, max: 4000 })), paths, async (...given) => {
        const [lines, at, size, prefixes] = given
        const all = models(lines).models.map(modelView)
        const number = Math.min(at, all.length - 1)
        const lower = all.slice(0, number)
        const below = () => stackedTree(lower)
        const parts = await splitView(all[number]!, { size: size ?? undefined, paths: prefixes })
        const written: IndexedView[] = []
        for (const part of parts) written.push(await imported(packView(all[number]!, { part, below })))
        const stack = [...lower, ...written, ...all.slice(number + 1)]
        expect(treeText(stackedTree(stack))).toEqual(treeText(stackedTree(all)))
      }),
      { numRuns: 700 },
    )
  })

  test('E-05: every part describes the ancestors that the layer describes; link groups are where their first name is', async () => {
    const [view] = views(['.wh.q', 'd/@3', 'd/a', 'd/b', 'd/c=d/a', 'i/x', 'i/y', 'z/@4', 'z/z/@5', 'z/z/e=d/a'])
    const parts = await splitView(view!, { size: 1536 })
    const said: string[][] = []
    for (const part of parts) said.push(await words(packView(view!, { part })))
    expect(said).toEqual([
      ['whiteout /q', 'entry /d', 'entry /d/a', 'entry /d/c = d/a', 'entry /z', 'entry /z/z', 'entry /z/z/e = d/a'],
      ['entry /d', 'entry /d/b'],
      ['entry /i/x'],
      ['entry /i/y', 'entry /z'],
      ['entry /z', 'entry /z/z'],
    ])
  })

  test('a path is a part of its own, with the directories that lead to it; the longest one counts', async () => {
    const [view] = views(['u/@1', 'u/s/@2', 'u/s/d/@3', 'u/s/d/f', 'u/s/d/n/g', 'u/x', '.wh.k'])
    const parts = await splitView(view!, { paths: ['u/s/d', 'u/s/d/n'] })
    const said: string[][] = []
    for (const part of parts) said.push(await words(packView(view!, { part })))
    expect(said).toEqual([
      ['whiteout /k', 'entry /u', 'entry /u/s', 'entry /u/x'],
      ['entry /u', 'entry /u/s', 'entry /u/s/d', 'entry /u/s/d/f'],
      ['entry /u', 'entry /u/s', 'entry /u/s/d', 'entry /u/s/d/n/g'],
    ])
  })

  test('a layer without entries has one part', async () => {
    const [view] = views(['.wh.a'])
    const parts = await splitView(view!, { size: 1 })
    expect(parts).toHaveLength(1)
    expect(await words(packView(view!, { part: parts[0]! }))).toEqual(['whiteout /a'])
  })
})
