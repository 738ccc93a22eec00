import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { UpperDisk } from '../../src/overlay/upper-disk.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { getXattr, listXattrs, removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { firstNewInode, type Upper } from '../../src/union/upper.ts'
import { whyNoOverlay } from './able.ts'
import { dump } from './dump.ts'

const file = { kind: 'file', mode: 0o644, uid: 1, gid: 2, mtime: 1_700_000_000_123_456_789n } as const
const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 1n } as const
const lowerUuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

const reason = whyNoOverlay()
if (reason !== undefined) console.log(`skipped: ${reason}`)
const asRoot = describe.skipIf(reason !== undefined)

const parent = fs.mkdtempSync(join(tmpdir(), 'plyfs-overlay-'))
// Trees are deeper here than what Node removes.
afterAll(() => execFileSync('rm', ['-rf', parent]))
afterEach(() => vi.restoreAllMocks())

let made = 0

interface Place {
  readonly upperDir: string
  readonly workDir: string
}

function place(): Place {
  const root = join(parent, String(made++))
  for (const name of ['upper', 'work']) fs.mkdirSync(join(root, name), { recursive: true })
  return { upperDir: join(root, 'upper'), workDir: join(root, 'work') }
}

const open = (at: Place, more: { readonly readOnly?: boolean; readonly numbersFrom?: number } = {}): Upper =>
  openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, ...more })

const text = (content: string) => memoryBytes(Buffer.from(content))

