import { describe, expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { spillBytes } from '../../src/layer/spill.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { foldedTree, stackedTree, type Tree, writeTree } from '../../src/stack/index.ts'
import { squashedView } from '../../src/stack/squash.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { layerOf } from '../layer/layer.ts'
import { dir, file, gone, link, symlink, withXattrs } from '../layer/parts.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { archive, member, pax } from '../tar/raw.ts'

const hole = [pax({ 'GNU.sparse.size': '9000', 'GNU.sparse.numblocks': '0' }), member({ name: 'hole' })]
const sparse = [pax({ 'GNU.sparse.size': '9000', 'GNU.sparse.map': '4096,4' }), member({ name: 'sparse' }, 'data')]
const tars = [
  archive(
    dir('./', { mode: 0o700, uid: 9 }),
    dir('d', { mode: 0o750, gid: 8 }),
    withXattrs({ 'user.a': 'of a file' }, file('d/f', 'one')),
    link('d/g', 'd/f'),
    symlink('d/l', 'f'),
    member({ name: 'd/c', type: '3', major: 4, minor: 64 }),
    member({ name: 'd/b', type: '4', major: 8, minor: 1 }),
    member({ name: 'd/p', type: '6', mode: 0o622 }),
    file('d/empty'),
    ...hole,
    ...sparse,
    file('away', 'away'),
  ),
  archive(withXattrs({ 'user.b': 'of a directory' }, dir('d', { mode: 0o755 })), file('e/new', 'two'), gone('away')),
  archive(
    link('e/linked', 'd/f'),
    member({ name: 'e/q', type: '6' }),
    member({ name: 'e/s', type: '4', major: 1, minor: 2 }),
  ),
]
const views = () => Promise.all(tars.map(async (tar) => (await layerOf(tar)).view))
/** The same views, of which nobody knows in which index they stand. */
const unindexed = (all: readonly IndexedView[]): IndexedView[] =>
  all.map((view) => ({
    root: view.root,
    devices: view.devices,
    linksBelow: view.linksBelow === true,
    lookup: (directory, name) => view.lookup(directory, name),
    list: (directory) => view.list(directory),
    stat: (ino) => view.stat(ino),
    readlink: (ino) => view.readlink(ino),
    xattrs: (ino) => view.xattrs(ino),
    open: (ino) => view.open(ino),
    provenance: (ino) => view.provenance(ino),
    place: (ino) => view.place(ino),
    close: () => view.close(),
  }))
const chainId = digestOf(Buffer.from('chain')) as never

async function folded(all: readonly IndexedView[]) {
  const chunks: Uint8Array[] = []
  await writeTree({ write: (chunk) => void chunks.push(Buffer.from(chunk)) }, { views: all, chainId })
  const layers = new Map(
    await Promise.all(tars.map(async (tar) => [digestOf(tar) as string, { tar, own: await layerOf(tar) }] as const)),
  )
  const bytes = Buffer.concat(chunks)
  const tree = foldedTree(Index.open(memoryBytes(bytes)), ({ diffId, spill }) => {
    const { tar, own } = layers.get(diffId)!
    return spill ? spillBytes(Index.open(memoryBytes(own.index)), () => memoryBytes(tar))! : memoryBytes(tar)
  })
  return { bytes, tree }
}
const at = (tree: Tree, path: string) => path.split('/').reduce((ino, name) => tree.lookup(ino, name)!, tree.root)

describe('things of every kind', () => {
  test('come through a stack as the layers have them', async () => {
    const tree = stackedTree(await views())
    const told = Object.fromEntries(treeEntries(tree).map((entry) => [entry.path, entry]))
    expect(told['']).toMatchObject({ kind: 'directory', mode: 0o700, uid: 9, links: 4 })
    expect(told.d).toMatchObject({ kind: 'directory', mode: 0o755, gid: 0, links: 2 })
    expect(told['d/f']).toMatchObject({ kind: 'file', links: 3, size: 3 })
    expect(told['d/c']).toMatchObject({ kind: 'character', major: 4, minor: 64 })
    expect(told['d/b']).toMatchObject({ kind: 'block', major: 8, minor: 1 })
    expect(told['d/p']).toMatchObject({ kind: 'fifo', mode: 0o622 })
    expect(told['d/l']).toMatchObject({ kind: 'symlink' })
    expect(told.hole).toMatchObject({ kind: 'file', size: 9000 })
    expect(told.away).toBeUndefined()
    expect(at(tree, 'e/linked')).toBe(at(tree, 'd/g'))
    expect([tree.readlink(at(tree, 'd/l')), tree.kind(at(tree, 'd/c')), tree.kind(at(tree, 'd'))]).toEqual([
      'f',
      'character',
      'directory',
    ])
    const xattr = (path: string, name: string) => Buffer.from(tree.xattrs(at(tree, path)).get(name) ?? '').toString()
    expect([xattr('d/f', 'user.a'), xattr('d', 'user.b'), xattr('e', 'user.b')]).toEqual([
      'of a file',
      'of a directory',
      '',
    ])
    expect([tree.place(at(tree, 'hole')), tree.place(at(tree, 'd/empty'))]).toEqual([undefined, undefined])
    expect(tree.source(at(tree, 'e/new'))).toMatchObject({ side: 1 })
  })

  test('are the same folded, whether they are copied from indexes or asked for one by one', async () => {
    const stacked = treeEntries(stackedTree(await views()))
    const { tree, bytes } = await folded(await views())
    expect(treeEntries(tree)).toEqual(stacked)
    for (const path of ['d', 'd/f', 'd/l', 'd/c', 'd/b', 'd/p'])
      expect(tree.kind(at(tree, path)), path).toBe(tree.stat(at(tree, path)).kind)
    expect(Buffer.from(tree.xattrs(at(tree, 'd/f')).get('user.a')!).toString()).toBe('of a file')
    const other = await folded(unindexed(await views()))
    expect(treeEntries(other.tree)).toEqual(stacked)
    expect(other.bytes.equals(bytes)).toBe(true)
  })

  test('lie where their layer has them, a hole nowhere, and what is sparse in the spill', async () => {
    const { tree } = await folded(await views())
    const first = digestOf(tars[0]!)
    expect(tree.place(at(tree, 'd/f'))).toMatchObject({ layer: first })
    expect(tree.place(at(tree, 'd/f'))).not.toHaveProperty('spill')
    expect(tree.place(at(tree, 'sparse'))).toMatchObject({ layer: first, spill: true })
    expect([tree.place(at(tree, 'hole')), tree.place(at(tree, 'd/empty'))]).toEqual([undefined, undefined])
    const zeros = tree.open(at(tree, 'hole'))
    const read = Buffer.alloc(9000, 'x')
    expect([zeros.size, zeros.read(read, 0), read.every((byte) => byte === 0)]).toEqual([9000, 9000, true])
    expect(tree.open(at(tree, 'd/empty')).size).toBe(0)
    expect(tree.provenance(at(tree, 'e/new'))).toMatchObject({ layer: digestOf(tars[1]!) })
    expect(tree.provenance(at(tree, 'e')).header).toBeUndefined()
  })

  test('are the same squashed, whose parts are closed together', async () => {
    const own = await views()
    let closed = 0
    const squashed = squashedView(
      unindexed(own).map((view) => ({ ...view, close: () => void closed++ })),
      { bottom: true },
    )
    expect(treeEntries(stackedTree([squashed]))).toEqual(treeEntries(stackedTree(await views())))
    expect(squashed.linksBelow).toBe(true)
    const [, second] = await views()
    expect(squashedView([second!]).linksBelow).toBe(false)
    const d = squashed.lookup(squashed.root.ino, 'd')
    if (d.says !== 'entry') throw new Error(d.says)
    expect(Buffer.from(squashed.xattrs(d.ino).get('user.b')!).toString()).toBe('of a directory')
    expect(d).toMatchObject({ kind: 'directory', implied: false, opaque: false })
    const f = squashed.lookup(d.ino, 'f')
    expect(f).toMatchObject({ says: 'entry', kind: 'file', directory: false, implied: false, opaque: false })
    const refused = () => squashed.lookup(f.says === 'entry' ? f.ino : 0, 'x')
    expect(refused).toThrow(expect.objectContaining({ code: 'ENOTDIR', details: { syscall: 'scandir' } }))
    squashed.close()
    expect(closed).toBe(tars.length)
  })
})

test('a stack is asked of a directory that it handed out, and of nothing else', async () => {
  const tree = stackedTree(await views())
  const errno = (act: () => unknown) => {
    try {
      act()
    } catch (error) {
      return codeOf(error)
    }
    return 'done'
  }
  expect(() => tree.lookup(at(tree, 'd/f'), 'x')).toThrow(
    expect.objectContaining({ code: 'ENOTDIR', details: { syscall: 'scandir' } }),
  )
  expect(errno(() => [...tree.list(at(tree, 'd/l'))])).toBe('ENOTDIR')
  expect(() => tree.stat(7 * 2 ** 32 + 1)).toThrow(
    expect.objectContaining({ code: 'EIO', details: { syscall: 'stat' } }),
  )
  expect([tree.parent(tree.root), tree.parent(at(tree, 'e'))]).toEqual([tree.root, tree.root])
  expect(tree.partsOf(at(tree, 'd/f'))).toBeUndefined()
  expect(tree.partsOf(at(tree, 'd'))!.map(({ side }) => side)).toEqual([1, 0])
})

test('a stack over a tree shows the tree where nothing is over it, with its numbers', async () => {
  const base = () => plainTree({ 'x/': {}, 'x/y/': {}, 'x/f': 'base', 'd/': {}, 'd/f': 'base', 'd/z': 'z' })
  const [first] = await views()
  const tree = stackedTree([first!], base())
  const own = base()
  expect(at(tree, 'x/f')).toBe(at(own, 'x/f'))
  expect([...tree.list(at(tree, 'x'))]).toEqual([...own.list(at(own, 'x'))])
  expect([...tree.list(at(tree, 'd'))].map(({ name }) => name)).toEqual(['b', 'c', 'empty', 'f', 'g', 'l', 'p', 'z'])
  expect([tree.stat(at(tree, 'x')).links, tree.stat(at(tree, 'd')).links, tree.stat(tree.root).links]).toEqual([
    3, 2, 4,
  ])
  expect([tree.place(at(tree, 'x/f')), tree.place(at(tree, 'd/f'))?.layer]).toEqual([undefined, digestOf(tars[0]!)])
  expect(tree.parent(at(tree, 'x/y'))).toBe(at(tree, 'x'))
})

test('U-03: a directory that a layer moved and that still stands where it was is refused by its place', () => {
  const moved = (name: string, ino: number, redirect?: string) => ({
    name,
    verdict: {
      says: 'entry',
      ino,
      directory: true,
      kind: 'directory',
      implied: false,
      opaque: false,
      ...(redirect && { redirect }),
    } as const,
  })
  const stat = (ino: number) => ({
    ino,
    kind: 'directory' as const,
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: 0n,
    size: 0,
    links: 2,
    major: 0,
    minor: 0,
  })
  const entries = [moved('a', 2), moved('b', 3)]
  const inner: Record<number, ReturnType<typeof moved>[]> = { 1: entries, 2: [moved('same', 4)], 3: [moved('same', 4)] }
  const list = (directory: number) => inner[directory] ?? []
  const view = {
    root: { says: 'entry', ino: 1, directory: true, kind: 'directory', implied: false, opaque: false } as const,
    list,
    lookup: (directory: number, name: string) =>
      list(directory).find((one) => one.name === name)?.verdict ?? ({ says: 'nothing' } as const),
    stat,
    xattrs: () => new Map(),
    readlink: () => '',
    open: () => memoryBytes(Buffer.alloc(0)),
    close() {},
  }
  const tree = stackedTree([view])
  const [a, b] = [tree.lookup(tree.root, 'a')!, tree.lookup(tree.root, 'b')!]
  expect(tree.lookup(a, 'same')).toBeDefined()
  expect(tree.lookup(a, 'same')).toBeDefined()
  expect(() => tree.lookup(b, 'same')).toThrow(
    expect.objectContaining({
      code: 'PLY_BAD_LAYER',
      details: { entry: 'b', rule: 'U-03', reason: 'a directory in it also stands elsewhere' },
    }),
  )
})
