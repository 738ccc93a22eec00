import { describe, expect, test } from 'vitest'
import { emptyDigest } from '../../src/layer/content-hash.ts'
import type { ContentPlace, IndexedView } from '../../src/layer/view.ts'
import { type DiffId, type Digest, digestOf } from '../../src/model/digest.ts'
import { contentDigest, type DigestMemory, filesOfLayer, hashContent } from '../../src/stack/content-digests.ts'
import { mappedTree, stackedTree } from '../../src/stack/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { plainTree } from '../support/plain-tree.ts'
import { layerModel, modelView } from './layers.ts'

const sum = (text: string) => digestOf(Buffer.from(text))
const layerId = (layer: number) => digestOf(Buffer.from(`layer ${layer}`)) as DiffId

/** Remembers by place, and says what was asked of it. */
function memory() {
  const kept = new Map<string, Digest>()
  const compared = new Set<string>()
  const key = ({ layer, offset, spill }: ContentPlace, size: number) => `${layer} ${spill === true} ${offset} ${size}`
  const remembered: string[] = []
  let closed = 0
  const digests: DigestMemory = {
    known: (place, size) => kept.get(key(place, size)),
    remember(place, size, digest) {
      remembered.push(`${place.layer === layerId(0) ? 'base' : 'top'}${place.spill ? ' spill' : ''} ${place.offset}`)
      kept.set(key(place, size), digest)
    },
    compared(layer) {
      const before = compared.has(layer)
      compared.add(layer)
      return before
    },
    close: () => void closed++,
  }
  return { digests, remembered, kept, times: () => closed }
}

/** A view that counts what is read of it; paths of `holes` lie nowhere, paths of `spilled` in its spill. */
function watched(view: IndexedView, odd: { holes?: readonly number[]; spilled?: readonly number[] } = {}) {
  const opened: number[] = []
  let open = 0
  const seen: IndexedView = {
    ...view,
    open(ino) {
      opened.push(ino)
      open++
      const bytes = view.open(ino)
      return { size: bytes.size, read: (into, at) => bytes.read(into, at), close: () => void open-- }
    },
    place(ino) {
      if (odd.holes?.includes(ino)) return undefined
      return odd.spilled?.includes(ino) ? { ...view.place(ino)!, spill: true } : view.place(ino)
    },
  }
  return { view: seen, opened, stillOpen: () => open }
}

const base = () => modelView(layerModel(['d/', 'd/a:one', 'd/b:two', 'c:one', 'e:', 'h=c', 'l->c'], 0), 0)
const top = () => modelView(layerModel(['d/x:three', 'd/.wh.b', 'k:four'], 1), 1)

