import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/model/bytes.ts'
import { copyRange } from '../../src/sys/copy.ts'
import { mount, mountFlags, umount, unmountFlags } from '../../src/sys/mount.ts'
import { makeFifo, makeNode } from '../../src/sys/nodes.ts'
import { pathBytes } from '../../src/sys/path.ts'
import { renameExchange, renameNoReplace, renameWhiteout } from '../../src/sys/rename.ts'
import { syncFileSystem } from '../../src/sys/sync.ts'
import { setTimes } from '../../src/sys/times.ts'
import { getXattr, listXattrs, readXattrs, removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { hasProgram, root, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'

const failsWith = (code: string) => expect.objectContaining({ name: 'PlyError', code })
/** A name that is not UTF-8. */
const odd = 'na\xefve\xff'

describe('paths', () => {
  test('a byte string is its bytes and a NUL', () => {
    expect([...pathBytes('a\xff')]).toEqual([0x61, 0xff, 0])
    expect([...pathBytes(Buffer.from([0x61, 0xff]))]).toEqual([0x61, 0xff, 0])
  })

  test('text that was not encoded, a NUL inside and too long a path are refused', () => {
    for (const path of ['caf\u00e9\u2026', 'a\0b']) expect(() => pathBytes(path)).toThrow(failsWith('EINVAL'))
    expect(() => pathBytes(Buffer.from('a\0b'))).toThrow(failsWith('EINVAL'))
    expect(() => pathBytes('x'.repeat(4096))).toThrow(failsWith('ENAMETOOLONG'))
    expect(pathBytes('x'.repeat(4095)).length).toBe(4096)
  })
})

const xattrTest = testIf(keepsXattrs(), 'the file system of the temporary directory has no user attributes')

describe('extended attributes', () => {
  xattrTest('values are exact bytes, of any length, under names that need not be text', () => {
    const path = `${temporary()}/${odd}`
    fs.writeFileSync(bytesOf(path), '')
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        fc.string({
          unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
          minLength: 1,
          maxLength: 50,
        }),
        (value, text) => {
          const name = `user.${text}`
          setXattr(path, name, value)
          expect(getXattr(path, name)!.equals(value)).toBe(true)
          expect(listXattrs(path)).toEqual([name])
          expect([...readXattrs(path)]).toEqual([[name, Buffer.from(value)]])
          removeXattr(path, name)
          expect(getXattr(path, name)).toBeUndefined()
          expect(listXattrs(path)).toEqual([])
          expect(readXattrs(path).size).toBe(0)
        },
      ),
      { verbose: 1, numRuns: 60 },
    )
  })

  xattrTest('descriptors do as well as paths', () => {
    const path = `${temporary()}/file`
    const fd = fs.openSync(path, 'w')
    setXattr(fd, 'user.a', Buffer.from('1'))
    setXattr(fd, 'user.b', new Uint8Array())
    expect(getXattr(path, 'user.a')!.toString()).toBe('1')
    expect(getXattr(fd, 'user.b')).toEqual(Buffer.alloc(0))
    expect(listXattrs(fd).sort()).toEqual(['user.a', 'user.b'])
    removeXattr(fd, 'user.a')
    expect([...readXattrs(fd).keys()]).toEqual(['user.b'])
    fs.closeSync(fd)
    expect(() => getXattr(fd, 'user.b')).toThrow(failsWith('EBADF'))
  })

  xattrTest('answers do not share memory', () => {
    const path = `${temporary()}/file`
    fs.writeFileSync(path, '')
    setXattr(path, 'user.a', Buffer.from('first'))
    const first = getXattr(path, 'user.a')!
    setXattr(path, 'user.a', Buffer.from('other'))
    getXattr(path, 'user.a')
    expect(first.toString()).toBe('first')
  })

  xattrTest('making and replacing can be asked for', () => {
    const path = `${temporary()}/file`
    fs.writeFileSync(path, '')
    expect(() => setXattr(path, 'user.a', Buffer.from('1'), 'replace')).toThrow(failsWith('ENODATA'))
    setXattr(path, 'user.a', Buffer.from('1'), 'create')
    expect(() => setXattr(path, 'user.a', Buffer.from('2'), 'create')).toThrow(failsWith('EEXIST'))
    setXattr(path, 'user.a', Buffer.from('2'), 'replace')
    expect(getXattr(path, 'user.a')!.toString()).toBe('2')
  })

  xattrTest('failures are errnos with the path', () => {
    const at = temporary()
    fs.writeFileSync(`${at}/file`, '')
    expect(() => getXattr(`${at}/none`, 'user.a')).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: `${at}/none`, syscall: 'lgetxattr' }),
    )
    expect(() => listXattrs(`${at}/file/x`)).toThrow(failsWith('ENOTDIR'))
    expect(() => removeXattr(`${at}/file`, 'user.a')).toThrow(failsWith('ENODATA'))
    expect(() => setXattr(`${at}/file`, 'nonsense', Buffer.from('1'))).toThrow(failsWith('ENOTSUP'))
    expect(() => setXattr(`${at}/file`, `user.${'x'.repeat(300)}`, Buffer.from('1'))).toThrow(failsWith('ERANGE'))
    expect(() => setXattr(`${at}/file`, 'user.a', Buffer.alloc(70_000))).toThrow(failsWith('E2BIG'))
  })

  xattrTest('a symlink is not followed', () => {
    const at = temporary()
    fs.writeFileSync(`${at}/file`, '')
    fs.symlinkSync('file', `${at}/link`)
    setXattr(`${at}/file`, 'user.a', Buffer.from('1'))
    expect(getXattr(`${at}/link`, 'user.a')).toBeUndefined()
    expect(() => setXattr(`${at}/link`, 'user.a', Buffer.from('1'))).toThrow(failsWith('EPERM'))
    if (root) {
      setXattr(`${at}/link`, 'trusted.a', Buffer.from('link'))
      expect(getXattr(`${at}/link`, 'trusted.a')!.toString()).toBe('link')
      expect(getXattr(`${at}/file`, 'trusted.a')).toBeUndefined()
    }
  })

  testIf(root && keepsXattrs(), 'capabilities need root')(
    'capabilities and trusted attributes are kept byte for byte',
    () => {
      const path = `${temporary()}/file`
      fs.writeFileSync(path, '')
      const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
      setXattr(path, 'security.capability', capability)
      setXattr(path, 'trusted.overlay.opaque', Buffer.from('y'))
      expect(getXattr(path, 'security.capability')!.equals(capability)).toBe(true)
      expect(listXattrs(path).sort()).toEqual(['security.capability', 'trusted.overlay.opaque'])
    },
  )
})

