import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { firstNewInode, type Upper } from '../../src/union/upper.ts'
import { inMemory, onDisk } from './disks.ts'
import { dump } from './dump.ts'

const file = { kind: 'file', mode: 0o644, uid: 1, gid: 2, mtime: 1_700_000_000_123_456_789n } as const
const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: -1n } as const

let made = 0
const folders: string[] = []
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'plyfs-portable-'))
  folders.push(path)
  return path
}

/** One of each change, with the state after each; the state before the first comes first. */
function story(upper: Upper): string[][] {
  const root = upper.root.ino
  const states = [dump(upper)]
  const step = (change: () => void): void => {
    change()
    states.push(dump(upper))
  }
  let made = 0
  // First what makes the log an extended one: it is rewritten then.
  step(() => upper.setAttributes(root, { mode: 0o711, uid: 3, gid: 4, mtime: 5n, atime: 6n }))
  step(() => {
    made = upper.create(root, 'made', { ...file, xattrs: new Map([['user.a', Buffer.from([0, 255])]]) })
  })
  step(() => upper.copyUp(root, 'etc', 36, folder))
  step(() => upper.copyUp(36, 'passwd', 40, file, memoryBytes(Buffer.from('root'))))
  step(() => upper.copyUp(36, 'big', 41, file))
  step(() => upper.copyUpContent(41, memoryBytes(Buffer.from('content'))))
  step(() => upper.link(root, 'second', made))
  step(() => upper.rename(36, 'passwd', root, 'moved', { leave: 'whiteout' }))
  step(() => upper.rename(root, 'etc', root, 'conf', { leave: 'whiteout', redirect: 'etc' }))
  step(() => upper.setXattr(41, 'security.capability', Buffer.alloc(20, 7)))
  step(() => upper.setXattr(made, 'user.a', undefined))
  step(() => upper.setAttributes(40, { mtime: 2n ** 62n * 100n }))
  step(() => upper.whiteout(root, 'bin'))
  step(() => upper.forget(root, 'second'))
  step(() => upper.setOpaque(36))
  step(() => upper.create(root, 'link', { ...file, kind: 'symlink', target: '/\xff' }))
  step(() => upper.create(root, 'null', { ...file, kind: 'character', major: 1, minor: 3 }))
  step(() => upper.create(root, 'opaque', { ...folder, opaque: true }))
  step(() => upper.setAttributes(made, { atime: 77n }))
  step(() => upper.create(root, 'accessed', { ...file, atime: -3n }))
  step(() => upper.exchange(root, 'opaque', root, 'conf', { first: { redirect: 'etc' }, second: { opaque: true } }))
  return states
}

