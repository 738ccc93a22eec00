import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, changes, diff, packChanges, packTree } from '../../src/diff/index.ts'
import { type PackItem, packLayer } from '../../src/layer/index.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { codeOf } from '../../src/model/errors.ts'
import { stackedTree, type Tree } from '../../src/stack/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { layerOf } from '../layer/layer.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { type Edit, edited, edits } from './edits.ts'

/** What only a union can do: move, and write into what is there. */
type Deed =
  | Edit
  | { readonly does: 'move'; readonly path: string; readonly to: string }
  | { readonly does: 'write'; readonly path: string; readonly content: string }

const someName = fc.constantFrom('a', 'b', 'c', 'a.b', 'z')
const somePath = fc.array(someName, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const deeds: fc.Arbitrary<Deed[]> = fc
  .tuple(
    edits,
    fc.array(
      fc.oneof(
        fc.record({ does: fc.constant('move' as const), path: somePath, to: somePath }),
        fc.record({ does: fc.constant('write' as const), path: somePath, content: fc.constantFrom('', 'one', 'four') }),
      ),
      { maxLength: 12 },
    ),
    fc.infiniteStream(fc.boolean()),
  )
  .map(([left, right, turns]) => {
    const mixed: Deed[] = []
    const [a, b] = [[...left], [...right]]
    while (a.length > 0 || b.length > 0)
      mixed.push((a.length > 0 && (b.length === 0 || turns.next().value) ? a : b).shift()!)
    return mixed
  })

function find(tree: Tree, path: string): number | undefined {
  let ino: number | undefined = tree.root
  for (const name of path === '' ? [] : path.split('/')) {
    if (ino === undefined || tree.stat(ino).kind !== 'directory') return undefined
    ino = tree.lookup(ino, name)
  }
  return ino
}

function place(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
}

function removeAll(tree: WritableUnion, directory: number, name: string): void {
  const ino = tree.lookup(directory, name)!
  if (tree.stat(ino).kind !== 'directory') {
    tree.unlink(directory, name)
    return
  }
  for (const child of [...tree.list(ino)]) removeAll(tree, ino, child.name)
  tree.rmdir(directory, name)
}

function perform(tree: WritableUnion, deed: Deed): void {
  const [parent, name] = place(deed.path)
  const directory = find(tree, parent)
  const ino = find(tree, deed.path)
  if (directory === undefined || tree.stat(directory).kind !== 'directory') return
  switch (deed.does) {
    case 'put': {
      if (ino !== undefined) removeAll(tree, directory, name)
      const { kind = 'file', mode = 0o644, uid = 0, gid = 0, mtime = 0n, content, target, major, minor } = deed.node
      const xattrs = new Map(
        Object.entries(deed.node.xattrs ?? {}).map(([key, value]) => [key, Buffer.from(value as string, 'latin1')]),
      )
      const made = tree.create(directory, name, {
        kind,
        mode: kind === 'symlink' ? 0o777 : mode,
        uid,
        gid,
        mtime,
        xattrs,
        ...(target !== undefined && { target }),
        ...(major !== undefined && { major }),
        ...(minor !== undefined && { minor }),
      })
      if (kind === 'file') write(tree, made, content as string)
      return
    }
    case 'link': {
      const target = find(tree, deed.to)
      if (target === undefined || tree.stat(target).kind === 'directory' || target === ino) return
      if (ino !== undefined) removeAll(tree, directory, name)
      // What stood in the way may have held the target.
      if (find(tree, deed.to) === target) tree.link(directory, name, target)
      return
    }
    case 'remove':
      if (ino !== undefined && name !== '') removeAll(tree, directory, name)
      return
    case 'change': {
      if (ino === undefined) return
      const { mode, uid, gid, mtime } = deed.attributes
      const symlink = tree.stat(ino).kind === 'symlink'
      tree.setAttributes(ino, {
        ...(mode !== undefined && !symlink && { mode }),
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
        ...(mtime !== undefined && { mtime }),
      })
      return
    }
    case 'move': {
      const [toParent, toName] = place(deed.to)
      const toDirectory = find(tree, toParent)
      if (ino === undefined || toDirectory === undefined || tree.stat(toDirectory).kind !== 'directory') return
      try {
        tree.rename(directory, name, toDirectory, toName)
      } catch (error) {
        // What Linux refuses too: a directory into itself, onto a full one, or onto what is none.
        if (!['EINVAL', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR', 'EEXIST'].includes(codeOf(error)!)) throw error
      }
      return
    }
    case 'write':
      if (ino !== undefined && tree.stat(ino).kind === 'file') write(tree, ino, deed.content)
      return
    default:
      deed satisfies never
  }
}

function write(tree: WritableUnion, ino: number, content: string): void {
  const writer = tree.writer(ino, { truncate: true })
  writer.write(Buffer.from(content), 0)
  writer.close()
}

/** A union over a tree, with a clock of whole seconds, as archives have them. */
function writable(lower: Tree | readonly IndexedView[]): WritableUnion {
  let time = 2_000_000_000n
  return union(lower, memoryUpper(), { now: () => time++ * 1_000_000_000n })
}

async function layer(items: AsyncIterable<PackItem>): Promise<IndexedView> {
  return (await layerOf(await bytesIn(packLayer(items)), { strict: true })).view
}

describe('changes of a union', () => {
  test('say what was done to it, and nothing else', async () => {
    const tree = writable(plainTree({ 'etc/motd': 'old', 'etc/issue': 'x', 'etc/passwd': 'root', 'usr/bin/a': 'a' }))
    const etc = find(tree, 'etc')!
    write(tree, find(tree, 'etc/motd')!, 'hello')
    tree.unlink(etc, 'issue')
    tree.setAttributes(find(tree, 'etc/passwd')!, { mode: 0o600 })
    tree.create(tree.root, 'new', { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0n })
    const told = (await valuesOf<Change>(changes(tree))).map((change) => {
      return `${change.kind} ${change.path}${change.kind === 'modify' ? ` ${change.changed.join(' ')}` : ''}`
    })
    expect(told).toEqual(['delete /etc/issue', 'modify /etc/motd mtime content', 'modify /etc/passwd mode', 'add /new'])
  })

  test('cost what was touched: shared directories are neither listed nor looked at', async () => {
    const lower = plainTree(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`d${i % 100}/f${i}`, `${i}`])))
    let listed = 0
    const tree = writable({
      ...lower,
      list(ino) {
        listed++
        return lower.list(ino)
      },
    })
    write(tree, find(tree, 'd7/f7')!, 'changed')
    listed = 0
    expect((await valuesOf<Change>(changes(tree))).map(({ path }) => path)).toEqual(['/d7/f7'])
    expect(listed).toBeLessThan(10)
  })

  test('a file that was touched and put back is no change', async () => {
    const tree = writable(plainTree({ a: { content: 'same', mtime: 5_000_000_000n } }))
    write(tree, find(tree, 'a')!, 'other')
    write(tree, find(tree, 'a')!, 'same')
    tree.setAttributes(find(tree, 'a')!, { mtime: 5_000_000_000n })
    expect(await valuesOf(changes(tree))).toEqual([])
  })

  test('E-09, H-11: writing through one name changes all names, wherever they are', async () => {
    const tree = writable(plainTree({ 'a/one': 'x', 'b/two': { hardlink: 'a/one' }, 'c/other': 'y' }))
    write(tree, find(tree, 'b/two')!, 'written')
    expect((await valuesOf<Change>(changes(tree))).map(({ path }) => path)).toEqual(['/a/one', '/b/two'])
  })

  test('E-09: a name that left its group for an equal file of its own is changed, though all else is equal', async () => {
    const tree = writable(plainTree({ a: 'x', b: { hardlink: 'a' } }))
    tree.unlink(tree.root, 'a')
    const made = tree.create(tree.root, 'a', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0n })
    write(tree, made, 'x')
    tree.setAttributes(made, { mtime: 0n })
    const [change, ...more] = await valuesOf<Change>(changes(tree))
    expect(change).toMatchObject({ kind: 'modify', path: '/a', changed: ['links'] })
    expect(more).toEqual([])
  })

  test('are the same as comparing both trees in full', async () => {
    await fc.assert(
      fc.asyncProperty(edits, deeds, async (first, then) => {
        const tree = writable(edited(first))
        for (const deed of then) perform(tree, deed)
        // Without knowing that numbers are shared, equal files that were made again cannot be told from old ones.
        const plain = (all: Change[]) => all.map(({ kind, path }) => `${kind} ${path}`)
        const quick = plain(await valuesOf(changes(tree, { directoryTimes: true })))
        const full = plain(await valuesOf(diff(tree.lower, tree, { directoryTimes: true, sameNumbers: true })))
        expect(quick).toEqual(full)
      }),
      { numRuns: 300 },
    )
  })

  test('E-15: packed, imported and stacked on the base they give what the union shows', async () => {
    await fc.assert(
      fc.asyncProperty(edits, deeds, async (first, then) => {
        const base = await layer(packTree(edited(first)))
        const tree = writable([base])
        for (const deed of then) perform(tree, deed)
        tree.sync()
        const packed = packChanges(changes(tree, { directoryTimes: true }), { before: tree.lower, after: tree })
        const made = stackedTree([base, await layer(packed)])
        expect(treeEntries(made)).toEqual(treeEntries(tree))
      }),
      { numRuns: 300 },
    )
  })

  test('A-02: three layers of changes, one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deeds, { minLength: 3, maxLength: 3 }), async (batches) => {
        const views: IndexedView[] = []
        for (const batch of batches) {
          const tree = writable([...views])
          for (const deed of batch) perform(tree, deed)
          const packed = packChanges(changes(tree, { directoryTimes: true }), { before: tree.lower, after: tree })
          views.push(await layer(packed))
          expect(treeEntries(stackedTree([...views]))).toEqual(treeEntries(tree))
        }
      }),
      { numRuns: 100 },
    )
  })
})