asRoot("overlayfs's form", () => {
  test('an origin is what the kernel of Linux 6.18 wrote for an EROFS of that uuid', () => {
    const at = place()
    const upper = open(at)
    upper.copyUp(upper.root.ino, 'f', 0x37, file, text('x'))
    upper.close()
    expect(getXattr(join(at.upperDir, 'f'), 'trusted.overlay.origin')?.toString('hex')).toBe(
      '00fb21008100112233445566778899aabbccddeeff000000003700000000000000',
    )
  })

  test('what is copied up does not inherit the ACL of the place that the upper is in', () => {
    const at = place()
    // User 1234 may do everything: version, then tag, permissions and id of each entry.
    const entries = [
      [1, 7, -1],
      [2, 7, 1234],
      [4, 5, -1],
      [16, 7, -1],
      [32, 5, -1],
    ] as const
    const acl = Buffer.alloc(4 + 8 * entries.length)
    acl.writeUInt32LE(2, 0)
    for (const [i, [tag, permissions, id]] of entries.entries()) {
      acl.writeUInt16LE(tag, 4 + 8 * i)
      acl.writeUInt16LE(permissions, 6 + 8 * i)
      acl.writeInt32LE(id, 8 + 8 * i)
    }
    setXattr(at.workDir, 'system.posix_acl_default', acl)
    const upper = open(at)
    upper.copyUp(upper.root.ino, 'd', 0x36, folder)
    upper.copyUp(0x36, 'f', 0x37, file, text('x'))
    for (const [ino, path] of [
      [0x36, 'd'],
      [0x37, 'd/f'],
    ] as const) {
      expect([...upper.xattrs(ino).keys()]).toEqual([])
      expect(listXattrs(join(at.upperDir, path)).filter((name) => name.startsWith('system.'))).toEqual([])
    }
    expect(fs.statSync(join(at.upperDir, 'd/f')).mode & 0o7777).toBe(file.mode)
    upper.close()
  })

  test('an origin of another lower file system is not taken for one of ours', () => {
    const at = place()
    open(at).close()
    fs.writeFileSync(join(at.upperDir, 'f'), 'x')
    setXattr(
      join(at.upperDir, 'f'),
      'trusted.overlay.origin',
      Buffer.from('00fb210081ff112233445566778899aabbccddeeff000000003700000000000000', 'hex'),
    )
    const upper = open(at)
    expect(upper.has(0x37)).toBe(false)
    const verdict = upper.lookup(upper.root.ino, 'f')
    expect(verdict.says === 'entry' && verdict.ino).toBeGreaterThan(firstNewInode)
    upper.close()
  })

  test('a link group of the lower tree is in the index, as the kernel keeps it, and goes with its last name', () => {
    const at = place()
    const upper = open(at)
    upper.copyUp(upper.root.ino, 'f', 0x37, { ...file, links: 2 }, text('x'))
    const index = join(at.workDir, 'index', '00fb21008100112233445566778899aabbccddeeff000000003700000000000000')
    expect(fs.statSync(index).ino).toBe(fs.statSync(join(at.upperDir, 'f')).ino)
    expect(getXattr(index, 'trusted.overlay.nlink')?.toString()).toBe('U+0')
    expect(upper.stat(0x37).links).toBe(1)
    upper.forget(upper.root.ino, 'f')
    expect(fs.existsSync(index)).toBe(false)
    expect(upper.has(0x37)).toBe(false)
    upper.close()
  })

  test('row 9: whiteouts are devices 0:0 and share one inode', () => {
    const at = place()
    const upper = open(at)
    for (const name of ['a', 'b', 'c']) upper.whiteout(upper.root.ino, name)
    const stats = ['a', 'b', 'c'].map((name) => fs.lstatSync(join(at.upperDir, name)))
    for (const stat of stats) expect([stat.isCharacterDevice(), stat.rdev]).toEqual([true, 0])
    expect(new Set(stats.map((stat) => stat.ino)).size).toBe(1)
    upper.close()
    expect(fs.readdirSync(join(at.workDir, 'work'))).toEqual([])
  })

  test('row 14: directories that hold what was copied up are impure, others are not', () => {
    const at = place()
    const upper = open(at)
    upper.copyUp(upper.root.ino, 'd', 5, folder)
    const pure = upper.create(5, 'pure', folder)
    expect(listXattrs(join(at.upperDir, 'd'))).not.toContain('trusted.overlay.impure')
    expect(getXattr(at.upperDir, 'trusted.overlay.impure')?.toString()).toBe('y')
    upper.copyUp(5, 'f', 6, file, text('x'))
    expect(getXattr(join(at.upperDir, 'd'), 'trusted.overlay.impure')?.toString()).toBe('y')
    upper.rename(5, 'f', pure, 'f', { leave: 'whiteout' })
    expect(getXattr(join(at.upperDir, 'd/pure'), 'trusted.overlay.impure')?.toString()).toBe('y')
    upper.close()
  })

  test("D-10, row 13: a user's xattr that looks like a mark is kept apart, and marks are not shown", () => {
    const at = place()
    const upper = open(at)
    const ino = upper.create(upper.root.ino, 'd', {
      ...folder,
      opaque: true,
      xattrs: new Map([['trusted.overlay.redirect', Buffer.from('data')]]),
    })
    upper.setXattr(ino, 'trusted.overlay.opaque', Buffer.from('more data'))
    expect([...upper.xattrs(ino).keys()].sort()).toEqual(['trusted.overlay.opaque', 'trusted.overlay.redirect'])
    expect(getXattr(join(at.upperDir, 'd'), 'trusted.overlay.opaque')?.toString()).toBe('y')
    expect(getXattr(join(at.upperDir, 'd'), 'trusted.overlay.overlay.opaque')?.toString()).toBe('more data')
    upper.setXattr(ino, 'trusted.overlay.opaque', undefined)
    expect(upper.lookup(upper.root.ino, 'd')).toMatchObject({ opaque: true })
    upper.close()
  })

  test('X-08: a user xattr of a symlink, which no disk takes, is kept under a mark and shown', () => {
    const at = place()
    const upper = open(at)
    const xattrs = new Map([
      ['user.odd', Buffer.from('1')],
      ['trusted.fine', Buffer.from('2')],
    ])
    upper.copyUp(upper.root.ino, 'l', 5, { ...file, kind: 'symlink', mode: 0o777, target: 'x', xattrs })
    expect([...upper.xattrs(5).keys()].sort()).toEqual(['trusted.fine', 'user.odd'])
    expect(listXattrs(join(at.upperDir, 'l'))).toContain('trusted.overlay.plyfs.xattr.user.odd')
    upper.setXattr(5, 'user.odd', undefined)
    expect([...upper.xattrs(5).keys()]).toEqual(['trusted.fine'])
    upper.close()
  })

  test('row 17: copying up leaves the time of the directory, the set-id bits and the capability', () => {
    const at = place()
    const upper = open(at)
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    upper.copyUp(upper.root.ino, 'd', 5, folder)
    const xattrs = new Map([['security.capability', capability]])
    upper.copyUp(5, 'ping', 6, { ...file, uid: 3, mode: 0o6755, xattrs }, text('ELF'))
    expect(upper.stat(5).mtime).toBe(1n)
    upper.setAttributes(6, { uid: 4 })
    expect(upper.stat(6)).toMatchObject({ mode: 0o6755, uid: 4, gid: 2, mtime: file.mtime })
    expect(Buffer.from(upper.xattrs(6).get('security.capability')!)).toEqual(capability)
    upper.close()
  })

  test('S-06: copied-up content keeps its holes', () => {
    const at = place()
    const upper = open(at)
    const content = Buffer.alloc(1 << 20)
    content[70_000] = 1
    upper.copyUp(upper.root.ino, 'sparse', 6, file, memoryBytes(content))
    const stat = fs.statSync(join(at.upperDir, 'sparse'))
    expect([stat.size, stat.blocks * 512]).toEqual([1 << 20, 4096])
    expect(fs.readFileSync(join(at.upperDir, 'sparse')).equals(content)).toBe(true)
    upper.close()
  })

  test('D-09: a device 0:0 that is data cannot be stored, and nothing is left of it', () => {
    const at = place()
    const upper = open(at)
    const device = { ...file, kind: 'character', major: 0, minor: 0 } as const
    expect(() => upper.create(upper.root.ino, 'x', device)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
    expect(() => upper.copyUp(upper.root.ino, 'x', 9, file)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
    expect(fs.readdirSync(join(at.workDir, 'work'))).toEqual([])
    expect([...upper.list(upper.root.ino)]).toEqual([])
    upper.close()
  })

  test('numbers are not given twice, though the disk gives its own twice', () => {
    const at = place()
    const seen = new Set<number>()
    for (let round = 0; round < 3; round++) {
      const upper = open(at)
      for (let i = 0; i < 5; i++) {
        seen.add(upper.create(upper.root.ino, 'x', file))
        upper.forget(upper.root.ino, 'x')
      }
      upper.close()
    }
    expect(seen.size).toBe(15)
    const above = open(at, { numbersFrom: 2 ** 44 })
    expect(above.create(above.root.ino, 'y', file)).toBe(2 ** 44)
    above.close()
  })

  test('paths may be longer than the kernel takes in one call', () => {
    const at = place()
    const upper = open(at)
    let directory = upper.root.ino
    for (let i = 0; i < 300; i++) directory = upper.create(directory, 'long-name-'.repeat(5), folder)
    const ino = upper.create(directory, 'leaf', file)
    const writer = upper.writer(ino)
    writer.write(Buffer.from('deep'), 0)
    writer.close()
    upper.rename(directory, 'leaf', directory, 'leaf2', { leave: 'whiteout' })
    const said = dump(upper)
    upper.close()
    const again = open(at)
    expect(dump(again)).toEqual(said)
    expect(again.stat(ino).size).toBe(4)
    again.close()
  })

  test('a chain of 1,100 directories costs the same at every level', () => {
    const at = place()
    for (const name of ['d', 'long-name-'.repeat(20)]) {
      const before = process.cpuUsage()
      let upper = open(at)
      let directory = upper.root.ino
      for (let i = 0; i < 1100; i++) directory = upper.create(directory, name, folder)
      const ino = upper.create(directory, 'f', file)
      upper.rename(directory, 'f', upper.root.ino, `${name}-f`, { leave: 'whiteout' })
      upper.close()
      upper = open(at)
      expect(upper.stat(ino)).toMatchObject({ links: 1, uid: 1 })
      upper.setAttributes(directory, { mode: 0o711 })
      expect([...upper.list(directory)]).toEqual([{ name: 'f', verdict: { says: 'whiteout' } }])
      upper.close()
      const { user, system } = process.cpuUsage(before)
      // Over ten seconds when each level walked from the root.
      expect(user + system).toBeLessThan(8_000_000)
    }
  })

  test('directories that are kept open for paths are few, and given back', () => {
    const at = place()
    const upper = open(at)
    const opened = () => fs.readdirSync('/proc/self/fd').length
    const before = opened()
    for (let chain = 0; chain < 100; chain++) {
      let directory = upper.root.ino
      for (let i = 0; i < 50; i++) directory = upper.create(directory, i === 0 ? `c${chain}` : 'd', folder)
      upper.create(directory, 'f', file)
    }
    expect(opened() - before).toBeLessThan(80)
    upper.close()
    expect(opened()).toBe(before)
  })

  test('row 15: a copy of attributes alone is as large as what is below, holds nothing, and says where that is once it moves', () => {
    const at = place()
    const upper = openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, metacopy: true })
    const top = upper.root.ino
    upper.copyUp(top, 'd', 5, folder)
    upper.copyUp(5, 'f', 6, { ...file, size: 100_000 })
    const real = (name: string) => join(at.upperDir, name)
    const { size, blocks } = fs.statSync(real('d/f'))
    expect(size).toBe(100_000)
    // The xattrs may take a block.
    expect(blocks).toBeLessThanOrEqual(8)
    expect(getXattr(real('d/f'), 'trusted.overlay.metacopy')).toHaveLength(0)
    expect(listXattrs(real('d/f'))).not.toContain('trusted.overlay.redirect')
    upper.rename(5, 'f', top, 'g', { leave: 'whiteout' })
    expect(getXattr(real('g'), 'trusted.overlay.redirect')?.toString()).toBe('/d/f')
    upper.close()
    const again = open(at)
    expect(again.hasContent(6)).toBe(false)
    expect(again.lookup(top, 'g')).not.toHaveProperty('redirect')
    again.copyUpContent(6, text('content'))
    expect(listXattrs(real('g')).filter((name) => /metacopy|redirect/.test(name))).toEqual([])
    expect([again.stat(6).size, again.stat(6).mtime]).toEqual([7, file.mtime])
    again.close()
  })

  test('row 15: content that follows a copy of attributes leaves the capabilities that were set meanwhile', () => {
    const at = place()
    const upper = openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, metacopy: true })
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    upper.copyUp(upper.root.ino, 'f', 6, { ...file, size: 7 })
    upper.setXattr(6, 'security.capability', capability)
    upper.copyUpContent(6, text('content'))
    expect(upper.xattrs(6).get('security.capability')).toEqual(capability)
    upper.close()
  })

  describe('row 15: a copy of attributes alone that an opening knows from the index first', () => {
    const opened = (at: Place) => openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, metacopy: true })
    const redirectOf = (at: Place, name: string) =>
      getXattr(join(at.upperDir, name), 'trusted.overlay.redirect')?.toString()

    const grouped = (): Place => {
      const at = place()
      const upper = opened(at)
      upper.copyUp(upper.root.ino, 'd', 5, folder)
      upper.copyUp(5, 'f', 6, { ...file, size: 10, links: 3 })
      upper.close()
      return at
    }

    test('says where its content is when it gets another name: at the name that it has', () => {
      const at = grouped()
      const upper = opened(at)
      upper.link(upper.root.ino, 'g', 6)
      upper.close()
      expect(redirectOf(at, 'g')).toBe('/d/f')
    })

    test('goes on saying what it said', () => {
      const at = grouped()
      const first = opened(at)
      first.rename(5, 'f', first.root.ino, 'moved', { leave: 'whiteout' })
      first.close()
      const upper = opened(at)
      upper.link(5, 'g', 6)
      upper.close()
      expect(redirectOf(at, 'moved')).toBe('/d/f')
    })

    test('gets no other name where nothing says where its content is', () => {
      const at = grouped()
      fs.unlinkSync(join(at.upperDir, 'd/f'))
      const upper = opened(at)
      expect(upper.stat(6).links).toBe(0)
      expect(() => upper.link(5, 'g', 6)).toThrow(expect.objectContaining({ code: 'EIO' }))
      expect(upper.lookup(5, 'g')).toEqual({ says: 'nothing' })
      upper.close()
    })

    test('has its content at its own name where it is marked as of the root, which is no place', () => {
      const at = grouped()
      setXattr(join(at.upperDir, 'd/f'), 'trusted.overlay.redirect', Buffer.from('/'))
      const upper = opened(at)
      upper.rename(5, 'f', upper.root.ino, 'g', { leave: 'whiteout' })
      upper.close()
      expect(redirectOf(at, 'g')).toBe('/d/f')
    })
  })

  test('O-03: owner and mode change without a moment of the old set-id bits, and without a call for a mode that is right', () => {
    const at = place()
    const upper = open(at)
    const ino = upper.create(upper.root.ino, 'f', { ...file, mode: 0o6755 })
    const chmod = vi.spyOn(UpperDisk.prototype, 'chmod')
    upper.setAttributes(ino, { uid: 9, gid: 10, mode: 0o755 })
    expect(chmod.mock.calls).toEqual([[join(at.upperDir, 'f'), 0o755]])
    upper.setAttributes(ino, { uid: 11 })
    upper.setAttributes(ino, { gid: 12, mode: 0o755 })
    expect(chmod).toHaveBeenCalledTimes(1)
    expect(upper.stat(ino)).toMatchObject({ uid: 11, gid: 12, mode: 0o755 })
    upper.close()
  })

  for (const xattr of ['trusted', 'user'] as const) {
    test(`in ${xattr}.*: the owner stays when the mode that goes with it cannot be set`, () => {
      const upper = openOverlayUpper({ ...place(), xattr, lowerUuid })
      const ino = upper.create(upper.root.ino, 'f', { ...file, mode: 0o4755 })
      vi.spyOn(UpperDisk.prototype, 'chmod').mockImplementationOnce(() => {
        throw Object.assign(new Error('injected'), { code: 'EIO' })
      })
      const failed = expect.objectContaining({ code: 'EIO' })
      expect(() => upper.setAttributes(ino, { uid: 9, gid: 10, mode: 0o711 })).toThrow(failed)
      expect(upper.stat(ino)).toMatchObject({ uid: 1, gid: 2, mode: 0o4755 })
      upper.close()
    })
  }

  describe('what a power cut leaves of files whose numbers it took from the root', () => {
    const cut = () => {
      const at = place()
      const upper = open(at)
      const folderNumber = upper.create(upper.root.ino, 'd', folder)
      upper.create(folderNumber, 'f', file)
      upper.close()
      removeXattr(at.upperDir, 'trusted.overlay.plyfs.next')
      return at
    }
    const numberOf = (upper: Upper, directory: number, name: string) => {
      const verdict = upper.lookup(directory, name)
      if (verdict.says !== 'entry') throw new Error(`nothing at ${name}`)
      return verdict.ino
    }

    test('is all there for who walks to it, and counting goes on behind it', () => {
      const at = cut()
      for (const readOnly of [true, false]) {
        const upper = open(at, { readOnly })
        const above = numberOf(upper, upper.root.ino, 'd')
        expect(upper.has(above)).toBe(true)
        const ino = numberOf(upper, above, 'f')
        expect(upper.has(ino)).toBe(true)
        expect(upper.stat(ino)).toMatchObject({ uid: 1, gid: 2 })
        if (!readOnly) expect(upper.create(upper.root.ino, 'new', file)).toBeGreaterThan(ino)
        upper.close()
      }
      expect(Number(getXattr(at.upperDir, 'trusted.overlay.plyfs.next'))).toBe(firstNewInode + 4)
    })

    test('gives up no number where all of it is read first, and that is noted for uppers that stand on it', () => {
      const at = cut()
      openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, unclean: true }).close()
      expect(Number(getXattr(at.upperDir, 'trusted.overlay.plyfs.next'))).toBe(firstNewInode + 3)
      const upper = openOverlayUpper({ ...at, xattr: 'trusted', lowerUuid, unclean: true })
      expect(upper.nextNumber).toBe(firstNewInode + 3)
      expect(upper.has(firstNewInode + 2)).toBe(true)
      upper.close()
    })

    test('keeps its number where another inode got the same meanwhile: the one that is met later goes by that of the disk', () => {
      const at = cut()
      const upper = open(at)
      const ino = upper.create(upper.root.ino, 'new', file)
      const above = numberOf(upper, upper.root.ino, 'd')
      const below = numberOf(upper, above, 'f')
      expect(new Set([ino, above, below]).size).toBe(3)
      for (const number of [ino, above, below]) expect(upper.has(number)).toBe(true)
      upper.close()
    })
  })

  test('closes on a disk that takes nothing any more: what it leaves goes at the next opening, and numbers are left out', () => {
    const at = place()
    const upper = open(at)
    const ino = upper.create(upper.root.ino, 'f', file)
    upper.whiteout(upper.root.ino, 'white')
    const descriptors = () => fs.readdirSync('/proc/self/fd').length
    const before = descriptors()
    dieAt(0)
    upper.close()
    vi.restoreAllMocks()
    expect(descriptors()).toBeLessThanOrEqual(before)
    expect(fs.readdirSync(join(at.workDir, 'work'))).toHaveLength(1)
    const again = open(at)
    expect(again.create(again.root.ino, 'g', file)).toBeGreaterThan(ino)
    again.close()
    expect(fs.readdirSync(join(at.workDir, 'work'))).toEqual([])
  })

  test('read only: every change is EROFS and nothing on the disk is touched', () => {
    const at = place()
    const first = open(at)
    const ino = first.create(first.root.ino, 'x', file)
    first.close()
    const upper = open(at, { readOnly: true })
    const before = fs.statSync(at.upperDir, { bigint: true }).ctimeNs
    const refused = expect.objectContaining({ code: 'EROFS' })
    const root = upper.root.ino
    for (const change of [
      () => upper.create(root, 'y', file),
      () => upper.copyUp(root, 'y', 7, file, text('y')),
      () => upper.link(root, 'y', ino),
      () => upper.rename(root, 'x', root, 'y', { leave: 'nothing' }),
      () => upper.forget(root, 'x'),
      () => upper.whiteout(root, 'x'),
      () => upper.setOpaque(root),
      () => upper.setAttributes(ino, { mode: 0 }),
      () => upper.setXattr(ino, 'user.x', Buffer.alloc(1)),
      () => upper.writer(ino),
      () => upper.exchange(root, 'x', root, 'x', { first: {}, second: {} }),
      () => upper.unnamed(),
    ]) {
      expect(change).toThrow(refused)
    }
    upper.sync()
    upper.close()
    expect(fs.statSync(at.upperDir, { bigint: true }).ctimeNs).toBe(before)
    const empty = place()
    open(empty, { readOnly: true }).close()
    expect(fs.readdirSync(empty.workDir)).toEqual([])
  })

  test('the root takes the attributes from below until it is given some, also after opening again', () => {
    const at = place()
    open(at).close()
    const upper = open(at)
    upper.create(upper.root.ino, 'x', file)
    expect(upper.root.implied).toBe(true)
    upper.setAttributes(upper.root.ino, { mode: 0o711 })
    upper.close()
    const again = open(at)
    expect(again.root.implied).toBe(false)
    again.close()
    expect(listXattrs(at.upperDir)).not.toContain('trusted.overlay.plyfs.implied')
  })

  test('in user.*: what the kernel lets carry no such xattr keeps its number and its xattrs aside, and those go with it', () => {
    const at = place()
    const open = () => openOverlayUpper({ ...at, xattr: 'user', lowerUuid })
    const upper = open()
    const link = { ...file, kind: 'symlink', mode: 0o777, target: 'x' } as const
    const xattrs = new Map([
      ['user.odd', Buffer.from('1')],
      ['security.odd', Buffer.from('2')],
    ])
    upper.copyUp(upper.root.ino, 'l', 8, { ...link, xattrs, links: 2 })
    const fifo = upper.create(upper.root.ino, 'p', { ...file, kind: 'fifo' })
    const said = dump(upper)
    upper.close()
    expect(fs.readdirSync(join(at.workDir, 'facts'))).toHaveLength(2)
    const again = open()
    expect(dump(again)).toEqual(said)
    expect(again.lookup(again.root.ino, 'p')).toMatchObject({ ino: fifo, kind: 'fifo' })
    expect([...again.xattrs(8)].map(([name, value]) => `${name}=${Buffer.from(value)}`)).toEqual([
      'user.odd=1',
      'security.odd=2',
    ])
    again.whiteout(again.root.ino, 'l')
    again.create(again.root.ino, 'q', file)
    again.rename(again.root.ino, 'q', again.root.ino, 'p', { leave: 'nothing' })
    expect(fs.readdirSync(join(at.workDir, 'facts'))).toEqual([])
    again.close()
  })
})

