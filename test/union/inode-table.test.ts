import { expect, test } from 'vitest'
import { InodeTable } from '../../src/union/inode-table.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { Dice } from '../properties/seed.ts'
import { seed } from './random-unions.ts'

/** Numbers of every kind: of the lower tree, of what is made here, of what others made. */
const kinds = [0, 2 ** 31 - 40, 2 ** 32 - 40, firstNewInode, firstNewInode + 2 ** 33, 2 ** 48 + 2 ** 40]

test(`a table of inodes holds what a map would hold (PLYFS_SEED=${seed})`, () => {
  const dice = new Dice(seed)
  const table = new InodeTable<{ readonly of: number }>()
  const map = new Map<number, { readonly of: number }>()
  for (let step = 0; step < 20_000; step++) {
    const ino = dice.pick(kinds) + dice.below(200)
    const what = dice.below(10)
    if (what < 4) {
      const value = { of: ino }
      table.set(ino, value)
      map.set(ino, value)
    } else if (what < 9) expect(table.delete(ino), `${ino}`).toBe(map.delete(ino))
    else if (dice.below(500) === 0) {
      table.clear()
      map.clear()
    }
    expect(table.get(ino), `${ino}`).toBe(map.get(ino))
    expect(table.has(ino)).toBe(map.has(ino))
    expect(table.size).toBe(map.size)
  }
  const inOrder = (values: Iterable<{ readonly of: number }>) => [...values].sort((a, b) => a.of - b.of)
  expect(map.size).toBeGreaterThan(0)
  expect(inOrder(table.values())).toEqual(inOrder(map.values()))
})

test('values can be deleted while they are gone through', () => {
  const table = new InodeTable<number>()
  for (let i = 0; i < 1000; i++) table.set(firstNewInode + i, i)
  let seen = 0
  for (const value of table.values()) {
    expect(table.delete(firstNewInode + value)).toBe(true)
    seen++
  }
  expect(seen).toBe(1000)
  expect(table.size).toBe(0)
})
