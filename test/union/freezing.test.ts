import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { firstNewInode, type Upper } from '../../src/union/upper.ts'
import { answer, closeAll, type Operation, operationsOn, sideOf } from '../fs/operations.ts'
import { type PlainSpec, plainTree, treeEntries } from '../support/plain-tree.ts'
import { caught } from './upper-contract.ts'

const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env.PLYFS_RUNS ?? 250)
const settings = { seed, numRuns, ...(process.env.PLYFS_PATH && { path: process.env.PLYFS_PATH }) }

const start: PlainSpec = {
  '/': { xattrs: { 'user.root': '1' }, mtime: 5n },
  'a/b/c': { content: 'deep', xattrs: { 'user.c': 'c' } },
  'a/c': { content: 'linked', mode: 0o4755 },
  'a/d': { target: 'b' },
  'b/a': { hardlink: 'a/c' },
  'b/c/d/a': { hardlink: 'a/c' },
  'b/b': { hardlink: 'b/x' },
  'b/x': 'second group',
  'b/d/': { mode: 0o711 },
  c: { content: 'c', mtime: 9n },
  'd/a/b/c': 'deeper',
  'd/a/b/d/': {},
  'd/b': { kind: 'character', major: 1, minor: 3 },
}

/** Numbers of each upper in a chain, out of the way of those below. */
const upperAt = (depth: number): Upper => memoryUpper({ numbersFrom: firstNewInode + depth * 1_000_000 + 1 })

function make() {
  let time = 0n
  const now = () => 1_000_000_000n + time++
  const merged = union(plainTree(start), upperAt(0), { now })
  const side = sideOf(fsOf(merged, { now }), '')
  return { merged, perform: (operation: Operation) => answer(side, operation), done: () => closeAll(side) }
}

const decided = () => {}
const freeze = 'freeze' as const
const steps = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: operationsOn({ asRoot: true }) },
    { weight: 1, arbitrary: fc.constant(freeze) },
    { weight: 1, arbitrary: fc.constant('fail' as const) },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
)

test(`that a union was frozen in between cannot be seen in it, and what is frozen shows what it showed then (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const plain = make()
      const chain = make()
      const frozen: { readonly tree: RestackableUnion; readonly showed: unknown }[] = []
      for (const operation of operations) {
        if (operation === 'fail') {
          const attempt = () =>
            chain.merged.freeze(upperAt(frozen.length + 1), () => {
              throw new Error('the disk is full')
            })
          expect(String(caught(attempt))).toMatch(/the disk is full|EBUSY/)
        } else if (operation === freeze) {
          let tree: RestackableUnion
          try {
            tree = chain.merged.freeze(upperAt(frozen.length + 1), decided)
          } catch (error) {
            expect(error).toMatchObject({ code: 'EBUSY' })
            continue
          }
          const showed = treeEntries(tree)
          expect(showed).toEqual(treeEntries(plain.merged))
          frozen.push({ tree, showed })
        } else expect(chain.perform(operation)).toEqual(plain.perform(operation))
      }
      plain.done()
      chain.done()
      expect(treeEntries(chain.merged)).toEqual(treeEntries(plain.merged))
      for (const { tree, showed } of frozen) expect(treeEntries(tree)).toEqual(showed)
    }),
    settings,
  )
})