/** What begins a change of the disk: where a process may die. */
const mutations = [
  'makeDirectory',
  'makeNode',
  'symlink',
  'link',
  'rename',
  'exchange',
  'renameLeavingWhiteout',
  'unlink',
  'removeDirectory',
  'chown',
  'chmod',
  'setTimes',
  'nameUnnamed',
  'setXattr',
  'removeXattr',
] as const satisfies readonly (keyof UpperDisk)[]

/** From the call with this number on the disk does nothing any more. Answers how many calls there were before it. */
function dieAt(call: number): { readonly calls: () => number } {
  let calls = 0
  for (const name of mutations) {
    const real = UpperDisk.prototype[name] as (...args: unknown[]) => void
    vi.spyOn(UpperDisk.prototype, name).mockImplementation(function (this: UpperDisk, ...args: unknown[]) {
      if (calls >= call) throw Object.assign(new Error('the process is dead'), { code: 'EIO' })
      calls++
      return real.apply(this, args)
    })
  }
  return { calls: () => calls }
}

/**
 * Times of directories belong to the union, which sets them in changes of their own. A redirect to the very place where a
 * directory is says nothing.
 */
const stateOf = (upper: Upper): string =>
  dump(upper)
    .map((line) => line.split(' '))
    .filter(([path, says, target]) => says !== 'redirect' || path !== `/${target}`)
    .map((fields) => (fields[2] === 'directory' ? fields.with(6, 'time') : fields).join(' '))
    .join('\n')

