import { expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { plainTree } from '../support/plain-tree.ts'

const depth = 20_000

/** CPU time in milliseconds. */
function cost(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

test('a chain of 20,000 directories is copied up, moved and removed, and none of it is recursive or quadratic', () => {
  const lower = plainTree({ [`${'d/'.repeat(depth)}seen`]: 'x', [`${'d/'.repeat(depth)}unseen`]: 'y' })
  const tree = union(lower, memoryUpper())
  const chain = [tree.root]
  const spent = cost(() => {
    for (let i = 0; i < depth; i++) chain.push(tree.lookup(chain.at(-1)!, 'd')!)
    const bottom = chain.at(-1)!
    tree.setAttributes(tree.lookup(bottom, 'seen')!, { mode: 0o600 })
    tree.rename(tree.root, 'd', tree.root, 'moved')
    // Nobody walked to it: only its number is known.
    const [unseen] = [...lower.list(bottom)].filter(({ name }) => name === 'unseen').map(({ ino }) => ino)
    tree.writer(unseen!).close()
    expect(tree.parent(bottom)).toBe(chain.at(-2))
    tree.unlink(bottom, 'seen')
    tree.unlink(bottom, 'unseen')
    for (let i = depth - 1; i > 0; i--) tree.rmdir(chain[i]!, 'd')
    tree.rmdir(tree.root, 'moved')
  })
  expect([...tree.list(tree.root)]).toEqual([])
  expect(spent).toBeLessThan(10_000)
})

test('a chain of 1,030 directories that is made by its paths asks the upper for nothing on the way', () => {
  const upper = memoryUpper()
  const tree = union([], upper)
  const fs = fsOf(tree)
  let asked = 0
  const stat = upper.stat.bind(upper)
  upper.stat = (ino) => {
    asked++
    return stat(ino)
  }
  let path = ''
  for (let i = 0; i < 1030; i++) fs.mkdirSync((path += '/d'))
  fs.statSync(path)
  // A few for each directory that is made, none for each that is passed.
  expect(asked).toBeLessThan(10 * 1030)
})
