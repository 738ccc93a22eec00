import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  convertUpper,
  fsOf,
  memoryUpper,
  openOverlayUpper,
  openPortableUpper,
  plainLayer,
  type StoredUpper,
  type UnionFs,
  union,
} from 'plyfs'
import { describe, expect, test } from 'vitest'
import { whyNoOverlay, whyNoRootless } from '../overlay/able.ts'
import { testIf } from '../support/ability.ts'

/** A union that a program keeps on a disk, without a store: everything by public names. */

function inDirectory(act: (root: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const root = mkdtempSync(join(tmpdir(), 'plyfs-'))
    for (const name of ['upper', 'work', 'other']) mkdirSync(join(root, name))
    try {
      await act(root)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }
}

const below = () =>
  plainLayer({ '/etc/motd': 'hello\n', '/etc/issue': 'x', '/bin/one': '1', '/bin/two': { hardlink: '/bin/one' } })

function change(fs: UnionFs): void {
  fs.appendFileSync('/etc/motd', 'and more\n')
  fs.rmSync('/etc/issue')
  fs.chownSync('/bin/two', 1234, 5678)
  fs.chmodSync('/bin/two', 0o4755)
  fs.renameSync('/etc', '/opt')
  fs.mkdirSync('/etc')
  fs.symlinkSync('../bin/one', '/etc/link')
}

/** Everything that can be seen, by path. */
function told(fs: UnionFs): object {
  const paths = fs.readdirSync('/', { recursive: true }).sort()
  return Object.fromEntries(
    paths.map((path) => {
      const { ino, mode, nlink, uid, gid, size, mtimeNs } = fs.lstatSync(`/${path}`, { bigint: true })
      const content = (mode & 0o170000n) === 0o100000n ? fs.readFileSync(`/${path}`, 'utf8') : undefined
      return [path, { ino, mode, nlink, uid, gid, mtimeNs, size, content }]
    }),
  )
}

function holds(open: (root: string) => StoredUpper): () => Promise<void> {
  return inDirectory(async (root) => {
    const first = union([below()], open(root))
    change(fsOf(first))
    const before = told(fsOf(first))
    expect(before).toMatchObject({
      'opt/motd': { content: 'hello\nand more\n' },
      'bin/one': { uid: 1234n, gid: 5678n, mode: 0o104755n, nlink: 2n },
    })
    expect(before).not.toHaveProperty('opt/issue')
    first.close()
    const again = union([below()], open(root))
    expect(told(fsOf(again))).toEqual(before)
    again.close()

    const from = open(root)
    const to = openPortableUpper({ root: join(root, 'other') })
    const stack = union([below()])
    await convertUpper(from, to, { lower: stack })
    for (const upper of [from, to]) upper.close()
    stack.close()
    const converted = union([below()], openPortableUpper({ root: join(root, 'other'), readOnly: true }))
    expect(told(fsOf(converted))).toEqual(before)
    expect(() => fsOf(converted).writeFileSync('/new', '')).toThrow('EROFS')
    converted.close()
  })
}

const overlay = (xattr: 'trusted' | 'user') => (root: string) =>
  openOverlayUpper({ upperDir: join(root, 'upper'), workDir: join(root, 'work'), xattr })

/** Forms of an upper on a disk, why not here, and how they are opened. */
const onDisk = [
  ['in the portable form', undefined, (root: string) => openPortableUpper({ root: join(root, 'upper') })],
  ["in overlayfs's form, by anybody", whyNoRootless(), overlay('user')],
  ["in overlayfs's form, by root", whyNoOverlay(), overlay('trusted')],
] as const

describe('an upper on a disk is opened again as it was, and converted', () => {
  for (const [form, unable, open] of onDisk) testIf(!unable, unable ?? '')(form, holds(open))
})

/** Makes files as most programs do: empty, one after the other, with the times that the disk gives. */
function makeMany(fs: UnionFs, directory: string, prefix: string): void {
  for (let i = 0; i < 20; i++) fs.closeSync(fs.openSync(`${directory}/${prefix}${i}`, 'wx', 0o640))
}

function followsDirectories(open: (root: string) => StoredUpper): () => Promise<void> {
  return inDirectory((root) => {
    const merged = union([below()], open(root))
    const fs = fsOf(merged)
    fs.mkdirSync('/a')
    makeMany(fs, '/a', 'first-')
    fs.renameSync('/a', '/etc/b')
    makeMany(fs, '/etc/b', 'second-')
    fs.mkdirSync('/a')
    makeMany(fs, '/a', 'third-')
    fs.rmSync('/a', { recursive: true })
    expect(() => makeMany(fs, '/a', 'never-')).toThrow('ENOENT')
    fs.mkdirSync('/a')
    makeMany(fs, '/a', 'fourth-')
    expect(() => makeMany(fs, '/a', 'fourth-')).toThrow('EEXIST')
    expect(() => makeMany(fs, '/etc/b', 'x'.repeat(300))).toThrow('ENAMETOOLONG')
    makeMany(fs, '/etc/b', '\u00e9-')
    const before = told(fs)
    merged.close()
    const again = union([below()], open(root))
    expect(told(fsOf(again))).toEqual(before)
    again.close()
    const names = (prefix: string) => Array.from({ length: 20 }, (_, i) => `${prefix}${i}`)
    const there = (directory: string) =>
      Object.keys(before)
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1))
    expect(there('a').sort()).toEqual(names('fourth-').sort())
    expect(there('etc/b').sort()).toEqual([...names('first-'), ...names('second-'), ...names('\u00e9-')].sort())
    expect(before).toMatchObject({ 'a/fourth-19': { mode: 0o100640n, nlink: 1n, size: 0n } })
  })
}

describe('many files are made in the directory that is meant, wherever it has been moved', () => {
  for (const [form, unable, open] of onDisk) testIf(!unable, unable ?? '')(form, followsDirectories(open))
})

test(
  'an upper in memory is converted to one on a disk',
  inDirectory(async (root) => {
    const upper = memoryUpper()
    const merged = union([below()], upper)
    change(fsOf(merged))
    const to = openPortableUpper({ root: join(root, 'other') })
    await convertUpper(upper, to, { lower: merged.lower })
    to.close()
    const again = union([below()], openPortableUpper({ root: join(root, 'other') }))
    expect(told(fsOf(again))).toEqual(told(fsOf(merged)))
    again.close()
    merged.close()
  }),
)
