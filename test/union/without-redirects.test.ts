import { expect, test } from 'vitest'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { at, file, ino, make, upperPaths, write } from './make.ts'

const start = {
  'a/b/c': { content: 'c', mode: 0o640, mtime: 5n },
  'a/b/d/e': 'e',
  'a/b/': { mtime: 3n },
  'a/b/gone': 'gone',
  'a/l': { target: 'b' },
  'a/x': { hardlink: 'y' },
  'g/x': { hardlink: 'y' },
  y: 'group',
  'h/i': 'i',
  'h/b/z': 'z',
} as const

const changing =
  /^(?:create|copyUp|copyUpContent|link|rename|exchange|forget|whiteout|setOpaque|setAttributes|setXattr)$/

/** An upper that takes no redirects; `changed` is told after each change. */
function without(changed: (call: string) => void = () => {}): Upper {
  return new Proxy(memoryUpper(), {
    get(target, key) {
      if (key === 'redirects') return false
      const value = Reflect.get(target, key, target) as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const answer = Reflect.apply(value, target, given) as unknown
        if (changing.test(String(key))) changed(String(key))
        return answer
      }
    },
  })
}

function shown(tree: WritableUnion): unknown[] {
  return treeEntries(tree)
}

const moves: Readonly<Record<string, (tree: WritableUnion) => void>> = {
  'a lower directory': (tree) => tree.rename(...at(tree, 'a'), ...at(tree, 'new')),
  'a lower directory inside of another': (tree) => tree.rename(...at(tree, 'a/b'), ...at(tree, 'h/new')),
  'over an empty directory': (tree) => {
    tree.create(ino(tree, 'h'), 'empty', { ...file, kind: 'directory', mode: 0o755 })
    tree.rename(...at(tree, 'a'), ...at(tree, 'h/empty'))
  },
  'to where a lower directory was': (tree) => {
    tree.rename(...at(tree, 'h/b'), ...at(tree, 'elsewhere'))
    tree.rename(...at(tree, 'a/b'), ...at(tree, 'h/b'))
  },
  'exchanged with another': (tree) => tree.rename(...at(tree, 'a/b'), ...at(tree, 'h'), { exchange: true }),
  'changed before': (tree) => {
    tree.unlink(...at(tree, 'a/b/gone'))
    write(tree, 'a/b/c', 'changed')
    tree.setAttributes(ino(tree, 'y'), { mode: 0o600 })
    tree.rename(...at(tree, 'a'), ...at(tree, 'h/new'))
  },
  'and back': (tree) => {
    tree.rename(...at(tree, 'a/b'), ...at(tree, 'h/new'))
    tree.rename(...at(tree, 'h/new'), ...at(tree, 'a/b'))
  },
}

const withoutTimes = (entries: unknown[]): unknown[] =>
  (entries as { stat?: object }[]).map((entry) => JSON.parse(JSON.stringify(entry, (key, value) => hidden(key, value))))
const hidden = (key: string, value: unknown): unknown =>
  /^[acm]time$/.test(key) ? undefined : typeof value === 'bigint' ? String(value) : value

for (const [what, move] of Object.entries(moves)) {
  test(`an upper that redirects nothing gets all of a directory that moves, and shows the same: ${what}`, () => {
    const upper = without()
    const [tree, redirecting] = [make(start, upper), make(start)]
    move(tree)
    move(redirecting)
    expect(withoutTimes(shown(tree))).toEqual(withoutTimes(shown(redirecting)))
    expect(upperPaths(tree).join()).not.toContain('<')
    // The same from the start: nothing was only remembered.
    expect(shown(union(plainTree(start), upper))).toEqual(shown(tree))
    expect(tree.stat(ino(tree, 'y')).links).toBe(3)
  })
}

test('a directory that moves is as it was until it has moved, at every step: contents, numbers, links, times', () => {
  const states: unknown[][] = []
  let looking = false
  const upper = without(() => {
    if (looking) states.push(shown(union(plainTree(start), upper)))
  })
  const tree = make(start, upper)
  tree.unlink(...at(tree, 'a/b/gone'))
  tree.setAttributes(ino(tree, 'y'), { mode: 0o600 })
  tree.setAttributes(ino(tree, 'a/b'), { mtime: 3n })
  const before = withoutTimes(shown(tree))
  const { mtime } = tree.stat(ino(tree, 'a/b'))
  looking = true
  tree.rename(...at(tree, 'a/b'), ...at(tree, 'h/new'))
  looking = false
  const after = withoutTimes(shown(tree))
  const seen = states.map((state) => JSON.stringify(withoutTimes(state)))
  const moved = seen.indexOf(JSON.stringify(after))
  expect(moved).toBeGreaterThan(5)
  expect(new Set(seen.slice(0, moved))).toEqual(new Set([JSON.stringify(before)]))
  expect(new Set(seen.slice(moved))).toEqual(new Set([JSON.stringify(after)]))
  expect(tree.stat(ino(tree, 'h/new')).mtime).toBe(mtime)
  expect(upperPaths(tree).filter((path) => path.startsWith('h/') || path.startsWith('-'))).toEqual([
    '-a/b',
    'h/new!',
    'h/new/c',
    'h/new/d!',
    'h/new/d/e',
  ])
})

test('a copy of attributes alone gets its content before another name, where that cannot be told', () => {
  const tree = make(start, without())
  for (const path of ['h/i', 'a/b/c', 'y']) tree.setAttributes(ino(tree, path), { mode: 0o600 })
  tree.rename(...at(tree, 'h/i'), ...at(tree, 'moved'))
  tree.link(tree.root, 'linked', ino(tree, 'a/b/c'))
  tree.rename(...at(tree, 'g/x'), ...at(tree, 'y2'))
  for (const path of ['moved', 'linked', 'y2']) expect(tree.upper.hasContent(ino(tree, path))).toBe(true)
})

test('a copy of attributes alone that has no name in the upper gets its content before it gets one', () => {
  const upper = memoryUpper()
  const nameless = new Proxy(upper, {
    get(target, key) {
      // As the kernel keeps a link group of which it removed a name: only its index has it.
      if (key === 'stat') return (of: number) => ({ ...target.stat(of), ...(of === group && { links: 0 }) })
      const value = Reflect.get(target, key, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const tree = make(start, nameless)
  const group = ino(tree, 'y')
  tree.setAttributes(group, { mode: 0o600 })
  expect(upper.hasContent(group)).toBe(false)
  tree.link(tree.root, 'linked', group)
  expect(upper.hasContent(group)).toBe(true)
})