describe('digests of the contents of a tree', () => {
  test('a file is read once, however often it is asked for, and by whatever name', async () => {
    const { view, opened, stillOpen } = watched(base())
    const { digests, remembered } = memory()
    const tree = stackedTree([view], undefined, digests)
    const [c, h] = ['c', 'h'].map((name) => tree.lookup(tree.root, name)!)
    expect(tree.digests!.known(c!)).toBeUndefined()
    expect(await tree.digests!.of(c!)).toBe(sum('one'))
    expect(await tree.digests!.of(h!)).toBe(sum('one'))
    expect(await contentDigest(tree, c!)).toBe(sum('one'))
    expect(tree.digests!.known(h!)).toBe(sum('one'))
    expect([opened.length, remembered.length, stillOpen()]).toEqual([1, 1, 0])
  })

  test('nobody reads an empty file, and what is no file has no digest', async () => {
    const { view, opened } = watched(base())
    const { digests, remembered } = memory()
    const tree = stackedTree([view], undefined, digests)
    const [d, e, l] = ['d', 'e', 'l'].map((name) => tree.lookup(tree.root, name)!)
    expect(tree.digests!.known(e!)).toBe(emptyDigest)
    expect(await tree.digests!.of(e!)).toBe(emptyDigest)
    expect([tree.digests!.known(d!), tree.digests!.known(l!)]).toEqual([undefined, undefined])
    for (const ino of [d!, e!, l!]) tree.digests!.learn(ino, sum('x'), 0)
    expect([opened, remembered]).toEqual([[], []])
    expect(tree.digests!.known(e!)).toBe(emptyDigest)
  })

  test('what somebody else found out is known from then on', () => {
    const { digests } = memory()
    const tree = stackedTree([base()], undefined, digests)
    const c = tree.lookup(tree.root, 'c')!
    tree.digests!.learn(c, sum('other'), 0)
    expect(tree.digests!.known(c)).toBe(sum('other'))
  })

  test('all are read layer by layer in the order in which they lie, each once, and what is known or hidden is not', async () => {
    const [low, high] = [watched(base()), watched(top())]
    const { digests, remembered, kept } = memory()
    const tree = stackedTree([low.view, high.view], undefined, digests)
    const c = tree.lookup(tree.root, 'c')!
    const d = tree.lookup(tree.root, 'd')!
    await tree.digests!.complete()
    const offsets = (which: string) =>
      remembered.filter((one) => one.startsWith(which)).map((one) => Number(one.split(' ').at(-1)))
    expect(offsets('base')).toHaveLength(2)
    expect(offsets('top')).toHaveLength(2)
    for (const which of ['base', 'top']) expect(offsets(which)).toEqual([...offsets(which)].sort((x, y) => x - y))
    expect([low.opened.length, high.opened.length, low.stillOpen(), high.stillOpen()]).toEqual([2, 2, 0, 0])
    expect(tree.digests!.known(c)).toBe(sum('one'))
    expect(tree.digests!.known(tree.lookup(d, 'x')!)).toBe(sum('three'))
    expect(tree.digests!.known(tree.lookup(tree.root, 'k')!)).toBe(sum('four'))
    expect([...kept.values()].sort()).toEqual([sum('one'), sum('one'), sum('three'), sum('four')].sort())
    await tree.digests!.complete()
    expect([low.opened.length, high.opened.length]).toEqual([2, 2])
  })

  test('the spill of a layer is read by itself', async () => {
    const own = base()
    const inos = ['a', 'b'].map((name) => {
      const d = own.lookup(own.root.ino, 'd')
      const verdict = own.lookup(d.says === 'entry' ? d.ino : 0, name)
      return verdict.says === 'entry' ? verdict.ino : 0
    })
    const { view } = watched(own, { spilled: [inos[0]!] })
    const { digests, remembered } = memory()
    const tree = stackedTree([view], undefined, digests)
    await tree.digests!.complete()
    expect(remembered.filter((one) => one.startsWith('base spill'))).toEqual([
      `base spill ${own.place(inos[0]!)!.offset}`,
    ])
    expect(remembered).toHaveLength(3)
    const d = tree.lookup(tree.root, 'd')!
    expect(tree.digests!.known(tree.lookup(d, 'a')!)).toBe(sum('one'))
  })

  test('files that are nothing but a hole are known by their size', async () => {
    const own = base()
    const at = (name: string) => {
      const verdict = own.lookup(own.root.ino, name)
      return verdict.says === 'entry' ? verdict.ino : 0
    }
    const zeros = Buffer.alloc(3)
    const { view, opened } = watched({ ...own, open: () => memoryBytes(zeros) }, { holes: [at('c'), at('e')] })
    const { digests, remembered } = memory()
    const tree = stackedTree([view], undefined, digests)
    const c = tree.lookup(tree.root, 'c')!
    expect(tree.digests!.known(c)).toBeUndefined()
    await tree.digests!.complete()
    expect(tree.digests!.known(c)).toBe(digestOf(zeros))
    expect(opened.filter((ino) => ino === at('c'))).toHaveLength(1)
    expect(await tree.digests!.of(c)).toBe(digestOf(zeros))
    expect(opened.filter((ino) => ino === at('c'))).toHaveLength(1)
    expect(remembered).toHaveLength(2)
    expect(tree.digests!.pays(c)).toBeUndefined()
  })

  test('progress is told of every mebibyte, with all there is to read', async () => {
    const large = 'x'.repeat(700_000)
    const view = modelView(layerModel([`a:${large}`, `b:${large}y`, `c:${large}`, `d:${large}y`, 'e:z'], 0), 0)
    const told: object[] = []
    const { digests } = memory()
    await stackedTree([view], undefined, digests).digests!.complete({ onProgress: (step) => void told.push(step) })
    const total = 2_800_003
    expect(told).toEqual([
      { what: 'contents', done: 1_400_001, total },
      { what: 'contents', done: 2_800_002, total },
    ])
    const one: object[] = []
    await hashContent(view, 1, { onProgress: (step) => void one.push(step) }).catch(() => {})
    const verdict = view.lookup(view.root.ino, 'a')
    await hashContent(view, verdict.says === 'entry' ? verdict.ino : 0, { onProgress: (step) => void one.push(step) })
    expect(one.at(-1)).toEqual({ what: 'content', done: 0, total: 700_000 })
  })

  test('it is given up when it is no longer wanted, and what was open is closed', async () => {
    const { view, opened, stillOpen } = watched(base())
    const { digests } = memory()
    const tree = stackedTree([view], undefined, digests)
    const signal = AbortSignal.abort()
    await expect(tree.digests!.complete({ signal })).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    await expect(tree.digests!.of(tree.lookup(tree.root, 'c')!, { signal })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    expect([opened, stillOpen()]).toEqual([[], 0])
  })

  test('a content that cannot be read is closed all the same', async () => {
    let open = 0
    const broken = () => {
      open++
      return { size: 3, read: () => 0, close: () => void open-- }
    }
    const { digests, remembered } = memory()
    const tree = stackedTree([{ ...base(), open: broken }], undefined, digests)
    await expect(tree.digests!.complete()).rejects.toMatchObject({ code: 'EIO' })
    await expect(tree.digests!.of(tree.lookup(tree.root, 'c')!)).rejects.toMatchObject({ code: 'EIO' })
    expect([open, remembered]).toEqual([0, []])
  })

  test('hashing pays from the second comparison of a layer on', () => {
    const { digests } = memory()
    const tree = stackedTree([base(), top()], undefined, digests)
    const [c, k, h] = ['c', 'k', 'h'].map((name) => tree.lookup(tree.root, name)!)
    expect([c, k, h, k].map((ino) => tree.digests!.pays(ino!))).toEqual([false, false, true, true])
  })

  test('the memory is closed with the tree, and a tree without one has none', async () => {
    const { digests, times } = memory()
    stackedTree([base()], undefined, digests).close()
    expect(times()).toBe(1)
    expect(stackedTree([base()]).digests).toBeUndefined()
    const plain = plainTree({ a: 'text' })
    expect(await contentDigest(plain, plain.lookup(plain.root, 'a')!)).toBe(sum('text'))
    const mapped = mappedTree(stackedTree([base()], undefined, digests), {})
    const c = mapped.lookup(mapped.root, 'c')!
    expect(await contentDigest(mapped, c)).toBe(sum('one'))
    expect(mapped.digests!.known(c)).toBe(sum('one'))
    expect(mapped.place!(c)).toEqual({ layer: layerId(0), offset: expect.any(Number) })
    expect(mappedTree(plain, {}).place).toBeUndefined()
  })
})

test('all files of a layer are those it has, also in directories without an entry', () => {
  const view = modelView(layerModel(['d/', 'd/a:1', 'g/.wh.x', 'i/j/f:2', 'h=d/a', 'l->d', '.wh.z', 'n=below'], 0), 0)
  const texts = (files: Iterable<number>) =>
    [...files].map((ino) => {
      const bytes = view.open(ino)
      const read = Buffer.alloc(bytes.size)
      bytes.read(read, 0)
      return read.toString()
    })
  expect(texts(filesOfLayer(view)).sort()).toEqual(['1', '1', '2'])
  const unkinded: IndexedView = {
    ...view,
    *list(directory) {
      for (const { name, verdict } of view.list(directory)) {
        if (verdict.says !== 'entry') yield { name, verdict }
        else {
          const { kind: _, ...rest } = verdict
          yield { name, verdict: rest }
        }
      }
    },
  }
  expect(texts(filesOfLayer(unkinded)).sort()).toEqual(['1', '1', '2'])
})