const changes: readonly (readonly [string, (upper: Upper) => void])[] = [
  [
    'create',
    (upper) => upper.create(upper.root.ino, 'new', { ...file, xattrs: new Map([['user.a', Buffer.from('b')]]) }),
  ],
  ['create a directory over a whiteout', (upper) => upper.create(upper.root.ino, 'white', { ...folder, opaque: true })],
  ['copy up', (upper) => upper.copyUp(6, 'x', 60, { ...file, mode: 0o4755 }, text('content'))],
  ['copy up one of a link group', (upper) => upper.copyUp(5, 'group', 61, { ...file, links: 3 }, text('content'))],
  ['link', (upper) => upper.link(6, 'linked', 7)],
  ['link over a whiteout', (upper) => upper.link(upper.root.ino, 'white', 7)],
  ['forget a file', (upper) => upper.forget(5, 'f')],
  ['forget a directory', (upper) => upper.forget(upper.root.ino, 'hollow')],
  ['white out a file', (upper) => upper.whiteout(5, 'f')],
  ['white out a directory', (upper) => upper.whiteout(upper.root.ino, 'hollow')],
  ['white out nothing', (upper) => upper.whiteout(upper.root.ino, 'below')],
  ['move a file', (upper) => upper.rename(5, 'f', 6, 'g', { leave: 'whiteout' })],
  ['move a file over a whiteout', (upper) => upper.rename(5, 'f', upper.root.ino, 'white', { leave: 'nothing' })],
  ['move a directory', (upper) => upper.rename(upper.root.ino, 'd', 6, 'moved', { leave: 'whiteout', redirect: 'd' })],
  [
    'move a directory over a whiteout',
    (upper) => upper.rename(upper.root.ino, 'd', upper.root.ino, 'white', { leave: 'whiteout', redirect: 'd' }),
  ],
  [
    'move a directory over a whiteout, and nothing stays',
    (upper) => upper.rename(6, 'own', upper.root.ino, 'white', { leave: 'nothing' }),
  ],
  [
    'move a directory over one with only whiteouts in it',
    (upper) => upper.rename(upper.root.ino, 'd', upper.root.ino, 'hollow', { leave: 'whiteout', redirect: 'd' }),
  ],
  ['exchange two files', (upper) => upper.exchange(5, 'f', upper.root.ino, 'g', { first: {}, second: {} })],
  [
    'exchange a file and a directory',
    (upper) => upper.exchange(5, 'f', upper.root.ino, 'e', { first: { redirect: 'e' }, second: {} }),
  ],
  [
    'exchange two directories',
    (upper) =>
      upper.exchange(upper.root.ino, 'd', upper.root.ino, 'e', { first: { redirect: 'e' }, second: { redirect: 'd' } }),
  ],
  [
    'adopt a file without a name',
    (upper) => {
      const unnamed = upper.unnamed()
      unnamed.content.write(Buffer.from('content'), 0)
      try {
        upper.adopt(6, 'adopted', unnamed, { ...file, mode: 0o4755, xattrs: new Map([['user.a', Buffer.from('b')]]) })
      } finally {
        unnamed.content.close()
      }
    },
  ],
  [
    'give away a file with set-id bits, without them',
    (upper) => upper.setAttributes(9, { uid: 9, gid: 10, mode: 0o755 }),
  ],
  ['make opaque', (upper) => upper.setOpaque(5)],
  ['give an xattr', (upper) => upper.setXattr(7, 'user.x', Buffer.from('y'))],
]