for (const [where, disk] of [
  ['on a disk', onDisk],
  ['in memory', inMemory],
] as const) {
  describe(`the portable form ${where}`, () => {
    const place = (used: Disk): string => (used.kind === 'disk' ? temporary() : `/upper-${made++}`)

    test('a log cut at any byte tells a prefix of the changes', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      const states = story(first)
      first.close()
      const log = used.fs.readFileSync(`${root}/log`) as Buffer
      const seen = new Set<string>()
      for (let cut = log.length; cut >= 32; cut--) {
        used.fs.writeFileSync(`${root}/log`, log.subarray(0, cut))
        // Read only: the content of what the cut log does not name must stay for the next round.
        const upper = openPortableUpper({ disk: used, root, readOnly: true })
        const says = namesOf(dump(upper))
        const known = states.map(namesOf)
        expect(known, `cut at ${cut}`).toContain(says)
        seen.add(says)
        upper.close()
      }
      expect(seen.size).toBe(new Set(states.map(namesOf)).size)
    })

    test('the first write makes the file of a content, for all who have it open, and also when its name is gone', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      const files = () => (used.fs.readdirSync(`${root}/inodes`) as string[]).length
      const empty = upper.create(upper.root.ino, 'empty', file)
      upper.writer(empty).close()
      upper.forget(upper.root.ino, 'empty')
      expect(files()).toBe(0)
      const ino = upper.create(upper.root.ino, 'name', file)
      const [writer, reader] = [upper.writer(ino), upper.open(ino)]
      const into = Buffer.alloc(4)
      expect([reader.read(into, 0), reader.size, files()]).toEqual([0, 0, 0])
      upper.forget(upper.root.ino, 'name')
      upper.sync()
      writer.write(Buffer.from('late'), 0)
      upper.sync()
      expect([reader.read(into, 0), reader.size, into.toString()]).toEqual([4, 4, 'late'])
      writer.close()
      expect(reader.read(into, 2)).toBe(2)
      reader.close()
      upper.sync()
      expect(files()).toBe(0)
      upper.close()
    })

    test('after a torn tail the next change continues where the whole records end', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      first.create(first.root.ino, 'kept', file)
      first.create(first.root.ino, 'torn', file)
      first.close()
      const log = used.fs.readFileSync(`${root}/log`) as Buffer
      used.fs.writeFileSync(`${root}/log`, log.subarray(0, log.length - 3))
      const second = openPortableUpper({ disk: used, root })
      second.create(second.root.ino, 'later', file)
      const states = dump(second)
      second.close()
      const third = openPortableUpper({ disk: used, root })
      expect(dump(third)).toEqual(states)
      expect([...third.list(third.root.ino)].map(({ name }) => name)).toEqual(['kept', 'later'])
      third.close()
    })

    test('a tail of zeros, as a crash leaves it, is dropped', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      first.create(first.root.ino, 'kept', file)
      const states = dump(first)
      first.close()
      const log = used.fs.readFileSync(`${root}/log`) as Buffer
      used.fs.writeFileSync(`${root}/log`, Buffer.concat([log, Buffer.alloc(5000)]))
      const second = openPortableUpper({ disk: used, root })
      expect(dump(second)).toEqual(states)
      expect((used.fs.readFileSync(`${root}/log`) as Buffer).length).toBe(log.length)
      second.close()
    })

    test('a damaged record before a sync is an error, and nothing is cut off or removed for it', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      first.copyUp(first.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      first.create(first.root.ino, 'b', file)
      first.sync()
      const synced = (used.fs.readFileSync(`${root}/log`) as Buffer).length
      first.create(first.root.ino, 'c', file)
      first.close()
      const log = used.fs.readFileSync(`${root}/log`) as Buffer
      for (let at = 32; at < log.length; at++) {
        const bad = Buffer.from(log)
        bad[at] = bad[at]! ^ 0x10
        used.fs.writeFileSync(`${root}/log`, bad)
        // The last of the synced bytes are the mark itself: without it the sync is not known of.
        const known = at < synced - 23
        if (known) {
          expect(() => openPortableUpper({ disk: used, root }), `byte ${at}`).toThrow(
            expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }),
          )
          expect(used.fs.readFileSync(`${root}/log`)).toEqual(bad)
        } else if (at >= synced) openPortableUpper({ disk: used, root, readOnly: true }).close()
      }
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual(['1'])
    })

    test('every change survives compaction, and numbers are not given twice after it', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      story(upper)
      const last = upper.create(upper.root.ino, 'last', file)
      upper.forget(upper.root.ino, 'last')
      const before = dump(upper)
      // Attributes that are set again and again are the garbage.
      for (let i = 0; i < 60_000; i++) upper.setAttributes(40, { mtime: 2n ** 62n * 100n })
      expect((used.fs.readFileSync(`${root}/log`) as Buffer).length).toBeLessThan(3 << 20)
      expect(dump(upper)).toEqual(before)
      upper.close()
      const again = openPortableUpper({ disk: used, root })
      expect(dump(again)).toEqual(before)
      expect(again.create(again.root.ino, 'next', file)).toBeGreaterThan(last)
      again.close()
    })

    test('a full disk refuses the change and leaves the log as it was', () => {
      const used = disk()
      const root = place(used)
      let full = false
      const tight: Disk = {
        ...used,
        fs: {
          ...used.fs,
          writeSync: ((fd: number, bytes: Uint8Array, from: number, length: number, position: number) => {
            if (full && length > 1) {
              used.fs.writeSync(fd, bytes, from, 1, position)
              throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
            }
            return used.fs.writeSync(fd, bytes, from, length, position)
          }) as Disk['fs']['writeSync'],
        },
      }
      const upper = openPortableUpper({ disk: tight, root })
      story(upper)
      const before = dump(upper)
      full = true
      const { ino } = upper.root
      expect(() => upper.create(ino, 'more', file)).toThrow('ENOSPC')
      expect(() => upper.copyUp(ino, 'more', 77, file, memoryBytes(Buffer.from('xx')))).toThrow('ENOSPC')
      expect(() => upper.setAttributes(36, { mode: 0 })).toThrow('ENOSPC')
      full = false
      expect(dump(upper)).toEqual(before)
      upper.setAttributes(36, { mode: 0 })
      const after = dump(upper)
      upper.close()
      const again = openPortableUpper({ disk: used, root })
      expect(dump(again)).toEqual(after)
      again.close()
    })

    test('content that no inode has is removed when the upper is opened', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      upper.close()
      used.fs.writeFileSync(`${root}/inodes/99`, 'left by a process that died')
      openPortableUpper({ disk: used, root }).close()
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual(['1'])
    })

    test('the content of a forgotten file stays until the log that forgets it is durable', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      upper.forget(upper.root.ino, 'a')
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual(['1'])
      upper.sync()
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual([])
      upper.close()
    })

    test('where the disk is full, what was removed makes room for what is written', () => {
      const used = disk()
      let root = ''
      let full = false
      const writeSync = ((fd: number, bytes: Uint8Array, from: number, length: number, position: number) => {
        if (full && used.fs.existsSync(`${root}/inodes/1`)) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        return used.fs.writeSync(fd, bytes, from, length, position)
      }) as Disk['fs']['writeSync']
      for (const next of ['content', 'record'] as const) {
        full = false
        root = place(used)
        const upper = openPortableUpper({ disk: { ...used, fs: { ...used.fs, writeSync } }, root })
        upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
        upper.copyUp(upper.root.ino, 'b', 8, file, memoryBytes(Buffer.from('b')))
        upper.forget(upper.root.ino, 'a')
        full = true
        if (next === 'record') upper.setAttributes(8, { mode: 0o600 })
        else {
          const content = upper.writer(8)
          content.write(Buffer.from('c'), 0)
          content.close()
        }
        expect(used.fs.readdirSync(`${root}/inodes`)).toEqual(['2'])
        upper.close()
      }
    })

    test('much that was removed does not wait for somebody to sync', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      const content = upper.writer(7)
      content.truncate(1 << 30)
      content.close()
      upper.forget(upper.root.ino, 'a')
      upper.create(upper.root.ino, 'b', file)
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual([])
      upper.close()
    })

    test('a log that is missing beside content is damage, not a new upper', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      upper.close()
      used.fs.unlinkSync(`${root}/log`)
      expect(() => openPortableUpper({ disk: used, root })).toThrow(
        expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }),
      )
      expect(used.fs.readdirSync(`${root}/inodes`)).toEqual(['1'])
    })

    test('who reads while a record is being written reads on, and takes what follows for no damage', () => {
      const used = disk()
      const root = place(used)
      const writer = openPortableUpper({ disk: used, root })
      writer.create(writer.root.ino, 'a', file)
      const { size } = used.fs.statSync(`${root}/log`)
      writer.create(writer.root.ino, 'b', file)
      writer.sync()
      // The first look meets the record of `b` half written.
      let looked = false
      const readSync = ((...given: Parameters<Disk['fs']['readSync']>) => {
        const count = used.fs.readSync(...given)
        if (!looked && count > size) {
          looked = true
          ;(given[1] as Uint8Array).fill(0, size - 32 + 20)
        }
        return count
      }) as Disk['fs']['readSync']
      const late = { ...used, fs: { ...used.fs, readSync } } as Disk
      const reader = openPortableUpper({ disk: late, root, readOnly: true })
      expect(looked).toBe(true)
      expect(reader.lookup(reader.root.ino, 'b')).toMatchObject({ says: 'entry' })
      reader.close()
      writer.close()
    })

    test('who reads what somebody else removes altogether is told that it is not there, and of no damage', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      first.copyUp(first.root.ino, 'f', 5, file, memoryBytes(Buffer.from('content')))
      first.close()
      const reader = openPortableUpper({ disk: used, root, readOnly: true })
      used.fs.renameSync(root, `${root}-removed`)
      expect(() => reader.stat(5)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
      expect(() => reader.open(5)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
      reader.close()
    })

    test('copied-up content that is missing from the disk is an error, never an empty file', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      upper.copyUp(upper.root.ino, 'a', 7, file, memoryBytes(Buffer.from('a')))
      used.fs.unlinkSync(`${root}/inodes/1`)
      expect(() => upper.open(7)).toThrow(expect.objectContaining({ code: 'EIO' }))
      expect(() => upper.stat(7)).toThrow(expect.objectContaining({ code: 'EIO' }))
      upper.close()
    })

    test('a log is marked as extended only once it says what the first ones could not, and then says it after compaction too', () => {
      const used = disk()
      const root = place(used)
      const feature = () => (used.fs.readFileSync(`${root}/log`) as Buffer).readUInt32LE(20)
      const upper = openPortableUpper({ disk: used, root })
      const top = upper.root.ino
      const ino = upper.create(top, 'a', file)
      upper.setAttributes(ino, { mtime: 7n, atime: file.mtime })
      upper.create(top, 'b', { ...folder, atime: folder.mtime })
      expect(feature()).toBe(0)
      upper.exchange(top, 'a', top, 'b', { first: {}, second: {} })
      expect(feature()).toBe(1)
      upper.setAttributes(ino, { atime: 9n })
      // Long enough to be rewritten.
      for (let i = 0; i < 3000; i++) upper.setXattr(ino, 'user.long', Buffer.alloc(1000, i % 256))
      const said = dump(upper)
      upper.close()
      expect((used.fs.readFileSync(`${root}/log`) as Buffer).length).toBeLessThan(2_000_000)
      expect(feature()).toBe(1)
      const again = openPortableUpper({ disk: used, root })
      expect(dump(again)).toEqual(said)
      expect(again.stat(ino)).toMatchObject({ atime: 9n, mtime: 7n })
      again.close()
    })

    test('change times are there when it is opened again, and the modify times where their file is lost', () => {
      const used = disk()
      const root = place(used)
      let time = 100n
      const open = (readOnly = false) => openPortableUpper({ disk: used, root, readOnly, now: () => time++ })
      const upper = open()
      const ino = upper.create(upper.root.ino, 'a', file)
      upper.setXattr(ino, 'user.a', Buffer.from('b'))
      expect(upper.stat(ino).ctime).toBe(101n)
      upper.close()
      expect(open(true).stat(ino).ctime).toBe(101n)
      const path = `${root}/changed`
      const written = Buffer.from(used.fs.readFileSync(path) as Buffer)
      for (let at = 0; at < written.length; at++) {
        const damaged = Buffer.from(written)
        damaged[at]! ^= 1
        used.fs.writeFileSync(path, damaged)
        expect(open(true).stat(ino).ctime).toBeUndefined()
      }
      used.fs.rmSync(path)
      expect(open(true).stat(ino)).toMatchObject({ mtime: file.mtime })
    })

    test('a log of a later version, or with unknown features, is refused by its code', () => {
      const used = disk()
      const root = place(used)
      openPortableUpper({ disk: used, root }).close()
      const written = Buffer.from(used.fs.readFileSync(`${root}/log`) as Buffer)
      for (const [at, value] of [
        [8, 2],
        [16, 1],
        [20, 4],
      ] as const) {
        const log = Buffer.from(written)
        log.writeUInt32LE(value, at)
        log.writeUInt32LE(crc32(log.subarray(0, 28)), 28)
        used.fs.writeFileSync(`${root}/log`, log)
        expect(() => openPortableUpper({ disk: used, root })).toThrow(
          expect.objectContaining({ code: 'PLY_UNSUPPORTED' }),
        )
      }
      used.fs.writeFileSync(`${root}/log`, 'something else entirely, of thirty-two bytes')
      expect(() => openPortableUpper({ disk: used, root })).toThrow(
        expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }),
      )
    })

    test('read only: every change is EROFS and nothing on the disk is touched', () => {
      const used = disk()
      const root = place(used)
      const first = openPortableUpper({ disk: used, root })
      story(first)
      const says = dump(first)
      first.close()
      const log = Buffer.concat([used.fs.readFileSync(`${root}/log`) as Buffer, Buffer.from('torn')])
      used.fs.writeFileSync(`${root}/log`, log)
      const upper = openPortableUpper({ disk: used, root, readOnly: true })
      expect(dump(upper)).toEqual(says)
      const { ino } = upper.root
      const refused = expect.objectContaining({ code: 'EROFS' })
      expect(() => upper.create(ino, 'x', file)).toThrow(refused)
      expect(() => upper.whiteout(ino, 'x')).toThrow(refused)
      expect(() => upper.setAttributes(ino, { mode: 0 })).toThrow(refused)
      expect(() => upper.writer(40)).toThrow(refused)
      upper.sync()
      upper.close()
      expect(used.fs.readFileSync(`${root}/log`)).toEqual(log)
    })

    test('no name of a user becomes a name on the disk', () => {
      const used = disk()
      const root = place(used)
      const upper = openPortableUpper({ disk: used, root })
      for (const name of ['log', 'inodes', 'log.new', '\xff\x00'.slice(0, 1), 'x'.repeat(255), 'CON', 'a\nb']) {
        upper.writer(upper.create(upper.root.ino, name, file)).close()
      }
      expect((used.fs.readdirSync(root) as string[]).sort()).toEqual(['inodes', 'log'])
      for (const name of used.fs.readdirSync(`${root}/inodes`) as string[]) expect(name).toMatch(/^\d+$/)
      upper.close()
    })
  })
}

