import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { convertUpper } from '../../src/overlay/convert.ts'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import { mount, mountFlags, umount } from '../../src/sys/mount.ts'
import { removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { whyNoOverlay } from './able.ts'
import { onDisk } from './disks.ts'
import { type Lower, makeLower } from './lower.ts'

const reason = whyNoOverlay()
if (reason !== undefined) console.log(`copies of attributes without an origin: skipped, ${reason}`)

const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-lost-origin-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const copies = ['doc', 'here/one', 'opaque/two', 'var/log/messages', 'gone']
let lower: Lower
let at: { readonly upperDir: string; readonly workDir: string }
const opened = (readOnly = false) =>
  openOverlayUpper({ ...at, xattr: 'trusted', chainId: lower.chainId, metacopy: true, readOnly })
const find = (tree: ReturnType<typeof over>, path: string): number =>
  path.split('/').reduce((ino, name) => tree.lookup(ino, name)!, tree.root)
const over = (upper: Upper) => union(lower.tree(), upper)

/** What is read at each path: its first bytes and size, or the error that opening it is. */
function read(tree: ReturnType<typeof over>): Record<string, unknown> {
  return Object.fromEntries(
    copies.map((path) => {
      const ino = find(tree, path)
      const into = Buffer.alloc(8)
      try {
        const content = tree.open(ino)
        const count = content.read(into, 0)
        content.close()
        return [path, [tree.stat(ino).size, into.toString('latin1', 0, count)]]
      } catch (error) {
        return [path, [tree.stat(ino).size, codeOf(error)]]
      }
    }),
  )
}

/** Moved alone, in a directory that moved, into an opaque directory, not at all; and one that says a wrong place. */
const wanted = {
  doc: [5000, 'doc doc '],
  'here/one': [1, '1'],
  'opaque/two': [1, 'EIO'],
  'var/log/messages': [100_000, 'line\nlin'],
  gone: [4, 'EIO'],
}

beforeAll(async () => {
  if (reason !== undefined) return
  lower = await makeLower(join(folder, 'lower'))
  at = { upperDir: join(folder, 'upper'), workDir: join(folder, 'work') }
  for (const each of Object.values(at)) fs.mkdirSync(each, { mode: 0o755 })
  const tree = over(opened())
  for (const path of ['usr/share/doc', 'usr/lib/one', 'usr/lib/two', 'var/log/messages', 'top'])
    tree.setAttributes(find(tree, path), { mode: 0o600 })
  const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: 1n }
  tree.create(tree.root, 'opaque', { kind: 'directory', ...attributes })
  tree.rename(find(tree, 'usr/share'), 'doc', tree.root, 'doc')
  tree.rename(find(tree, 'usr/lib'), 'two', find(tree, 'opaque'), 'two')
  tree.rename(find(tree, 'usr'), 'lib', tree.root, 'here')
  tree.rename(tree.root, 'top', tree.root, 'gone')
  tree.close()
  const real = (path: string) => join(at.upperDir, path)
  for (const path of copies) removeXattr(real(path), 'trusted.overlay.origin')
  removeXattr(real('opaque/two'), 'trusted.overlay.redirect')
  setXattr(real('gone'), 'trusted.overlay.redirect', Buffer.from('/usr/none'))
})

describe.skipIf(reason !== undefined)('copies of attributes alone that nothing says of which inode they are', () => {
  test('row 15: have the content at their name or redirect, and where there is none their own size, and EIO', () => {
    const tree = over(opened(true))
    expect(read(tree)).toEqual(wanted)
    tree.close()
  })

  test('row 15: have the content that the kernel finds', ({ skip }) => {
    const [below, merged] = [join(folder, 'below'), join(folder, 'merged')]
    for (const each of [below, merged]) fs.mkdirSync(each)
    try {
      mount(lower.index, below, 'erofs', mountFlags.readOnly, `device=${lower.tar}`)
    } catch (error) {
      skip(`this kernel does not mount the index from a file: ${String(error)}`)
    }
    try {
      mount(
        'overlay',
        merged,
        'overlay',
        0,
        `lowerdir=${below},upperdir=${at.upperDir},workdir=${at.workDir},metacopy=on,redirect_dir=on`,
      )
      try {
        for (const [path, [size, start]] of Object.entries(wanted) as [string, [number, string]][]) {
          if (start === 'EIO')
            expect(() => fs.readFileSync(join(merged, path))).toThrow(expect.objectContaining({ code: 'EIO' }))
          else {
            const content = fs.readFileSync(join(merged, path), 'latin1')
            expect([path, content.length, content.slice(0, 8)]).toEqual([path, size, start])
          }
        }
      } finally {
        umount(merged)
      }
    } finally {
      umount(below)
    }
  })

  test('get it when they are written, and keep their number until then', () => {
    const tree = over(opened())
    const ino = find(tree, 'doc')
    const reader = tree.open(ino)
    const writer = tree.writer(ino)
    writer.write(Buffer.from('new'), 0)
    writer.close()
    const into = Buffer.alloc(8)
    reader.read(into, 0)
    expect(into.toString()).toBe('new doc ')
    reader.close()
    expect(() => tree.writer(find(tree, 'gone'))).toThrow(expect.objectContaining({ code: 'EIO' }))
    expect(tree.stat(ino)).toMatchObject({ size: 5000, mode: 0o600 })
    tree.close()
  })

  test('are written with it into another form, unless it is lost', async () => {
    const to = openPortableUpper({ disk: onDisk(), root: join(folder, 'portable') })
    const from = opened()
    await expect(convertUpper(from, to, { lower: lower.tree() })).rejects.toMatchObject({ code: 'EIO' })
    to.close()
    const tree = over(from)
    tree.unlink(tree.root, 'gone')
    tree.unlink(find(tree, 'opaque'), 'two')
    const second = openPortableUpper({ disk: onDisk(), root: join(folder, 'portable-2') })
    await convertUpper(from, second, { lower: lower.tree() })
    const converted = over(second)
    for (const path of ['here/one', 'var/log/messages'])
      expect(converted.stat(find(converted, path)).size).toBe((wanted as Record<string, unknown[]>)[path]![0])
    const content = converted.open(find(converted, 'var/log/messages'))
    const into = Buffer.alloc(5)
    content.read(into, 99_995)
    expect(into.toString()).toBe('line\n')
    content.close()
    converted.close()
    tree.close()
  })
})