function prepared(): Place {
  const at = place()
  const upper = open(at)
  const root = upper.root.ino
  upper.setAttributes(root, { mode: 0o755 })
  upper.copyUp(root, 'd', 5, folder)
  upper.copyUp(root, 'e', 6, folder)
  upper.copyUp(5, 'f', 7, file, text('f'))
  upper.create(root, 'g', file)
  upper.copyUp(root, 'hollow', 8, folder)
  upper.whiteout(8, 'inside')
  upper.whiteout(root, 'white')
  upper.copyUp(root, 'set-id', 9, { ...file, mode: 0o6755 }, text(''))
  upper.create(6, 'own', folder)
  upper.close()
  return at
}

asRoot("overlayfs's form: a process that dies before any call of a change", () => {
  for (const [name, change] of changes) {
    test(`${name}: leaves the old state or the new one`, () => {
      let states: string[] | undefined
      for (let call = 0; ; call++) {
        const at = prepared()
        const upper = open(at)
        const before = stateOf(upper)
        const { calls } = dieAt(call)
        let finished = true
        try {
          change(upper)
        } catch {
          finished = false
        }
        const done = finished && calls() < call
        vi.restoreAllMocks()
        // Not closed: the dead do not tidy up.
        const again = open(at)
        const after = stateOf(again)
        again.close()
        expect(leftIn(at.workDir), `dead before call ${call}`).toEqual([])
        // Emptied and opaque, a directory shows what it showed with whiteouts for all that is below.
        states ??= [before, stateAfter(change), before.replace('/hollow/inside whiteout', '/hollow opaque')]
        expect(states, `dead before call ${call}`).toContain(after)
        if (finished) expect(after).toBe(states[1])
        if (done) break
      }
    })
  }
})

