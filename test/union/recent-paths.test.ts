import { expect, test } from 'vitest'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { RecentPaths } from '../../src/union/recent-paths.ts'
import { resolvePath } from '../../src/union/resolve.ts'
import type { RestackableUnion, WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { Dice } from '../properties/seed.ts'
import { plainTree } from '../support/plain-tree.ts'
import { directory, file, make } from './make.ts'
import { seed } from './random-unions.ts'

/** The same union, which remembers no paths. */
function walking(tree: WritableUnion): WritableUnion {
  return new Proxy(tree, {
    get(target, key) {
      if (key === 'paths') return undefined
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function led(tree: WritableUnion, path: string, follow: boolean) {
  try {
    return resolvePath(tree, path, { follow })
  } catch (error) {
    return codeOf(error) ?? error
  }
}

test('a path that was walked again and again is not walked any more, until a name changes', () => {
  const tree = make({ 'usr/bin/sh': 'x' })
  let lookups = 0
  const counted: WritableUnion = new Proxy(tree, {
    get(target, key) {
      if (key === 'lookup') lookups++
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const walks = () => {
    const before = lookups
    resolvePath(counted, '/usr/bin/sh', { follow: false })
    return lookups - before
  }
  expect(walks()).toBe(3)
  for (let i = 0; i < 100; i++) walks()
  expect(walks()).toBe(0)
  tree.create(tree.root, 'new', file)
  expect(walks()).toBe(3)
})

test('a union that is closed remembers nothing', () => {
  const lower = plainTree({ a: 'x' })
  let closed = false
  const lookup = (at: number, name: string) => {
    if (closed) throw new PlyError('EBADF', { syscall: 'lookup' })
    return lower.lookup(at, name)
  }
  const tree = union({ ...lower, lookup, close: () => (closed = true) }, memoryUpper())
  for (let i = 0; i < 100; i++) expect(led(tree, '/a', true)).toMatchObject({ name: 'a' })
  tree.close()
  expect(led(tree, '/a', true)).toBe('EBADF')
})

test('more paths than are kept are answered all the same', () => {
  const paths = new RecentPaths<{ readonly ino: number }>()
  const all = Array.from({ length: 100_000 }, (_, ino) => ({ path: `/${ino}`, ino }))
  for (const { path, ino } of all) paths.keep(path, true, { ino })
  const found = all.flatMap(({ path, ino }) => {
    const known = paths.find(path, true)
    return known === undefined ? [] : { known: known.ino, ino }
  })
  expect(found.filter(({ known, ino }) => known !== ino)).toEqual([])
  expect(all.some(({ path }) => paths.find(path, false))).toBe(false)
  // Two generations of 2^15.
  expect(found.length).toBeGreaterThan(1 << 15)
  expect(found.length).toBeLessThanOrEqual(2 << 15)
  paths.forget()
  expect(all.some(({ path }) => paths.find(path, true))).toBe(false)
})

test(`what is remembered of paths is what walking them says, whatever changes (seed ${seed})`, () => {
  const dice = new Dice(seed)
  const names = ['a', 'b', 'c', 'd']
  const path = () => `/${Array.from({ length: 1 + dice.below(4) }, () => dice.pick([...names, '..'])).join('/')}`
  let changed = 0
  for (let round = 0; round < 25; round++) {
    const lower = () =>
      plainTree({
        'a/b/c': 'x',
        'a/b/d': { kind: 'symlink', target: '../..' },
        'a/c': 'y',
        b: { kind: 'symlink', target: 'a/b' },
        'c/a/b': 'z',
      })
    let uppers = 0
    const upper = () => memoryUpper({ numbersFrom: firstNewInode + ++uppers * 1000 })
    const tree = make({}) as RestackableUnion
    tree.restack(lower(), upper(), () => {})
    const plain = walking(tree)
    const at = () => {
      const { directory: parent, name, ino } = resolvePath(plain, path(), { follow: false })
      return { parent, name: name === '' ? 'a' : name, ino }
    }
    const verbs: (() => unknown)[] = [
      () => tree.create(at().parent, dice.pick(names), file),
      () => tree.create(at().parent, dice.pick(names), directory),
      () => tree.create(at().parent, dice.pick(names), { ...file, kind: 'symlink', target: path() }),
      () => tree.link(at().parent, dice.pick(names), at().ino ?? 0),
      () => tree.unlink(at().parent, at().name),
      () => tree.rmdir(at().parent, at().name),
      () => tree.rename(at().parent, at().name, at().parent, at().name),
      () => tree.rename(at().parent, at().name, at().parent, at().name, { exchange: true }),
      () => tree.freeze(upper(), () => {}),
      () => dice.once(4) && tree.restack(lower(), upper(), () => {}),
    ]
    for (let step = 0; step < 60; step++) {
      try {
        dice.pick(verbs)()
        changed++
      } catch (error) {
        if (codeOf(error) === undefined) throw error
      }
      for (let i = 0; i < 120; i++) {
        const [wanted, follow] = [path(), dice.once(2)]
        expect(led(tree, wanted, follow), wanted).toEqual(led(plain, wanted, follow))
      }
    }
    tree.close()
  }
  expect(changed).toBeGreaterThan(100)
})
