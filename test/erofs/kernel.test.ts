import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { bytesOf } from '../../src/model/bytes.ts'
import { digestOf } from '../../src/model/digest.ts'
import { typeBits } from '../../src/model/entry.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { temporary } from '../support/temporary.ts'
import { everyKind } from './every-kind.ts'
import { kernelMount } from './kernel-mount.ts'
import { written } from './support.ts'

/** More than four GiB into the tar, so that offsets beyond 32 bits are read too. */
const farAway = 5 * 2 ** 30

test('Linux reads from an index what we read from it: every inode, name, target, content and xattr', async (context) => {
  const { builder, contents, tarSize } = everyKind()
  const far = { kind: 'file', mode: 0o600, uid: 3, gid: 4, mtime: 5n, size: farAway - 100 } as const
  builder.enter(
    builder.root,
    'far',
    builder.inode({ ...far, extent: { device: 0, offset: Math.ceil(tarSize / 512) * 512 } }),
  )
  const devices = [{ diffId: digestOf(Buffer.from('tar')), size: Math.ceil(tarSize / 512) * 512 + farAway }]
  const bytes = await written(builder, { devices, tarPages: new Uint32Array(Math.ceil(devices[0]!.size / 65536)) })

  const place = temporary()
  const [index, tar, target] = ['index', 'tar', 'mounted'].map((name) => join(place, name)) as [string, string, string]
  writeFileSync(index, bytes)
  const out = openSync(tar, 'w')
  for (const content of contents) writeSync(out, content.bytes, 0, content.bytes.length, content.offset)
  writeSync(out, Buffer.from('far'), 0, 3, devices[0]!.size - 1024)
  ftruncateSync(out, devices[0]!.size)
  closeSync(out)
  mkdirSync(target)
  const unmount = kernelMount(index, [tar], target)
  if (typeof unmount === 'string') {
    console.warn(`not compared with Linux: ${unmount}`)
    return context.skip(unmount)
  }
  try {
    const ours = Index.open(memoryBytes(bytes))
    const tarBytes = openSync(tar, 'r')
    const compared = compare(ours, tarBytes, target)
    closeSync(tarBytes)
    expect(compared).toBe(ours.inodes + 3 - 1)
    compareXattrs(ours, target)
  } finally {
    unmount()
  }
})

/** Compares everything under the root; answers how many names there are. */
function compare(index: Index, tar: number, target: string): number {
  let names = 0
  const visit = (ino: number, path: Buffer) => {
    const stat = index.stat(ino)
    const theirs = lstatSync(path, { bigint: true })
    const where = path.toString('latin1')
    const rdev = BigInt((stat.minor & 0xff) | (stat.major << 8)) | (BigInt(stat.minor & ~0xff) << 12n)
    const expected = {
      ino: BigInt(ino),
      mode: BigInt(typeBits[stat.kind] | stat.mode),
      uid: BigInt(stat.uid),
      gid: BigInt(stat.gid),
      mtimeNs: stat.mtime,
      nlink: BigInt(stat.links),
      rdev,
    }
    const { ino: number, mode, uid, gid, mtimeNs, nlink } = theirs
    expect({ ino: number, mode, uid, gid, mtimeNs, nlink, rdev: theirs.rdev }, where).toEqual(expected)
    if (stat.kind === 'file' || stat.kind === 'symlink') expect(theirs.size, where).toBe(BigInt(stat.size))
    if (stat.kind === 'symlink') {
      expect(readlinkSync(path, 'buffer').toString('latin1'), where).toBe(index.readlink(ino))
    }
    if (stat.kind === 'file') compareContent(index, ino, tar, path)
    if (stat.kind !== 'directory') return
    const own = [...index.list(ino)]
    const listed = readdirSync(path, { encoding: 'buffer' }).map((name) => name.toString('latin1'))
    expect(listed.sort(), where).toEqual(own.map(({ name }) => name))
    for (const entry of own) {
      names++
      expect(index.lookup(ino, entry.name), where).toBe(entry.ino)
      visit(entry.ino, Buffer.concat([path, Buffer.from('/'), bytesOf(entry.name)]))
    }
  }
  visit(index.root, Buffer.from(target))
  return names
}

function compareContent(index: Index, ino: number, tar: number, path: Buffer): void {
  const { size } = index.stat(ino)
  const extent = index.extent(ino)
  if (size > 1 << 24) {
    const theirs = Buffer.alloc(1024)
    const file = openSync(path, 'r')
    const got = readSync(file, theirs, 0, 1024, size - 924)
    closeSync(file)
    const ours = Buffer.alloc(924)
    readSync(tar, ours, 0, 924, extent!.offset + size - 924)
    expect(got).toBe(924)
    expect(theirs.subarray(0, 924).equals(ours)).toBe(true)
    expect(ours.toString('latin1')).toContain('far')
    return
  }
  const ours = Buffer.alloc(size)
  if (size > 0) readSync(tar, ours, 0, size, extent!.offset)
  expect(readFileSync(path).equals(ours), path.toString('latin1')).toBe(true)
}

/** Compares with getfattr's listing of the whole mount: what it does not name has no attributes. */
function compareXattrs(index: Index, target: string): void {
  const lines = execFileSync('getfattr', ['-h', '-R', '-P', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: target,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const theirs: string[] = []
  let file = ''
  for (const line of lines.split('\n')) {
    if (line.startsWith('# file: ')) file = line.slice(8)
    else if (line !== '') theirs.push(`${file} ${line}`)
  }
  const ours: string[] = []
  const visit = (ino: number, path: string) => {
    for (const [name, value] of index.xattrs(ino)) {
      ours.push(`${path} ${name}=${value.length === 0 ? '' : `0x${Buffer.from(value).toString('hex')}`}`)
    }
    if (index.stat(ino).kind !== 'directory') return
    for (const entry of index.list(ino)) visit(entry.ino, path === '.' ? entry.name : `${path}/${entry.name}`)
  }
  visit(index.root, '.')
  expect(ours.length).toBeGreaterThan(60)
  expect(theirs.sort()).toEqual(ours.sort())
}