asRoot("overlayfs's form: a plain file that is made at this moment", () => {
  const born = { ...file, uid: 0, gid: 0, mode: 0o640, now: true } as const

  test('stands in its place by one call: who dies before its number is marked leaves an empty file of others', () => {
    const numbers: (number | undefined)[] = []
    for (let call = 0; call < 3; call++) {
      const at = prepared()
      const upper = open(at)
      const before = stateOf(upper)
      const { calls } = dieAt(call)
      let given: number | undefined
      try {
        given = upper.create(upper.root.ino, 'born', born)
      } catch {}
      expect(calls()).toBe(call)
      vi.restoreAllMocks()
      const again = open(at)
      const found = again.lookup(again.root.ino, 'born')
      const ino = found.says === 'entry' ? found.ino : undefined
      if (ino === undefined) expect(stateOf(again)).toBe(before)
      else expect(again.stat(ino)).toMatchObject({ kind: 'file', mode: 0o640, uid: 0, gid: 0, size: 0, links: 1 })
      if (given !== undefined) expect(ino).toBe(given)
      numbers.push(ino)
      again.close()
      expect(leftIn(at.workDir)).toEqual([])
    }
    expect(numbers).toEqual([undefined, expect.any(Number), expect.any(Number)])
    expect(numbers[1]).toBeGreaterThanOrEqual(2 ** 48)
    expect(numbers[2]).toBeLessThan(2 ** 48)
  })

  test('is told as the disk has it without being asked again, and has the time of the disk', () => {
    const at = prepared()
    const upper = open(at)
    const ino = upper.create(upper.root.ino, 'born', born)
    const told = upper.stat(ino)
    const xattrs = upper.xattrs(ino)
    const real = fs.lstatSync(join(at.upperDir, 'born'), { bigint: true })
    expect(told.mtime).toBe(real.mtimeNs)
    expect(told.mtime).not.toBe(born.mtime)
    upper.close()
    const again = open(at)
    expect(again.stat(ino)).toEqual(told)
    expect(again.xattrs(ino)).toEqual(xattrs)
    again.close()
  })

  test('gets the group, the default ACL and the whiteout of its directory right, where it is made as ever', () => {
    const at = prepared()
    const upper = open(at)
    const root = upper.root.ino
    upper.setAttributes(6, { gid: 77, mode: 0o2775 })
    for (const [directory, name] of [
      [6, 'in-group'],
      [root, 'white'],
    ] as const) {
      const ino = upper.create(directory, name, born)
      expect(upper.stat(ino)).toMatchObject({ uid: 0, gid: 0, mode: 0o640 })
      expect(fs.lstatSync(join(at.upperDir, directory === 6 ? 'e' : '', name))).toMatchObject({ uid: 0, gid: 0 })
    }
    const mask = process.umask(0o777)
    try {
      const ino = upper.create(root, 'unmasked', born)
      expect(upper.stat(ino).mode).toBe(0o640)
    } finally {
      process.umask(mask)
    }
    upper.close()
  })
})

