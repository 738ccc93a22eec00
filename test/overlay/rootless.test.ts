import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { decodeOverride, encodeOverride } from '../../src/layer/override.ts'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import type { StoredUpper } from '../../src/overlay/stored-upper.ts'
import { UpperDisk } from '../../src/overlay/upper-disk.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { mount, umount } from '../../src/sys/mount.ts'
import { getXattr, setXattr } from '../../src/sys/xattr.ts'
import { union } from '../../src/union/union-tree.ts'
import { becomeNobody, becomeRoot, hasProgram, root } from '../support/ability.ts'
import { plainTree } from '../support/plain-tree.ts'
import { upperContract } from '../union/upper-contract.ts'
import { whyNoRootless } from './able.ts'
import { dump } from './dump.ts'
import { snapshotOfDirectory, snapshotOfTree } from './snapshots.ts'

/** Started by the test of the namespace below. */
const inNamespace = process.env.PLYFS_TEST_NAMESPACE !== undefined
/** Root of a user namespace that has nobody else cannot become somebody else. */
const alone =
  root && process.platform === 'linux' && !/^\s*0\s+0\s+4294967295/.test(fs.readFileSync('/proc/self/uid_map', 'utf8'))
const reason = whyNoRootless()
if (reason !== undefined) console.log(`the rootless form: skipped, ${reason}`)
const able = describe.skipIf(reason !== undefined)

const file = { kind: 'file', mode: 0o644, uid: 1, gid: 2, mtime: 1_700_000_000_123_456_789n } as const
const folder = { ...file, kind: 'directory', mode: 0o755 } as const
const override = 'user.containers.override_stat'
const text = (content: string) => memoryBytes(Buffer.from(content))

const parent = fs.mkdtempSync(join(tmpdir(), 'plyfs-rootless-'))
fs.chmodSync(parent, 0o777)
afterAll(() => execFileSync('rm', ['-rf', parent]))
afterEach(() => {
  if (!alone) becomeRoot()
  vi.restoreAllMocks()
})

interface Place {
  readonly upperDir: string
  readonly workDir: string
}

let made = 0

function place(): Place {
  const at = join(parent, String(made++))
  for (const name of ['upper', 'work']) fs.mkdirSync(join(at, name), { recursive: true })
  return { upperDir: join(at, 'upper'), workDir: join(at, 'work') }
}

const open = (at: Place, more: { readonly readOnly?: boolean } = {}): StoredUpper =>
  openOverlayUpper({ ...at, xattr: 'user', ...more })

describe('U-06: the override xattr', () => {
  test('is written as containers/storage writes it', () => {
    const facts = { uid: 0, gid: 1000, mode: 0o4755, major: 0, minor: 0 }
    const written = (kind: Parameters<typeof encodeOverride>[0]['kind'], more = {}) =>
      encodeOverride({ ...facts, kind, ...more }).toString()
    expect(written('file')).toBe('0:1000:4755:file')
    expect(written('directory', { mode: 0o55 })).toBe('0:1000:0055:dir')
    expect(written('symlink')).toBe('0:1000:4755:symlink')
    expect(written('fifo')).toBe('0:1000:4755:pipe')
    expect(written('socket')).toBe('0:1000:4755:socket')
    expect(written('block', { major: 8, minor: 1 })).toBe('0:1000:4755:block-8-1')
    expect(written('character', { major: 1, minor: 3 })).toBe('0:1000:4755:char-1-3')
  })

  test('is read as each of the tools writes it', () => {
    const read = (value: string) => decodeOverride(Buffer.from(value), 'x')
    expect(read('0:6:644')).toEqual({ uid: 0, gid: 6, mode: 0o644, major: 0, minor: 0 })
    expect(read('0:0:0100755')).toMatchObject({ mode: 0o755 })
    expect(read('0:0:100755')).toMatchObject({ mode: 0o755 })
    expect(read('5:6:0660:block-8-16')).toMatchObject({ kind: 'block', major: 8, minor: 16 })
    expect(read('5:6:0660:char-5-0-more')).toMatchObject({ kind: 'character', major: 5, minor: 0 })
    expect(read('4294967295:0:7777:dir')).toMatchObject({ kind: 'directory', uid: 4294967295, mode: 0o7777 })
    expect(read('0:0:0777:symlink')).toMatchObject({ kind: 'symlink' })
  })

  test('U-03: that says nothing is an error that names the file', () => {
    for (const value of [
      '',
      '0',
      '0:0',
      'a:0:644',
      '0:0:999',
      '0:0:644:',
      '0:0:644:door',
      '0:0:644:block',
      '4294967296:0:644',
    ])
      expect(() => decodeOverride(Buffer.from(value), 'some/file')).toThrow(/some\/file/)
  })
})