test('closes on a disk that does not take the change times, which are the modify times then', () => {
  const root = temporary()
  const disk = onDisk()
  const closeSync = vi.fn(disk.fs.closeSync)
  const watched: Disk = Object.assign(Object.create(disk), { fs: { ...disk.fs, closeSync } })
  const upper = openPortableUpper({ disk: watched, root, now: () => 77n })
  const ino = upper.create(upper.root.ino, 'f', file)
  expect(upper.stat(ino).ctime).toBe(77n)
  closeSync.mockClear()
  // In its place, so that it cannot be made.
  mkdirSync(join(root, 'changed.new'))
  upper.close()
  expect(closeSync).toHaveBeenCalledTimes(1)
  const again = openPortableUpper({ disk, root })
  expect(again.stat(ino)).toMatchObject({ mtime: file.mtime })
  expect(again.stat(ino).ctime ?? file.mtime).toBe(file.mtime)
  again.close()
})

test('S-06: copied-up content keeps its holes in steps of 4 KiB, byte for byte', () => {
  const root = temporary()
  const upper = openPortableUpper({ disk: onDisk(), root })
  const content = Buffer.alloc((3 << 20) + 100)
  content[5000] = 1
  content.fill(2, 1 << 20, (1 << 20) + 4096)
  const slow: Bytes = {
    ...memoryBytes(content),
    read: (into, at) => memoryBytes(content).read(into.subarray(0, 70_001), at),
  }
  upper.copyUp(upper.root.ino, 'sparse', 9, file, slow)
  const read = Buffer.alloc(content.length)
  const opened = upper.open(9)
  expect(opened.size).toBe(content.length)
  expect(opened.read(read, 0)).toBe(content.length)
  expect(read.equals(content)).toBe(true)
  expect(onDisk().fs.statSync(`${root}/inodes/1`).blocks * 512).toBeLessThanOrEqual(16384)
  opened.close()
  upper.close()
})

