import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { firstNewInode, type Upper } from '../../src/union/upper.ts'
import { operationsOn } from '../fs/operations.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { randomUnion, seed, settings } from './random-unions.ts'
import { caught } from './upper-contract.ts'

/** Numbers of each upper in a chain, out of the way of those below. */
const upperAt = (depth: number): Upper => memoryUpper({ numbersFrom: firstNewInode + depth * 1_000_000 + 1 })

const make = () => randomUnion(upperAt(0))

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