describe.skipIf(reason !== undefined || alone)('the rootless form, as an ordinary user', () => {
  test('what such a user cannot store is in the override xattr, and the real inode stays open to its owner', () => {
    becomeNobody()
    const at = place()
    const upper = open(at)
    const top = upper.root.ino
    const ino = upper.create(top, 'f', { ...file, uid: 0, gid: 0, mode: 0o4000 })
    const writer = upper.writer(ino)
    writer.write(Buffer.from('content'), 0)
    writer.close()
    upper.create(top, 'tty', { ...file, kind: 'character', mode: 0o620, major: 5, minor: 1 })
    const sub = upper.create(top, 'd', { ...folder, mode: 0 })
    upper.create(sub, 'inside', { ...file, kind: 'fifo', mode: 0 })
    upper.setXattr(ino, 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'))
    upper.setXattr(ino, override, Buffer.from('a user said this'))
    const real = (name: string) => fs.lstatSync(join(at.upperDir, name))
    expect(getXattr(join(at.upperDir, 'f'), override)?.toString()).toBe('0:0:4000:file')
    expect(getXattr(join(at.upperDir, 'tty'), override)?.toString()).toBe('1:2:0620:char-5-1')
    expect(real('f').mode & 0o7777).toBe(0o600)
    expect(real('tty').isFile() && real('tty').size === 0).toBe(true)
    expect(real('d').mode & 0o7777).toBe(0o700)
    expect(upper.stat(ino)).toMatchObject({ uid: 0, gid: 0, mode: 0o4000, size: 7 })
    expect([...upper.xattrs(ino).keys()].sort()).toEqual(['security.capability', override])
    const said = dump(upper)
    upper.close()
    const again = open(at)
    expect(dump(again)).toEqual(said)
    // Back to what it can be: then nothing has to be overridden any more.
    again.setAttributes(ino, { uid: process.geteuid!(), gid: process.getegid!(), mode: 0o640 })
    expect(getXattr(join(at.upperDir, 'f'), override)).toBeUndefined()
    expect(real('f').mode & 0o7777).toBe(0o640)
    again.setXattr(ino, 'security.capability', undefined)
    again.setXattr(ino, override, undefined)
    expect([...again.xattrs(ino)]).toEqual([])
    again.close()
  })

  test('D-09: a device 0:0 that is data is no whiteout here', () => {
    becomeNobody()
    const upper = open(place())
    const ino = upper.create(upper.root.ino, 'x', { ...file, kind: 'character', major: 0, minor: 0 })
    expect(upper.lookup(upper.root.ino, 'x')).toMatchObject({ ino, kind: 'character' })
    expect(upper.stat(ino)).toMatchObject({ kind: 'character', major: 0, minor: 0 })
    upper.close()
  })

  test('what a tool left closed to its owner is opened, and shows the mode that it was given', () => {
    becomeNobody()
    const at = place()
    const first = open(at)
    const sub = first.create(first.root.ino, 'd', folder)
    first.create(sub, 'f', file)
    first.close()
    fs.mkdirSync(join(at.upperDir, 'e'))
    fs.writeFileSync(join(at.upperDir, 'e/x'), 'closed', { mode: 0 })
    fs.chmodSync(join(at.upperDir, 'e'), 0)
    fs.chmodSync(join(at.workDir, 'work'), 0)
    const upper = open(at)
    const inoOf = (directory: number, name: string) => {
      const verdict = upper.lookup(directory, name)
      return verdict.says === 'entry' ? verdict.ino : 0
    }
    const closed = inoOf(upper.root.ino, 'e')
    const inside = inoOf(closed, 'x')
    const content = upper.open(inside)
    expect(content.size).toBe(6)
    content.close()
    expect(upper.stat(closed).mode).toBe(0)
    expect(upper.stat(inside).mode).toBe(0)
    upper.close()
  })

  test('a tool that keeps symlinks as files is understood', () => {
    const at = place()
    fs.writeFileSync(join(at.upperDir, 'l'), 'target')
    setXattr(join(at.upperDir, 'l'), override, Buffer.from('0:0:0777:symlink'))
    const upper = open(at)
    const verdict = upper.lookup(upper.root.ino, 'l')
    expect(verdict).toMatchObject({ kind: 'symlink' })
    expect(verdict.says === 'entry' && upper.readlink(verdict.ino)).toBe('target')
    upper.close()
  })

  test('what the kernel removed leaves no facts aside behind', () => {
    const at = place()
    const first = open(at)
    for (const name of ['a', 'b'])
      first.create(first.root.ino, name, { ...file, kind: 'symlink', mode: 0o777, target: 'x' })
    first.close()
    fs.unlinkSync(join(at.upperDir, 'a'))
    const upper = open(at)
    expect(upper.has(12345)).toBe(false)
    upper.close()
    expect(fs.readdirSync(join(at.workDir, 'facts'))).toHaveLength(1)
  })
})

const fuse = hasProgram('fuse-overlayfs') && fs.existsSync('/dev/fuse')
if (!fuse) console.log('rootless uppers and fuse-overlayfs: skipped, there is none, or no /dev/fuse')

test.skipIf(!fuse || !root || alone || reason !== undefined)(
  'fuse-overlayfs shows the owners and modes that an ordinary user could not store',
  () => {
    becomeNobody()
    const at = place()
    const upper = open(at)
    const sub = upper.create(upper.root.ino, 'd', { ...folder, uid: 12, mode: 0o1711 })
    upper.create(sub, 'f', { ...file, uid: 1000, gid: 50, mode: 0o4400 })
    upper.close()
    becomeRoot()
    const [merged, empty, work] = ['fuse-merged', 'fuse-upper', 'fuse-work'].map((name) => join(parent, name)) as [
      string,
      string,
      string,
    ]
    for (const each of [merged, empty, work]) fs.mkdirSync(each)
    execFileSync('fuse-overlayfs', ['-o', `lowerdir=${at.upperDir},upperdir=${empty},workdir=${work}`, merged])
    try {
      const facts = (name: string) => {
        const { uid, gid, mode } = fs.lstatSync(join(merged, name))
        return [uid, gid, mode & 0o7777]
      }
      expect(facts('d')).toEqual([12, 2, 0o1711])
      expect(facts('d/f')).toEqual([1000, 50, 0o4400])
    } finally {
      umount(merged)
    }
  },
)

/** A disk, or a process, that makes no devices 0:0. */
function withoutDevices(): void {
  const refuse = () => {
    throw Object.assign(new Error('no devices'), { code: 'EPERM' })
  }
  const { makeNode } = UpperDisk.prototype
  vi.spyOn(UpperDisk.prototype, 'makeNode').mockImplementation(function (this: UpperDisk, ...args) {
    if (args[1] === 'character' || args[1] === 'block') refuse()
    makeNode.apply(this, args)
  })
  vi.spyOn(UpperDisk.prototype, 'renameLeavingWhiteout').mockImplementation(refuse)
}

able('row 11: without devices 0:0', () => {
  test('whiteouts are marked empty files in directories that say so', () => {
    withoutDevices()
    const at = place()
    const upper = open(at)
    const top = upper.root.ino
    upper.copyUp(top, 'd', 5, folder)
    upper.copyUp(5, 'f', 6, file, text('f'))
    upper.whiteout(5, 'gone')
    upper.rename(5, 'f', top, 'moved', { leave: 'whiteout' })
    expect(getXattr(join(at.upperDir, 'd'), 'user.overlay.opaque')?.toString()).toBe('x')
    for (const name of ['d/gone', 'd/f']) {
      expect(fs.lstatSync(join(at.upperDir, name)).size).toBe(0)
      expect(getXattr(join(at.upperDir, name), 'user.overlay.whiteout')).toHaveLength(0)
    }
    upper.create(top, 'over', file)
    upper.rename(top, 'moved', top, 'over', { leave: 'whiteout' })
    expect(upper.lookup(top, 'moved')).toEqual({ says: 'whiteout' })
    expect(upper.lookup(top, 'over')).toMatchObject({ ino: 6 })
    upper.setOpaque(5)
    const said = dump(upper)
    upper.close()
    expect(fs.readdirSync(join(at.workDir, 'work'))).toEqual([])
    const again = open(at)
    expect(dump(again)).toEqual(said)
    again.close()
  })

  describe('the form', () => {
    const places = new WeakMap<StoredUpper, Place>()
    const opened = (at: Place): StoredUpper => {
      withoutDevices()
      const upper = open(at)
      places.set(upper, at)
      return upper
    }
    upperContract('without devices 0:0', () => opened(place()), {
      reopen: (upper) => {
        upper.close()
        return opened(places.get(upper as StoredUpper)!)
      },
    })
  })
})

const self = fileURLToPath(import.meta.url)
const vitest = join(self, '../../../node_modules/vitest/vitest.mjs')

function runInNamespace(): { readonly status: number | null; readonly output: string } {
  const args = [
    '-Urm',
    process.execPath,
    vitest,
    'run',
    '--configLoader',
    'runner',
    '--project',
    'unit',
    '--reporter',
    'verbose',
    self,
  ]
  const { status, stdout, stderr } = spawnSync('unshare', args, {
    encoding: 'utf8',
    env: { ...process.env, PLYFS_TEST_NAMESPACE: '1' },
  })
  return { status, output: `${stdout}${stderr}` }
}

/** Why there are no user namespaces here; `undefined` if there are. */
function whyNoNamespace(): string | undefined {
  if (!hasProgram('unshare')) return 'no unshare'
  const { status, stderr } = spawnSync('unshare', ['-Urm', 'true'], { encoding: 'utf8' })
  return status === 0 ? undefined : `no user namespaces: ${stderr}`
}

/** What is there inside alone is no test outside, where the one test that starts it stands for it. */
const inside = inNamespace ? able : () => {}

if (!inNamespace) {
  able('the rootless form', () => {
    test('holds all that is in this file in a user namespace with one user, where the kernel is asked too', ({
      skip,
    }) => {
      const why = whyNoNamespace()
      if (why !== undefined && process.env.CI && root) throw new Error(why)
      if (why !== undefined) skip(why)
      const { status, output } = runInNamespace()
      expect(status, output).toBe(0)
      // What is skipped there needs another user, and ran here.
      expect(output).toMatch(new RegExp(`✓.*${askedInside}`))
    })
  })
}

const askedInside = 'the kernel shows what we write there, and we show what it goes on to write'

inside('the rootless form, in a user namespace with one user', () => {
  const lower = { 'etc/passwd': 'root\n', 'etc/group': 'wheel\n', 'usr/lib/one': '1', 'usr/lib/two': '2', top: 'top' }

  test(askedInside, () => {
    const at = place()
    const below = join(parent, 'below')
    for (const [name, content] of Object.entries(lower)) {
      fs.mkdirSync(join(below, name, '..'), { recursive: true })
      fs.writeFileSync(join(below, name), content)
    }
    execFileSync('find', [below, '-exec', 'touch', '-hd', '@0', '{}', '+'])
    const tree = plainTree(lower)
    const view = () => union(tree, openOverlayUpper({ ...at, xattr: 'user' }))
    const own = { uid: 0, gid: 0, mtime: 3n * 1_000_000_000n }
    const ours = view()
    ours.setAttributes(ours.root, { mode: 0o755 })
    const find = (path: string) => path.split('/').reduce((directory, name) => ours.lookup(directory, name)!, ours.root)
    const etc = find('etc')
    ours.setAttributes(find('etc/passwd'), { mode: 0 })
    ours.unlink(etc, 'group')
    ours.create(etc, 'group', { kind: 'directory', ...own, mode: 0o700 })
    ours.create(etc, 'link', { kind: 'symlink', ...own, mode: 0o777, target: 'passwd' })
    ours.create(etc, 'pipe', { kind: 'fifo', ...own, mode: 0o600 })
    ours.link(etc, 'hard', find('top'))
    ours.unlink(find('usr/lib'), 'one')
    ours.unlink(find('usr/lib'), 'two')
    ours.rmdir(find('usr'), 'lib')
    ours.close()
    const merged = join(parent, 'merged')
    fs.mkdirSync(merged)
    mount('overlay', merged, 'overlay', 0, `lowerdir=${below},upperdir=${at.upperDir},workdir=${at.workDir},userxattr`)
    try {
      expect(comparable(snapshotOfDirectory(merged))).toEqual(comparable(shownBy(view)))
      fs.writeFileSync(join(merged, 'etc/hard'), 'by the kernel')
      fs.unlinkSync(join(merged, 'etc/link'))
      fs.rmdirSync(join(merged, 'etc/group'))
      fs.chmodSync(join(merged, 'usr'), 0o711)
      fs.mkdirSync(join(merged, 'usr/lib'))
    } finally {
      const after = comparable(snapshotOfDirectory(merged))
      umount(merged)
      expect(comparable(shownBy(view))).toEqual(after)
    }
  })
})

function shownBy(view: () => ReturnType<typeof union>): Record<string, string> {
  const tree = view()
  try {
    return snapshotOfTree(tree)
  } finally {
    tree.close()
  }
}

/** Without numbers, and the times of directories, which the tests of the kernel compare. */
function comparable(snapshot: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, line]) => {
      const fields = line.replace(/ ino \d+$/, '').split(' ')
      return [path, (fields[0] === 'directory' ? fields.with(3, 'time') : fields).join(' ')]
    }),
  )
}
