import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import type { Upper } from '../../src/union/upper.ts'
import { type Operation, operationsOn } from '../fs/operations.ts'
import { type DumpedEntry, treeEntries } from '../support/plain-tree.ts'
import { randomUnion, seed, settings } from './random-unions.ts'
import { caught } from './upper-contract.ts'

const steps = fc.array(operationsOn({ asRoot: true }), { minLength: 1, maxLength: 50, size: 'max' })

/** An upper without metadata-only copies: what a form that cannot have them must lead to. */
function wholeCopies(upper: Upper): Upper {
  return new Proxy(upper, {
    get(target, key) {
      if (key === 'metadataOnly') return false
      const value = Reflect.get(target, key, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A run of operations with every handle closed at its end. */
function performed(operations: readonly Operation[], upper = memoryUpper()): WritableUnion {
  const { merged, perform, done } = randomUnion(upper)
  for (const operation of operations) perform(operation)
  done()
  return merged
}

/** The part of a dump at and under a path, with paths from there. */
function under(entries: readonly DumpedEntry[], path: string): unknown[] {
  return entries
    .filter((entry) => entry.path === path || entry.path.startsWith(`${path}/`))
    .map(({ linkedTo: _, ...entry }) => ({ ...entry, path: entry.path.slice(path.length) }))
}

function directories(tree: Tree): Map<string, number> {
  const found = new Map<string, number>()
  const visit = (path: string, ino: number): void => {
    found.set(path, ino)
    for (const entry of tree.list(ino))
      if (entry.kind === 'directory') visit(path === '' ? entry.name : `${path}/${entry.name}`, entry.ino)
  }
  visit('', tree.root)
  return found
}

test(`whether metadata is copied up alone cannot be seen (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const plain = randomUnion(memoryUpper())
      const whole = randomUnion(wholeCopies(memoryUpper()))
      for (const operation of operations) expect(whole.perform(operation)).toEqual(plain.perform(operation))
      expect(treeEntries(whole.merged)).toEqual(treeEntries(plain.merged))
    }),
    settings,
  )
})

test(`H-10: link counts are the number of visible names, and directories count their subdirectories (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const merged = performed(operations)
      const entries = treeEntries(merged)
      const names = new Map<string, number>()
      for (const { linkedTo } of entries)
        if (linkedTo !== undefined) names.set(linkedTo, (names.get(linkedTo) ?? 0) + 1)
      const subdirectories = new Map<string, number>()
      for (const { path, kind } of entries) {
        if (kind !== 'directory' || path === '') continue
        const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
        subdirectories.set(parent, (subdirectories.get(parent) ?? 0) + 1)
      }
      for (const { path, kind, links, linkedTo } of entries) {
        const expected =
          kind === 'directory' ? 2 + (subdirectories.get(path) ?? 0) : linkedTo === undefined ? 1 : names.get(linkedTo)
        expect(links, path).toBe(expected)
      }
    }),
    settings,
  )
})

test(`what is called untouched is what the lower tree has there (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const merged = performed(operations)
      const entries = treeEntries(merged)
      const lowerEntries = treeEntries(merged.lower)
      const lowerPaths = new Map([...directories(merged.lower)].map(([path, ino]) => [ino, path]))
      for (const [path, ino] of directories(merged)) {
        const below = merged.untouched(ino)
        if (below === undefined) continue
        const links = (list: unknown[]) => (list as DumpedEntry[]).map(({ links: _, ...entry }) => entry)
        expect(links(under(entries, path))).toEqual(links(under(lowerEntries, lowerPaths.get(below)!)))
      }
    }),
    settings,
  )
})

test(`the upper holds no whiteout without something below it, and no directory in a place of nothing (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const merged = performed(operations)
      const { upper, lower } = merged
      const visit = (directory: number, below: number | undefined): void => {
        for (const { name, verdict } of upper.list(directory)) {
          const under = below === undefined ? undefined : lower.lookup(below, name)
          if (verdict.says === 'whiteout') expect(under, `whiteout ${name}`).toBeDefined()
          if (verdict.says !== 'entry' || !verdict.directory) continue
          const at =
            verdict.redirect?.split('/').reduce<number>((ino, part) => lower.lookup(ino, part)!, lower.root) ?? under
          visit(verdict.ino, verdict.opaque || at === undefined || lower.stat(at).kind !== 'directory' ? undefined : at)
        }
      }
      visit(upper.root.ino, lower.root)
    }),
    settings,
  )
})

test(`exchange swaps two names and all that is under them, and survives opening again (seed ${seed})`, () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'a/b', 'a/c', 'b/a', 'b/c', 'b/c/d', 'd/a', 'd/a/b', 'd/a/b/c')
  fc.assert(
    fc.property(
      steps,
      fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 4 }),
      steps,
      (before, swaps, after) => {
        const upper = memoryUpper()
        const { merged, perform, done } = randomUnion(upper)
        for (const operation of before) perform(operation)
        for (const [one, other] of swaps) {
          const [from, to] = [place(merged, one), place(merged, other)]
          if (!from || !to) continue
          const was = treeEntries(merged)
          if (caught(() => merged.rename(...from, ...to, { exchange: true })) !== undefined) {
            expect(treeEntries(merged)).toEqual(was)
            continue
          }
          const is = treeEntries(merged)
          expect(under(is, one)).toEqual(under(was, other))
          expect(under(is, other)).toEqual(under(was, one))
        }
        for (const operation of after) perform(operation)
        done()
        expect(treeEntries(randomUnion(upper).merged)).toEqual(treeEntries(merged))
      },
    ),
    settings,
  )
})

/** Directory and name of a path, if something is there. */
function place(tree: Tree, path: string): [number, string] | undefined {
  const names = path.split('/')
  const last = names.pop()!
  let directory = tree.root
  for (const name of names) {
    const ino = tree.lookup(directory, name)
    if (ino === undefined || tree.stat(ino).kind !== 'directory') return undefined
    directory = ino
  }
  return tree.lookup(directory, last) === undefined ? undefined : [directory, last]
}
