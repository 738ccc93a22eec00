import { closeSync, lstatSync, mkdtempSync, openSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { exactStat } from '../../src/sys/exact-stat.ts'
import { setTimes } from '../../src/sys/times.ts'

const folder = mkdtempSync(join(tmpdir(), 'ply-test-stat-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('an inode is told as node:fs tells it, by path and by descriptor, with times before the epoch too', () => {
  const file = join(folder, 'file')
  writeFileSync(file, 'content', { mode: 0o640 })
  setTimes(file, { atime: -5n, mtime: 123_456_789_123_456_789n })
  symlinkSync('file', join(folder, 'link'))
  utimesSync(folder, 1, 2)
  const fd = openSync(file, 'r')
  for (const [target, path] of [
    [file, file],
    [fd, file],
    [folder, folder],
    [join(folder, 'link'), join(folder, 'link')],
    ['/dev/null', '/dev/null'],
  ] as const) {
    const real = lstatSync(path, { bigint: true })
    expect(exactStat(target)).toEqual({
      ...{ ino: Number(real.ino), mode: Number(real.mode), links: Number(real.nlink), size: Number(real.size) },
      ...{ uid: Number(real.uid), gid: Number(real.gid) },
      ...(path === '/dev/null' ? { major: 1, minor: 3 } : { major: 0, minor: 0 }),
      ...{ atime: real.atimeNs, mtime: real.mtimeNs, ctime: real.ctimeNs },
    })
  }
  closeSync(fd)
  expect(() => exactStat(join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