describe('nodes', () => {
  test('anyone makes fifos, sockets and whiteouts', () => {
    const at = temporary()
    makeFifo(`${at}/fifo`, 0o600)
    makeNode(`${at}/socket`, { kind: 'socket', mode: 0o600 })
    makeNode(`${at}/${odd}`, { kind: 'character', mode: 0o600, major: 0, minor: 0 })
    expect(fs.statSync(`${at}/fifo`).isFIFO()).toBe(true)
    expect(fs.statSync(`${at}/socket`).isSocket()).toBe(true)
    const whiteout = fs.statSync(bytesOf(`${at}/${odd}`))
    expect(whiteout.isCharacterDevice() && whiteout.rdev === 0).toBe(true)
    expect(() => makeFifo(`${at}/fifo`, 0o600)).toThrow(expect.objectContaining({ code: 'EEXIST', path: `${at}/fifo` }))
  })

  testIf(root, 'devices need root')('devices have the numbers that were asked for, also large ones', () => {
    const at = temporary()
    for (const [i, [major, minor]] of [
      [1, 3],
      [8, 255],
      [8, 256],
      [4095, 0xfffff],
      [259, 70_000],
    ].entries()) {
      const path = `${at}/${i}`
      makeNode(path, { kind: i % 2 ? 'block' : 'character', mode: 0o640, major: major!, minor: minor! })
      const [found] = execFileSync('stat', ['-c', '%Hr %Lr', path], { encoding: 'utf8' }).split('\n')
      expect(found).toBe(`${major} ${minor}`)
    }
    expect(() => makeNode(`${at}/x`, { kind: 'block', mode: 0, major: 4096 })).toThrow(failsWith('EINVAL'))
  })

  test('a device without the privilege is an EPERM', () => {
    const directory = temporary()
    fs.chmodSync(directory, 0o777)
    // Root gives its capabilities away with the effective id, and gets them back with it.
    if (root) process.seteuid!(65534)
    try {
      const device = { kind: 'character', mode: 0o600, major: 1, minor: 3 } as const
      expect(() => makeNode(`${directory}/null`, device)).toThrow(failsWith('EPERM'))
    } finally {
      if (root) process.seteuid!(0)
    }
  })
})

