import { describe, expect, test } from 'vitest'
import type { Placed, Verdict } from '../../src/layer/view.ts'
import { nothing, whiteout } from '../../src/layer/view.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { emptyView } from '../../src/stack/empty-view.ts'
import { foldedTree, mappedTree, sharedInodes, stackedTree } from '../../src/stack/index.ts'
import { numberOf, ownNumber, sideOf } from '../../src/stack/inode-numbers.ts'
import { narrowedTree } from '../../src/stack/narrowed-tree.ts'
import { hidesBelow, type Node, rule } from '../../src/stack/rule.ts'
import { plainTree } from '../support/plain-tree.ts'
import { folded } from './folding.ts'
import { layerModel, modelView } from './layers.ts'
import { treeText } from './tree-text.ts'

const views = (...layers: readonly (readonly string[])[]) =>
  layers.map((lines, layer) => modelView(layerModel(lines, layer), layer))
const at = (tree: { root: number; lookup(directory: number, name: string): number | undefined }, path: string) =>
  path.split('/').reduce<number>((ino, name) => tree.lookup(ino, name)!, tree.root)

describe('numbers of a stack', () => {
  test('are those of a side, behind 2^32 for each side below it', () => {
    for (const [side, ino] of [
      [0, 0],
      [0, 7],
      [1, 0],
      [3, 2 ** 32 - 1],
    ] as const) {
      const number = numberOf({ side, ino })
      expect(number).toBe(side * 2 ** 32 + ino)
      expect([sideOf(number), ownNumber(number)]).toEqual([side, ino])
    }
  })

  test.each([2 ** 32, 2 ** 40, -1, Number.NaN])('a side that has %s is refused', (ino) => {
    expect(() => numberOf({ side: 0, ino })).toThrow(
      expect.objectContaining({
        code: 'PLY_UNSUPPORTED',
        details: { what: `inode ${ino}`, reason: 'a stack takes numbers below 2^32' },
      }),
    )
  })

  test('can be narrowed so that all are below a limit, and everything else stays', () => {
    const own = () => stackedTree(views(['d/', 'd/a:one', 'l->d'], ['d/b:two'], ['d/c:three', 'e/']))
    const tree = own()
    const narrow = narrowedTree(tree, 3, 3000)
    expect(treeText(narrow)).toEqual(treeText(own()))
    const d = at(narrow, 'd')
    const numbers = [narrow.root, d, ...[...narrow.list(d)].map(({ ino }) => ino)]
    for (const ino of numbers) expect(ino).toBeLessThan(3000)
    const width = 2 ** 9
    const wide = at(tree, 'd/c')
    expect(at(narrow, 'd/c')).toBe(sideOf(wide) * width + ownNumber(wide))
    expect(narrow.stat(d).ino).toBe(d)
    expect(narrow.kind!(d)).toBe('directory')
    expect(narrow.kind!(at(narrow, 'l'))).toBe('symlink')
    expect([narrow.parent(d), narrow.parent(narrow.root)]).toEqual([narrow.root, narrow.root])
    expect(narrow.lookup(d, 'none')).toBeUndefined()
    expect(narrow.readlink(at(narrow, 'l'))).toBe('d')
    expect(narrow.xattrs(d).size).toBe(0)
    expect(narrow.place!(at(narrow, 'd/c'))).toEqual(tree.place(wide))
    expect(narrowedTree(plainTree({}), 1, 100).place).toBeUndefined()
  })

  test('closing a narrowed tree closes what it is of', () => {
    let closed = 0
    const [view] = views(['a'])
    narrowedTree(stackedTree([{ ...view!, close: () => void closed++ }]), 1, 100).close()
    expect(closed).toBe(1)
  })

  test('an inode that is too large for its share is refused, and the largest that fits is not', () => {
    const tree = plainTree(
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${String(i).padStart(2, '0')}`, 'x'])),
    )
    const narrow = narrowedTree(tree, 2, 33)
    const names = [...tree.list(tree.root)]
    const fits = names.find(({ ino }) => ino === 15)!
    const large = names.find(({ ino }) => ino === 16)!
    expect(narrow.lookup(narrow.root, fits.name)).toBe(15)
    expect(() => narrow.lookup(narrow.root, large.name)).toThrow(
      expect.objectContaining({
        code: 'PLY_UNSUPPORTED',
        details: {
          what: 'inode 16 of a layer',
          reason: 'in a stack of 2 layers numbers are below 16; flatten some of them',
        },
      }),
    )
  })
})

test('below the first layer stands an empty directory, which is no link and has no content', () => {
  expect(() => emptyView.readlink(1)).toThrow(
    expect.objectContaining({ code: 'EINVAL', details: { syscall: 'readlink' } }),
  )
  expect(() => emptyView.open(1)).toThrow(expect.objectContaining({ code: 'EISDIR', details: { syscall: 'read' } }))
  expect([emptyView.lookup(1, 'a'), [...emptyView.list(1)]]).toEqual([nothing, []])
})

describe('what stands at a name, by what one layer says', () => {
  const entry = (more: Partial<Placed> = {}): Placed => ({
    says: 'entry',
    ino: 5,
    directory: true,
    implied: false,
    opaque: false,
    ...more,
  })
  const lower: Node = { place: { side: 0, ino: 3 }, parts: [{ side: 0, ino: 3 }], kind: 'directory' }
  const file: Node = { place: { side: 0, ino: 4 }, kind: 'file' }
  const place = { side: 1, ino: 5 }
  const nobody = () => undefined

  test.each<[string, Verdict, boolean]>([
    ['nothing', nothing, false],
    ['a whiteout', whiteout, true],
    ['a ghost', { says: 'ghost', ino: 5 }, false],
    ['a link', { says: 'link', path: 'a' }, true],
    ['a file', entry({ directory: false, kind: 'file' }), true],
    ['a directory', entry(), false],
    ['an opaque one', entry({ opaque: true }), true],
    ['an opaque one that nothing describes', entry({ opaque: true, implied: true }), false],
    ['one that nothing describes', entry({ implied: true }), false],
    ['one that was renamed', entry({ redirect: 'x' }), true],
  ])('%s hides what is below where it says so whatever that is', (_, verdict, hides) => {
    expect(hidesBelow(verdict)).toBe(hides)
    const over = (below: Node | undefined) => rule(verdict, 1, below, (path) => (path === 'x' ? lower : file))
    const same = [lower, file].every((below) => JSON.stringify(over(below)) === JSON.stringify(over(undefined)))
    if (hides) expect(same).toBe(true)
    else expect(JSON.stringify(over(lower))).not.toBe(JSON.stringify(over(undefined)))
  })

  test('a file of unknown kind has none', () => {
    expect(rule(entry({ directory: false }), 1, lower, nobody)).toEqual({ place })
    expect(rule(entry({ directory: false, kind: 'fifo' }), 1, lower, nobody)).toEqual({ place, kind: 'fifo' })
  })

  test('a directory merges with one below, not with a file, and takes the attributes of one it does not describe', () => {
    expect(rule(entry(), 1, lower, nobody)).toEqual({ place, parts: [place, lower.place], kind: 'directory' })
    expect(rule(entry({ implied: true }), 1, lower, nobody)).toEqual({
      place: lower.place,
      parts: [place, lower.place],
      kind: 'directory',
    })
    expect(rule(entry({ opaque: true }), 1, lower, nobody)).toEqual({ place, parts: [place], kind: 'directory' })
    expect(rule(entry(), 1, file, nobody)).toMatchObject({ place, parts: [place] })
    expect(rule({ says: 'ghost', ino: 5 }, 1, file, nobody)).toBe(file)
    expect(rule({ says: 'ghost', ino: 5 }, 1, undefined, nobody)).toBeUndefined()
    expect(rule({ says: 'ghost', ino: 5 }, 1, lower, nobody)).toEqual({ ...lower, parts: [place, lower.place] })
  })

  test('a renamed directory has its lower part where it stood, which must have been a directory', () => {
    const moved = entry({ redirect: 'was/here' })
    const before = (path: string) => (path === 'was/here' ? lower : undefined)
    expect(rule(moved, 1, file, before)).toEqual({ place, parts: [place, lower.place], kind: 'directory' })
    for (const found of [undefined, file]) {
      expect(() => rule(moved, 1, lower, () => found)).toThrow(
        expect.objectContaining({
          code: 'PLY_BAD_LAYER',
          details: {
            entry: 'was/here',
            rule: 'U-03',
            reason: 'a directory was renamed from here, but below there is none',
          },
        }),
      )
    }
  })

  test('a link is what its target was, which must have been a file', () => {
    const link: Verdict = { says: 'link', path: 'to\xe9' }
    expect(rule(link, 1, lower, () => file)).toBe(file)
    const refused = (rule: string, reason: string) =>
      expect.objectContaining({ code: 'PLY_BAD_LAYER', details: { entry: 'to\\xe9', rule, reason } })
    expect(() => rule(link, 1, lower, nobody)).toThrow(refused('H-06', 'a hardlink to it, but no layer below has it'))
    expect(() => rule(link, 1, lower, () => lower)).toThrow(
      refused('H-03', 'a hardlink to it, but it is a directory below'),
    )
  })
})

describe('what two trees share', () => {
  const lines = [
    ['d/', 'd/a:one', 'x/', 'x/y:1'],
    ['d/b:two', 'e/', 'e/f:2'],
    ['d/c:three', 'n:3'],
  ] as const
  /** Views that say of which index they are. */
  const indexed = (count: number, last: string = '') =>
    views(...lines.slice(0, count)).map((view, side) => ({
      ...view,
      index: { uuid: Buffer.from(side === count - 1 && last ? last : `layer ${side}`) } as never,
    }))

  test('is what comes from the layers that are lowest in both, with everything under it', () => {
    const [before, after] = [stackedTree(indexed(2)), stackedTree(indexed(3))]
    for (const tree of [before, after]) treeText(tree)
    const shared = sharedInodes(before, after)!
    const told = ['d', 'd/a', 'd/b', 'x', 'x/y', 'e', 'e/f'].map((path) => [path, shared(at(after, path))])
    expect(told).toEqual([
      ['d', false],
      ['d/a', true],
      ['d/b', true],
      ['x', true],
      ['x/y', true],
      ['e', true],
      ['e/f', true],
    ])
    expect([shared(at(after, 'd/c')), shared(at(after, 'n')), shared(after.root)]).toEqual([false, false, false])
  })

  test('is less where the layers differ further down, and nothing where the lowest does', () => {
    const [before, after] = [stackedTree(indexed(2)), stackedTree(indexed(2, 'another'))]
    for (const tree of [before, after]) treeText(tree)
    const shared = sharedInodes(before, after)!
    expect(['d/a', 'x', 'd/b', 'e', 'd'].map((path) => shared(at(after, path)))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(sharedInodes(stackedTree(indexed(1)), stackedTree(indexed(1, 'another')))).toBeUndefined()
  })

  test('cannot be told of trees that are made of no layers, or of some that are not there', () => {
    const tree = () => stackedTree(indexed(2))
    expect(sharedInodes(plainTree({}), tree())).toBeUndefined()
    expect(sharedInodes(tree(), plainTree({}))).toBeUndefined()
    expect(sharedInodes(stackedTree(views(['a'])), stackedTree(views(['a'])))).toBeUndefined()
    expect(sharedInodes(stackedTree(indexed(2), undefined, undefined, 1), tree())).toBeUndefined()
  })

  test('is all of a folded tree that another one stands on', async () => {
    const base = await folded(views(...lines.slice(0, 2)))
    const over = stackedTree(
      views([], [], ['d/c:x']).slice(2),
      foldedTree(base.index, () => {
        throw new Error('nothing is read')
      }),
    )
    for (const directory of [over.root, at(over, 'd'), at(over, 'x')])
      expect([...over.list(directory)].length).toBeGreaterThan(0)
    const shared = sharedInodes(base, over)!
    expect([at(base, 'x'), at(base, 'x/y'), at(base, 'd/a')].map(shared)).toEqual([true, true, true])
    expect([shared(over.root), shared(at(over, 'd')), shared(at(over, 'd/c'))]).toEqual([false, false, false])
    expect(sharedInodes(base, base)!(base.root)).toBe(true)
  })
})

describe('a tree with its owners shifted', () => {
  const shift = { uids: IdMapping.parse('0:1000:10'), gids: IdMapping.parse('0:2000:10') }
  const spec = {
    'd/': {},
    'd/e/': {},
    'd/e/f': { content: 'text', uid: 3, gid: 4 },
    l: { kind: 'symlink', target: 'd' },
    'z/\xe9': { uid: 77 },
  } as const

  test('is otherwise the tree that it is of', () => {
    let closed = 0
    const tree = { ...plainTree(spec), close: () => void closed++ }
    const mapped = mappedTree(tree, shift)
    const f = at(mapped, 'd/e/f')
    expect(mapped.root).toBe(tree.root)
    expect([mapped.kind!(f), mapped.kind!(at(mapped, 'd')), mapped.kind!(at(mapped, 'l'))]).toEqual([
      'file',
      'directory',
      'symlink',
    ])
    expect([...mapped.list(at(mapped, 'd'))]).toEqual([...tree.list(at(tree, 'd'))])
    expect([mapped.parent(at(mapped, 'd/e')), mapped.readlink(at(mapped, 'l'))]).toEqual([at(tree, 'd'), 'd'])
    const read = Buffer.alloc(4)
    mapped.open(f).read(read, 0)
    expect(read.toString()).toBe('text')
    expect(mapped.stat(f)).toEqual({ ...tree.stat(f), uid: 1003, gid: 2004 })
    expect(mapped.lookup(mapped.root, 'none')).toBeUndefined()
    mapped.close()
    expect(closed).toBe(1)
  })

  test('what is not shifted is left as it is', () => {
    const tree = plainTree(spec)
    const f = at(tree, 'd/e/f')
    expect(mappedTree(tree, { uids: shift.uids }).stat(f)).toMatchObject({ uid: 1003, gid: 4 })
    expect(mappedTree(tree, { gids: shift.gids }).stat(f)).toMatchObject({ uid: 3, gid: 2004 })
    expect(mappedTree(tree, {}).stat(f)).toEqual(tree.stat(f))
  })

  test('an owner who has no number there is refused by path, whoever it is', () => {
    const tree = plainTree({ ...spec, 'd/e/g': { gid: 10 } })
    const refused = (path: string, who: string) =>
      expect.objectContaining({
        code: 'PLY_UNREPRESENTABLE',
        details: {
          path,
          where: 'the mapping of owners',
          reason: `it belongs to ${who}, for whom there is no number there; map it, or say what takes its place (O-02)`,
        },
      })
    const mapped = mappedTree(tree, { ...shift, outside: 'refuse' })
    expect(() => mapped.stat(at(tree, 'z/\xe9'))).toThrow(refused('/z/\\xe9', 'user 77'))
    expect(() => mapped.stat(at(tree, 'd/e/g'))).toThrow(refused('/d/e/g', 'group 10'))
    const rooted = mappedTree(plainTree({ '': { uid: 50 } }), shift)
    expect(() => rooted.stat(rooted.root)).toThrow(refused('/', 'user 50'))
  })
})
