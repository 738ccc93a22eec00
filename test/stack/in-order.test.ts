import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pace } from '../../src/model/pace.ts'
import { inOrder } from '../../src/stack/in-order.ts'

test('positions come in the order of their numbers, equal ones as they stood', async () => {
  const number = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 5 }), fc.nat({ max: 2 ** 20 }))
  await fc.assert(
    fc.asyncProperty(fc.array(number, { maxLength: 300 }), async (numbers) => {
      const order = [...(await inOrder(numbers, new Pace(undefined)))]
      expect(order).toEqual([...numbers.keys()].sort((a, b) => numbers[a]! - numbers[b]! || a - b))
    }),
  )
})
