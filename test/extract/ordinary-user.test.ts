import { chmodSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { directoryTree, extractTree } from '../../src/extract/index.ts'
import { becomeNobody, becomeRoot } from '../support/ability.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { altered, inside, scratchDirectory } from './scratch.ts'

/** These tests run without privileges. */
beforeAll(becomeNobody)
afterAll(becomeRoot)

const mine = () => ({ uid: process.geteuid!(), gid: process.getegid!() })

test('O-04: what an ordinary user may not have is replaced by the closest thing, and each case is counted', async () => {
  const target = join(scratchDirectory(), 'out')
  const other = { uid: 3, gid: 4 }
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const report = await extractTree(
    plainTree({
      '': mine(),
      'd/': { ...other, mode: 0o1750 },
      'd/su': { ...other, mode: 0o6755, content: 'lends rights', xattrs: { 'security.capability': capability } },
      mine: { ...mine(), mode: 0o4711, content: 'mine' },
      null: { ...mine(), kind: 'character', major: 1, minor: 3, mode: 0o666, mtime: 5_000_000_000n },
      disk: { ...mine(), kind: 'block', major: 8, minor: 0 },
      'disk too': { hardlink: 'disk' },
      fifo: { ...mine(), kind: 'fifo', mode: 0o640 },
      l: { ...other, target: 'x' },
    }),
    target,
  )
  expect(report.nodes).toBe(1)
  expect(report.compromises).toEqual({
    owner: { count: 3, examples: ['/d/su', '/l', '/d'] },
    'set-id': { count: 1, examples: ['/d/su'] },
    device: { count: 2, examples: ['/disk', '/null'] },
    xattr: { count: 1, examples: ['/d/su (security.capability)'] },
  })
  const look = (path: string) => {
    const stat = lstatSync(join(target, path), { bigint: true })
    return {
      file: stat.isFile(),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      size: Number(stat.size),
      links: Number(stat.nlink),
    }
  }
  const { uid } = mine()
  expect(look('d/su')).toEqual({ file: true, mode: 0o755, uid, size: 12, links: 1 })
  expect(look('mine')).toEqual({ file: true, mode: 0o4711, uid, size: 4, links: 1 })
  expect(look('null')).toEqual({ file: true, mode: 0, uid, size: 0, links: 1 })
  expect(look('disk')).toEqual({ file: true, mode: 0, uid, size: 0, links: 2 })
  expect(look('d').mode).toBe(0o1750)
  expect(lstatSync(join(target, 'null'), { bigint: true }).mtimeNs).toBe(5_000_000_000n)
})

test('O-03: extended attributes are written before a mode that would forbid it', async (context) => {
  const target = join(scratchDirectory(), 'out')
  const tree = plainTree({
    '': mine(),
    'd/': { ...mine(), mode: 0o555, xattrs: { 'user.a': '1' } },
    'd/f': { ...mine(), content: 'x', mode: 0o444, xattrs: { 'user.a': '2' } },
    open: { ...mine(), content: 'y', xattrs: { 'user.a': '3' } },
  })
  const { compromises } = await extractTree(tree, target)
  if (compromises.xattr?.examples.includes('/open (user.a)')) {
    return context.skip('the file system of the temporary directory keeps no user attributes')
  }
  expect(compromises).toEqual({})
  expect(treeEntries(directoryTree(target))).toEqual(treeEntries(tree))
})

test('O-07: a set-group bit that the kernel drops without a word is counted', async () => {
  const target = join(scratchDirectory(), 'out')
  const { compromises } = await extractTree(
    plainTree({ '': mine(), 'd/': { uid: mine().uid, gid: 7, mode: 0o2755 } }),
    target,
  )
  expect(compromises.owner).toEqual({ count: 1, examples: ['/d'] })
  // The directory is of the user's own group, so the bit may stay; what counts is that report and disk agree.
  const kept = (lstatSync(join(target, 'd')).mode & 0o2000) !== 0
  expect(compromises['set-id'] === undefined).toBe(kept)
})

test('D-02: directories of any mode are filled, and everything that is the user’s own reads back the same', async () => {
  const target = join(scratchDirectory(), 'out')
  const tree = plainTree({
    '': { ...mine(), mode: 0o555 },
    'shut/': { ...mine(), mode: 0o500, mtime: 7n },
    'shut/in/': { ...mine(), mode: 0o555, mtime: 8n },
    'shut/in/f': { ...mine(), mode: 0o400, content: 'x', mtime: 9n },
    'shut/g': { hardlink: 'shut/in/f' },
  })
  expect((await extractTree(tree, target)).compromises).toEqual({})
  expect(treeEntries(directoryTree(target))).toEqual(treeEntries(tree))
})

test('D-06: a failure takes away directories that their owner cannot enter', async () => {
  const base = scratchDirectory()
  const plain = plainTree({ 'd/': { ...mine(), mode: 0 }, 'd/e/': { ...mine(), mode: 0 }, 'd/e/f': mine(), '': mine() })
  let finishing = false
  const tree = altered(plain, {
    stat(ino) {
      const stat = plain.stat(ino)
      // Directories get their attributes last, leaves first: the root is the very last.
      if (ino === plain.root && finishing) throw new Error('late')
      if (stat.kind === 'directory' && ino !== plain.root) finishing = true
      return stat
    },
  })
  await expect(extractTree(tree, join(base, 'out'))).rejects.toThrow('late')
  expect(inside(base)).toEqual([])
})

test('D-01: an empty directory whose parent may not be written is a target', async () => {
  const base = scratchDirectory()
  const target = join(base, 'closed/target')
  mkdirSync(target, { recursive: true })
  const parent = join(base, 'closed')
  chmodSync(parent, 0o555)
  try {
    const spec = {
      '': { ...mine(), mode: 0o700 },
      'd/': { ...mine(), mode: 0o500 },
      'd/f': { ...mine(), content: 'x' },
    }
    expect((await extractTree(plainTree(spec), target)).compromises).toEqual({})
    expect(treeEntries(directoryTree(target))).toEqual(treeEntries(plainTree(spec)))
    expect(readFileSync(join(target, 'd/f'), 'utf8')).toBe('x')
    expect(inside(parent)).toEqual(['target'])
  } finally {
    chmodSync(parent, 0o755)
  }
})

test('O-04, U-06: what is recorded in attributes is read back by whoever knows them: owners, set-id bits, devices, capabilities', async (context) => {
  const target = join(scratchDirectory(), 'out')
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const tree = plainTree({
    '': { uid: 0, gid: 0, mode: 0o755 },
    'd/': { uid: 3, gid: 4, mode: 0o1750, mtime: 7n },
    'd/su': {
      uid: 0,
      gid: 5,
      mode: 0o6755,
      content: 'lends',
      xattrs: { 'security.capability': capability, 'user.k': 'v' },
    },
    'd/read-only': { uid: 6, gid: 7, mode: 0o444, content: 'x' },
    'd/too': { hardlink: 'd/su' },
    mine: { ...mine(), mode: 0o2755, content: 'mine' },
    null: { uid: 0, gid: 0, kind: 'character', major: 1, minor: 3, mode: 0o666 },
    zero: { uid: 0, gid: 0, kind: 'block', major: 8, minor: 300, mode: 0o660, mtime: 9n },
    link: { ...mine(), target: 'd/su' },
  })
  const { compromises } = await extractTree(tree, target, { recorded: true })
  if (compromises.xattr?.examples.includes('/d/su (user.k)'))
    return context.skip('the file system of the temporary directory keeps no user attributes')
  expect(compromises.owner?.count).toBeGreaterThan(3)
  expect(treeEntries(directoryTree(target, { recorded: true }))).toEqual(treeEntries(tree))
  // Nobody is lent anything by what stands there.
  expect(lstatSync(join(target, 'd/su')).mode & 0o7777).toBe(0o755)
  expect(lstatSync(join(target, 'null')).isFile()).toBe(true)
})