/** What belongs to nothing in a work directory. */
const leftIn = (workDir: string): string[] => [
  ...fs.readdirSync(workDir).filter((name) => name !== 'work' && name !== 'index'),
  ...fs.readdirSync(join(workDir, 'work')),
]

asRoot("overlayfs's form: a whiteout that hides nothing, when one directory went over the whiteout of another", () => {
  const moved = (upper: Upper) => upper.rename(6, 'own', upper.root.ino, 'white', { leave: 'nothing' })

  test('stays where the disk does not remove it, is taken for one, and goes at the next opening, which leaves the time of the directory', () => {
    const at = prepared()
    const upper = open(at)
    vi.spyOn(UpperDisk.prototype, 'unlink').mockImplementation(() => {
      throw Object.assign(new Error('injected'), { code: 'EIO' })
    })
    moved(upper)
    vi.restoreAllMocks()
    expect(upper.lookup(6, 'own')).toEqual({ says: 'whiteout' })
    upper.setAttributes(6, { mtime: 5n })
    upper.close()
    expect(fs.lstatSync(join(at.upperDir, 'e/own')).rdev).toBe(0)
    const again = open(at)
    expect(again.lookup(6, 'own')).toEqual({ says: 'nothing' })
    expect(again.stat(6).mtime).toBe(5n)
    again.close()
    expect(fs.readdirSync(join(at.upperDir, 'e'))).toEqual([])
    expect(leftIn(at.workDir)).toEqual([])
  })

  test('is left alone by a reader, and what stands at its place meanwhile by everybody', () => {
    const at = prepared()
    const upper = open(at)
    dieAt(1)
    expect(() => moved(upper)).toThrow()
    vi.restoreAllMocks()
    const [note] = fs.readdirSync(at.workDir).filter((name) => name.startsWith('stale-'))
    expect(note).toBeDefined()
    open(at, { readOnly: true }).close()
    expect(fs.readdirSync(at.workDir)).toContain(note)
    const again = open(at)
    expect(again.lookup(6, 'own')).toMatchObject({ says: 'entry', kind: 'directory' })
    again.close()
    expect(leftIn(at.workDir)).toEqual([])
  })

  test('in a directory that is gone is none: another one under its number on the disk is another', () => {
    const at = prepared()
    fs.symlinkSync(`${fs.statSync(join(at.upperDir, 'd')).ino.toString(16)}-1/f`, join(at.workDir, 'stale-0'))
    fs.symlinkSync('7-1/white', join(at.workDir, 'stale-1'))
    const upper = open(at)
    expect(upper.lookup(5, 'f')).toMatchObject({ says: 'entry' })
    expect(upper.lookup(upper.root.ino, 'white')).toEqual({ says: 'whiteout' })
    upper.close()
    expect(leftIn(at.workDir)).toEqual([])
  })
})

function stateAfter(change: (upper: Upper) => void): string {
  const at = prepared()
  const upper = open(at)
  change(upper)
  const state = stateOf(upper)
  upper.close()
  return state
}