describe('times', () => {
  test('are kept to the nanosecond, also before the epoch and after 2038', () => {
    const path = `${temporary()}/${odd}`
    fs.writeFileSync(bytesOf(path), '')
    for (const mtime of [
      0n,
      1n,
      1_700_000_000_123_456_789n,
      1_700_000_000_999_999_999n,
      -1n,
      -1_000_000_001n,
      4_000_000_000_000_000_001n,
    ]) {
      setTimes(path, { mtime, atime: mtime + 7n })
      const stat = fs.statSync(bytesOf(path), { bigint: true })
      expect([stat.mtimeNs, stat.atimeNs]).toEqual([mtime, mtime + 7n])
    }
  })

  test('what is absent stays, descriptors do as well, and a symlink has its own', () => {
    const at = temporary()
    fs.writeFileSync(`${at}/file`, '')
    fs.symlinkSync('file', `${at}/link`)
    setTimes(`${at}/file`, { atime: 11n, mtime: 12n })
    const fd = fs.openSync(`${at}/file`, 'r')
    setTimes(fd, { mtime: 13n })
    fs.closeSync(fd)
    setTimes(`${at}/link`, { mtime: 99n })
    const file = fs.statSync(`${at}/file`, { bigint: true })
    expect([file.atimeNs, file.mtimeNs]).toEqual([11n, 13n])
    expect(fs.lstatSync(`${at}/link`, { bigint: true }).mtimeNs).toBe(99n)
    expect(() => setTimes(`${at}/none`, { mtime: 1n })).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: `${at}/none` }),
    )
  })
})

describe('renames', () => {
  test('without replacing, a taken name is an EEXIST', () => {
    const at = temporary()
    fs.writeFileSync(`${at}/a`, 'a')
    fs.writeFileSync(`${at}/b`, 'b')
    expect(() => renameNoReplace(`${at}/a`, `${at}/b`)).toThrow(
      expect.objectContaining({ code: 'EEXIST', path: `${at}/a`, dest: `${at}/b` }),
    )
    renameNoReplace(`${at}/a`, `${at}/${odd}`)
    expect(fs.readFileSync(bytesOf(`${at}/${odd}`), 'utf8')).toBe('a')
  })

  test('two names are swapped in one step, whatever they are', () => {
    const at = temporary()
    fs.mkdirSync(`${at}/a`)
    fs.writeFileSync(`${at}/b`, 'b')
    renameExchange(`${at}/a`, `${at}/b`)
    expect(fs.statSync(`${at}/b`).isDirectory()).toBe(true)
    expect(fs.readFileSync(`${at}/a`, 'utf8')).toBe('b')
    expect(() => renameExchange(`${at}/a`, `${at}/none`)).toThrow(failsWith('ENOENT'))
  })

  test('a whiteout can be left behind', () => {
    const at = temporary()
    fs.writeFileSync(`${at}/a`, 'a')
    renameWhiteout(`${at}/a`, `${at}/b`)
    const left = fs.lstatSync(`${at}/a`)
    expect(left.isCharacterDevice() && left.rdev === 0).toBe(true)
    expect(fs.readFileSync(`${at}/b`, 'utf8')).toBe('a')
  })
})

