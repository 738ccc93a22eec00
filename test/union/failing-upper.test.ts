import { expect, test } from 'vitest'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import type { Upper } from '../../src/union/upper.ts'
import { contentAt } from '../support/plain-tree.ts'
import { at, file, ino, make } from './make.ts'
import { caught } from './upper-contract.ts'

/** An upper of which the verbs in `failing` fail, as on a disk that has gone bad. */
function breakable(): { readonly upper: Upper; readonly failing: Set<keyof Upper> } {
  const failing = new Set<keyof Upper>()
  const upper = new Proxy(memoryUpper(), {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        if (failing.has(key as keyof Upper)) throw new PlyError('EIO', { syscall: String(key) })
        return Reflect.apply(value, target, given) as unknown
      }
    },
  })
  return { upper, failing }
}

const group = { 'd/a': 'group', 'd/b': { hardlink: 'd/a' }, 'd/c': { hardlink: 'd/a' } } as const

const changes: readonly (readonly [string, keyof Upper, (tree: WritableUnion) => void])[] = [
  ['attributes are copied up', 'copyUp', (tree) => tree.setAttributes(ino(tree, 'd/a'), { mode: 0o600 })],
  ['content is copied up', 'copyUp', (tree) => tree.writer(ino(tree, 'd/a')).close()],
  ['a name moves', 'rename', (tree) => tree.rename(...at(tree, 'd/a'), ...at(tree, 'moved'))],
  ['a name goes', 'whiteout', (tree) => tree.unlink(...at(tree, 'd/a'))],
  ['a second name comes up', 'link', (tree) => tree.rename(...at(tree, 'd/b'), ...at(tree, 'moved'))],
]

for (const [what, verb, change] of changes) {
  test(`H-10: a link group has as many names as before where ${what}, and the upper fails`, () => {
    const { upper, failing } = breakable()
    const tree = make(group, upper)
    tree.setAttributes(ino(tree, 'd'), { mode: 0o700 })
    if (verb === 'link') tree.setAttributes(ino(tree, 'd/a'), { mode: 0o600 })
    expect(tree.stat(ino(tree, 'd/a')).links).toBe(3)
    failing.add(verb)
    expect(codeOf(caught(() => change(tree)))).toBe('EIO')
    failing.clear()
    expect(tree.stat(ino(tree, 'd/c')).links).toBe(3)
    change(tree)
    expect(tree.stat(ino(tree, 'd/c')).links).toBe(verb === 'whiteout' ? 2 : 3)
  })
}

const named: Readonly<Record<string, (tree: WritableUnion) => void>> = {
  create: (tree) => tree.create(ino(tree, 'd'), 'new', file),
  link: (tree) => tree.link(ino(tree, 'd'), 'new', ino(tree, 'd/a')),
  unlink: (tree) => tree.unlink(...at(tree, 'd/a')),
  rmdir: (tree) => tree.rmdir(...at(tree, 'd/e')),
  rename: (tree) => tree.rename(...at(tree, 'd/a'), ...at(tree, 'new')),
}

for (const [verb, change] of Object.entries(named)) {
  test(`${verb} has happened, and says so, also where the time of the directory cannot be stored`, () => {
    const { upper, failing } = breakable()
    const tree = make({ ...group, 'd/e/': {} }, upper)
    tree.setAttributes(ino(tree, 'd'), { mode: 0o700 })
    tree.setAttributes(tree.root, { mode: 0o755 })
    failing.add('setAttributes')
    change(tree)
    failing.clear()
    expect(caught(() => change(tree))).toBeInstanceOf(PlyError)
    expect(contentAt(tree, 'd/c')).toBe('group')
  })
}