test('a random log, whatever its bytes, opens to a state or is refused, and never hangs', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(1 << 12), (noise, at) => {
      const disk = inMemory()
      const root = `/noise-${made++}`
      const upper = openPortableUpper({ disk, root })
      story(upper)
      upper.close()
      const log = Buffer.from(disk.fs.readFileSync(`${root}/log`) as Buffer)
      log.set(
        noise.subarray(0, Math.max(0, log.length - 32 - (at % log.length))),
        Math.min(log.length, 32 + (at % log.length)),
      )
      disk.fs.writeFileSync(`${root}/log`, log)
      try {
        const again = openPortableUpper({ disk, root, readOnly: true })
        dump(again)
        again.close()
      } catch (error) {
        // What was on the disk is gone.
        expect(codeOf(error)).toBe('PLY_BAD_DOCUMENT')
      }
    }),
    { numRuns: 60 },
  )
})

test('new numbers start after 2^40, and the root keeps 2^40', () => {
  const upper = openPortableUpper({ disk: inMemory(), root: '/numbers' })
  expect(upper.root).toMatchObject({ ino: firstNewInode, implied: true })
  expect(upper.create(upper.root.ino, 'a', file)).toBe(firstNewInode + 1)
  upper.close()
})

/** What a state says without content and sizes: those are not in the log. */
function namesOf(lines: readonly string[]): string {
  return lines.map((line) => line.split(' ').toSpliced(7, 1).slice(0, 12).join(' ')).join('\n')
}