describe('copies', () => {
  const mebibyte = 1 << 20
  const pattern = (size: number, seed: number) =>
    Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * seed + (i >> 8)) & 0xff))

  test('holes stay holes, wherever they are', () => {
    const at = temporary()
    const from = fs.openSync(`${at}/from`, 'w+')
    fs.writeSync(from, pattern(5000, 3), 0, 5000, 4 * mebibyte)
    fs.writeSync(from, pattern(5000, 5), 0, 5000, 9 * mebibyte)
    fs.ftruncateSync(from, 64 * mebibyte)
    const to = fs.openSync(`${at}/to`, 'w+')
    copyRange({ fd: from, offset: 0 }, { fd: to, offset: 0 }, 64 * mebibyte)
    expect(fs.fstatSync(to).size).toBe(64 * mebibyte)
    expect(fs.readFileSync(`${at}/to`).equals(fs.readFileSync(`${at}/from`))).toBe(true)
    expect(fs.fstatSync(to).blocks * 512).toBeLessThan(mebibyte)
    fs.closeSync(from)
    fs.closeSync(to)
  })

  test('any range of any file over any other gives the bytes of the source there, and touches no others', () => {
    const at = temporary()
    const total = 300_000
    const place = fc.oneof(
      fc.nat(total),
      fc.integer({ min: 0, max: total >> 12 }).map((blocks) => blocks << 12),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 30_000 })), { maxLength: 4 }),
        place,
        place,
        fc.nat(total),
        fc.nat(total),
        (data, sourceOffset, targetOffset, wanted, targetSize) => {
          const source = Buffer.alloc(total)
          const from = fs.openSync(`${at}/from`, 'w+')
          fs.ftruncateSync(from, total)
          for (const [offset, length] of data) {
            const part = pattern(Math.min(length, total - offset), 7)
            source.set(part, offset)
            fs.writeSync(from, part, 0, part.length, offset)
          }
          const size = Math.min(wanted, total - sourceOffset)
          const before = Buffer.alloc(targetSize, 0xaa)
          fs.writeFileSync(`${at}/to`, before)
          const to = fs.openSync(`${at}/to`, 'r+')
          copyRange({ fd: from, offset: sourceOffset }, { fd: to, offset: targetOffset }, size)
          fs.closeSync(from)
          fs.closeSync(to)
          const expected = Buffer.alloc(size === 0 ? targetSize : Math.max(targetSize, targetOffset + size))
          expected.set(before)
          if (size > 0) expected.set(source.subarray(sourceOffset, sourceOffset + size), targetOffset)
          expect(fs.readFileSync(`${at}/to`).equals(expected)).toBe(true)
        },
      ),
      { verbose: 1, numRuns: 150 },
    )
  })

  testIf(fs.existsSync('/dev/shm'), 'there is no second file system here')('a copy between file systems works', () => {
    const at = temporary()
    const content = pattern(3 * mebibyte + 17, 11)
    const other = fs.mkdtempSync('/dev/shm/ply-test-')
    try {
      fs.writeFileSync(`${at}/from`, content)
      const from = fs.openSync(`${at}/from`, 'r')
      const to = fs.openSync(`${other}/to`, 'w')
      copyRange({ fd: from, offset: 0 }, { fd: to, offset: 0 }, content.length)
      expect(fs.readFileSync(`${other}/to`).equals(content)).toBe(true)
      fs.closeSync(from)
      fs.closeSync(to)
    } finally {
      fs.rmSync(other, { recursive: true })
    }
  })

  testIf(root, 'mounting a small file system needs root')('a full disk is an ENOSPC', () => {
    const at = temporary()
    fs.mkdirSync(`${at}/full`)
    fs.writeFileSync(`${at}/from`, pattern(3 * mebibyte, 3))
    mount('ply-test', `${at}/full`, 'tmpfs', 0, 'size=1m')
    const from = fs.openSync(`${at}/from`, 'r')
    const to = fs.openSync(`${at}/full/to`, 'w')
    try {
      expect(() => copyRange({ fd: from, offset: 0 }, { fd: to, offset: 0 }, 3 * mebibyte)).toThrow(
        expect.objectContaining({ code: 'ENOSPC' }),
      )
    } finally {
      fs.closeSync(from)
      fs.closeSync(to)
      umount(`${at}/full`)
    }
  })
})

describe('mounts', () => {
  testIf(root, 'mounting needs root')('a file system comes and goes, with its flags', () => {
    const at = temporary()
    fs.mkdirSync(`${at}/there`)
    mount('ply-test', `${at}/there`, 'tmpfs', mountFlags.noSuid | mountFlags.noDevices, 'size=1m,mode=0700')
    fs.writeFileSync(`${at}/there/file`, 'x')
    const line = fs
      .readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .find((entry) => entry.includes(`${at}/there`))
    expect(line).toMatch(/tmpfs rw,nosuid,nodev.*size=1024k,mode=700/)
    const fd = fs.openSync(`${at}/there/file`, 'r')
    expect(() => umount(`${at}/there`)).toThrow(failsWith('EBUSY'))
    umount(`${at}/there`, unmountFlags.detach)
    fs.closeSync(fd)
    expect(fs.existsSync(`${at}/there/file`)).toBe(false)
    expect(() => umount(`${at}/there`)).toThrow(failsWith('EINVAL'))
  })

  test('what cannot be mounted says why', () => {
    const at = temporary()
    const code = root ? 'ENODEV' : 'EPERM'
    expect(() => mount('x', at, 'no-such-fs', 0)).toThrow(expect.objectContaining({ code, path: at, syscall: 'mount' }))
    expect(() => mount('x', at, 'tmpfs', 0, 'x'.repeat(4096))).toThrow(failsWith('E2BIG'))
  })
})

test('a file system is synced by any path on it', () => {
  const at = temporary()
  syncFileSystem(at)
  expect(() => syncFileSystem(`${at}/none`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

testIf(hasProgram('getfattr') && keepsXattrs(), 'there is no getfattr program here, or nothing for it to see')(
  'other programs see the attributes that are set here',
  () => {
    const path = `${temporary()}/file`
    fs.writeFileSync(path, '')
    setXattr(path, 'user.seen', Buffer.from([0, 1, 255]))
    expect(
      execFileSync('getfattr', ['-n', 'user.seen', '-e', 'hex', '--absolute-names', path], { encoding: 'utf8' }),
    ).toContain('user.seen=0x0001ff')
  },
)

function keepsXattrs(): boolean {
  const at = fs.mkdtempSync(join(tmpdir(), 'ply-test-'))
  try {
    setXattr(at, 'user.probe', Buffer.from('1'))
    return true
  } catch {
    return false
  } finally {
    fs.rmSync(at, { recursive: true })
  }
}
