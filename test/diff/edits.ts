import fc from 'fast-check'
import type { Tree } from '../../src/stack/tree.ts'
import { type PlainNode, plainTree } from '../support/plain-tree.ts'
import { specOf } from './apply-items.ts'

/** One thing that somebody does to a file system. Those that make no sense where they come are skipped. */
export type Edit =
  | { readonly does: 'put'; readonly path: string; readonly node: PlainNode }
  | { readonly does: 'link'; readonly path: string; readonly to: string }
  | { readonly does: 'remove'; readonly path: string }
  | { readonly does: 'change'; readonly path: string; readonly attributes: PlainNode }

const name = fc.constantFrom('a', 'b', 'c', 'a.b', 'a-', '\xff\xfe', 'z')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const attributes = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o4711, 0),
  uid: fc.constantFrom(0, 1000),
  gid: fc.constantFrom(0, 100),
  mtime: fc.constantFrom(0n, 1_000_000_000n, -5_000_000_000n),
  xattrs: fc.constantFrom(
    {},
    { 'user.k': 'v' },
    { 'user.k': 'w', 'security.capability': `\x01\0\0\x02${'\x20\0'.repeat(8)}` },
  ),
})
const kind: fc.Arbitrary<PlainNode> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), content: fc.constantFrom('', 'one', 'two', 'three') }),
  fc.constant({ kind: 'directory' } as const),
  fc.record({ kind: fc.constant('symlink' as const), target: fc.constantFrom('a', '../b'), mode: fc.constant(0o777) }),
  fc.record({ kind: fc.constant('character' as const), major: fc.constantFrom(1, 5), minor: fc.constant(3) }),
  fc.constant({ kind: 'fifo' } as const),
)
const node = fc.tuple(attributes, kind).map(([common, own]): PlainNode => ({ ...common, ...own }))

export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ does: fc.constant('put' as const), path, node }) },
    { weight: 3, arbitrary: fc.record({ does: fc.constant('link' as const), path, to: path }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('remove' as const), path }) },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant('change' as const),
        path: fc.oneof(path, fc.constant('')),
        attributes,
      }),
    },
  ),
  { maxLength: 25 },
)

/** The file system that stands after these edits of an empty one. */
export function edited(...batches: readonly Edit[][]): Tree {
  const paths = new Map<string, PlainNode>([['', { kind: 'directory' }]])
  const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')))
  const fits = (path: string) => paths.get(parentOf(path))?.kind === 'directory'
  const remove = (path: string) => {
    for (const other of [...paths.keys()]) if (other === path || other.startsWith(`${path}/`)) paths.delete(other)
  }
  for (const edit of batches.flat()) {
    const stands = paths.get(edit.path)
    switch (edit.does) {
      case 'put':
        if (!fits(edit.path)) break
        if (stands?.kind !== 'directory' || edit.node.kind !== 'directory') remove(edit.path)
        // A copy: an edit that is used for two trees must not make their nodes one object.
        paths.set(edit.path, { ...edit.node })
        break
      case 'link': {
        const target = paths.get(edit.to)
        if (!target || target.kind === 'directory' || stands === target || !fits(edit.path)) break
        remove(edit.path)
        paths.set(edit.path, target)
        break
      }
      case 'remove':
        remove(edit.path)
        break
      case 'change': {
        if (!stands) break
        const changed = { ...stands, ...edit.attributes, ...(stands.kind === 'symlink' && { mode: 0o777 }) }
        for (const [path, other] of paths) if (other === stands) paths.set(path, changed)
        break
      }
      default:
        edit satisfies never
    }
  }
  return plainTree(specOf(paths))
}
