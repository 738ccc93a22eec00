import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PackOrder } from '../../src/layer/pack-order.ts'
import { codeOf } from '../../src/model/errors.ts'

type Item = readonly [path: string, says: 'entry' | 'whiteout' | 'opaque']

/** E-04 word for word: components as byte strings; in a directory the marker, then whiteouts, then the rest. */
function compared([path, says]: Item, [other, otherSays]: Item): number {
  const parts = (of: string, what: Item[1]) => {
    const names = of === '' ? [] : of.split('/')
    const all = names.map((name, i) => [what === 'whiteout' && i === names.length - 1 ? 1 : 2, name] as const)
    return what === 'opaque' ? [...all, [0, ''] as const] : all
  }
  const a = parts(path, says)
  const b = parts(other, otherSays)
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [rank, name] = a[i]!
    const [otherRank, otherName] = b[i]!
    if (rank !== otherRank) return rank - otherRank
    if (name !== otherName) return name < otherName ? -1 : 1
  }
  return a.length - b.length
}

test('E-04: two items are in order exactly when their components are', () => {
  const byte = fc.constantFrom('\x01', ' ', '-', '.', '0', 'a', 'b', '\xff')
  const name = fc.oneof(
    fc.array(byte, { minLength: 1, maxLength: 3 }).map((bytes) => bytes.join('')),
    fc.constantFrom('a', 'a-b', 'a'.repeat(300)),
  )
  const path = fc.array(name, { maxLength: 4 }).map((names) => names.join('/'))
  const item: fc.Arbitrary<Item> = fc
    .tuple(path, fc.constantFrom('entry', 'entry', 'entry', 'whiteout', 'opaque'))
    .map(([where, says]) => (where === '' && says === 'whiteout' ? ['a', says] : [where, says]))
  fc.assert(
    fc.property(item, item, item, (first, second, third) => {
      const order = new PackOrder()
      const items = [first, second, third].sort(compared)
      for (const [i, it] of items.entries()) {
        const twice = i > 0 && compared(items[i - 1]!, it) === 0
        let code: string | undefined
        try {
          order.check(...it)
        } catch (error) {
          code = codeOf(error)
        }
        expect(code).toBe(twice ? 'PLY_UNREPRESENTABLE' : undefined)
        if (twice) return
      }
      // Any that comes again, or late, is refused.
      for (const it of items) {
        const late = new PackOrder()
        late.check(...items[2]!)
        expect(() => late.check(...it)).toThrow('E-04')
      }
    }),
    { numRuns: 2000 },
  )
})
