import { expect, test } from 'vitest'
import { RecentNames } from '../../src/erofs/recent-names.ts'

test('what is remembered of more names than are kept is what a search finds, and what is not there stays so', () => {
  const names = new RecentNames()
  let searches = 0
  const search = (directory: number, name: string): number | undefined => {
    searches++
    return name.endsWith('7') ? undefined : directory * 100_000 + Number(name)
  }
  const check = (directory: number, number: number): void => {
    const found = names.get(directory, String(number), search)
    if (found !== (number % 10 === 7 ? undefined : directory * 100_000 + number)) expect(found).toBe(number)
  }
  for (let round = 0; round < 2; round++) for (let i = 0; i < 90_000; i++) check(1 + (i % 50), i)
  expect(searches).toBe(180_000)
  for (let round = 0; round < 3; round++) for (let i = 0; i < 10_000; i++) check(60 + (i % 50), i)
  expect(searches).toBe(190_000)
})
