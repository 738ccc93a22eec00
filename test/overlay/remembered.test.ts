import { expect, test } from 'vitest'
import { Remembered } from '../../src/overlay/remembered.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { Dice, seed } from '../properties/seed.ts'

test(`what is remembered of an inode is what was said of it last, or nothing (PLYFS_SEED=${seed})`, () => {
  const dice = new Dice(seed)
  const remembered = new Remembered<number>()
  const said = new Map<number, number>()
  for (let step = 0; step < 200_000; step++) {
    // Some of them have one place: their last bits are the same.
    const ino = dice.pick([0, firstNewInode, 2 ** 48 + 2 ** 17]) + dice.below(40_000)
    if (dice.below(3) === 0) {
      remembered.forget(ino)
      said.delete(ino)
    } else {
      remembered.set(ino, step)
      said.set(ino, step)
    }
    const other = dice.pick([ino, firstNewInode + dice.below(40_000)])
    const known = remembered.get(other)
    if (known !== undefined) expect(known, `${other}`).toBe(said.get(other))
  }
})

test('the newest ten thousand inodes that were made one after the other are remembered, however many there were', () => {
  const remembered = new Remembered<number>()
  for (let i = 0; i < 100_000; i++) remembered.set(firstNewInode + i, i)
  for (let i = 90_000; i < 100_000; i++) expect(remembered.get(firstNewInode + i)).toBe(i)
  expect(remembered.get(firstNewInode)).toBeUndefined()
})
