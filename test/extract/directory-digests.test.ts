import { linkSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { settled } from '../../src/extract/file-digests.ts'
import { directoryTree, type FileDigests, memoryFileDigests } from '../../src/extract/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { contentDigest } from '../../src/stack/content-digests.ts'
import { scratchDirectory } from './scratch.ts'

const text = (content: string) => digestOf(Buffer.from(content))

/** What happens now happens so many seconds after the files were written. */
let later = 0
beforeEach(() => {
  const now = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => now() + later * 1000)
})
afterEach(() => {
  later = 0
  vi.restoreAllMocks()
})

/** The digest of a file in a directory, and whether it was known before it was read. */
async function digest(base: string, name: string, digests: FileDigests) {
  const tree = directoryTree(base, { digests })
  const ino = tree.lookup(tree.root, name)!
  const before = tree.digests!.known(ino)
  const digest = await contentDigest(tree, ino)
  if (before !== undefined) expect(before).toBe(digest)
  tree.close()
  return { digest, known: before !== undefined }
}

test('E-02: a file that is what it was when it was hashed is not read again', async () => {
  const base = scratchDirectory()
  writeFileSync(join(base, 'a'), 'one')
  const digests = memoryFileDigests()
  later = 60
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('one'), known: false })
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('one'), known: true })
})

test('E-02: a file of equal size and time with another change time is hashed', async () => {
  const base = scratchDirectory()
  const path = join(base, 'a')
  writeFileSync(path, 'one')
  const digests = memoryFileDigests()
  later = 60
  await digest(base, 'a', digests)
  const { atime, mtime } = statSync(path)
  writeFileSync(path, 'two')
  utimesSync(path, atime, mtime)
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('two'), known: false })
  rmSync(path)
  writeFileSync(path, 'six')
  utimesSync(path, atime, mtime)
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('six'), known: false })
})

test('E-02: a file that was changed in the last two seconds is hashed each time: its time may not show the next change', async () => {
  const base = scratchDirectory()
  writeFileSync(join(base, 'a'), 'one')
  const digests = memoryFileDigests()
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('one'), known: false })
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('one'), known: false })
  later = 1.5
  expect(await digest(base, 'a', digests)).toMatchObject({ known: false })
  // A clock that was set back gives times of tomorrow.
  later = -3600
  expect(await digest(base, 'a', digests)).toMatchObject({ known: false })
  later = 2.5
  expect(await digest(base, 'a', digests)).toMatchObject({ known: false })
  expect(await digest(base, 'a', digests)).toMatchObject({ known: true })
})

test('E-02: two seconds count from the change to the moment in which reading begins', () => {
  const changed = 1_700_000_000_000_000_000n
  expect(settled(changed, 1_700_000_002_000)).toBe(false)
  expect(settled(changed, 1_700_000_002_001)).toBe(true)
  expect(settled(changed, 1_699_999_000_000)).toBe(false)
})

test('E-12: a file that changed since it was seen is an error, and no digest is kept of it', async () => {
  const base = scratchDirectory()
  const path = join(base, 'a')
  writeFileSync(path, 'one')
  later = 60
  const digests = memoryFileDigests()
  const tree = directoryTree(base, { digests })
  const ino = tree.lookup(tree.root, 'a')!
  writeFileSync(path, 'two')
  await expect(contentDigest(tree, ino)).rejects.toMatchObject({ code: 'PLY_CHANGED' })
  expect(tree.digests!.known(ino)).toBeUndefined()
  expect(await digest(base, 'a', digests)).toEqual({ digest: text('two'), known: false })
})

test('E-12: a file that changes while it is read is an error, and no digest is kept of it', async () => {
  const base = scratchDirectory()
  const path = join(base, 'a')
  writeFileSync(path, Buffer.alloc(64 << 20, 'x'))
  later = 60
  const tree = directoryTree(base)
  const ino = tree.lookup(tree.root, 'a')!
  const reading = contentDigest(tree, ino)
  writeFileSync(path, 'y', { flag: 'r+' })
  await expect(reading).rejects.toMatchObject({ code: 'PLY_CHANGED' })
  expect(tree.digests!.known(ino)).toBeUndefined()
})

test('all files of a directory are hashed, names of one inode once, and nothing that is no file', async () => {
  const base = scratchDirectory()
  mkdirSync(join(base, 'd'))
  writeFileSync(join(base, 'd/a'), 'one')
  linkSync(join(base, 'd/a'), join(base, 'b'))
  writeFileSync(join(base, 'empty'), '')
  symlinkSync('b', join(base, 'link'))
  later = 60
  const tree = directoryTree(base)
  await tree.digests!.complete()
  const known = (name: string) => tree.digests!.known(tree.lookup(tree.root, name)!)
  expect(['b', 'd', 'empty', 'link'].map(known)).toEqual([text('one'), undefined, text(''), undefined])
  await expect(contentDigest(tree, tree.lookup(tree.root, 'd')!)).rejects.toMatchObject({ code: 'EISDIR' })
  await expect(contentDigest(tree, tree.lookup(tree.root, 'link')!)).rejects.toMatchObject({ code: 'EINVAL' })
})
