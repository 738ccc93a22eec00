import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import type { Index } from '../../src/erofs/index.ts'
import { kindOf } from '../../src/model/entry.ts'
import type { Bytes } from '../../src/stream/bytes.ts'
import { readXattrs } from '../../src/sys/xattr.ts'

/** Where the contents of an index are read: a view of a layer, a tree. */
export interface Contents {
  open(ino: number): Bytes
  close(): void
}

export interface Compared {
  readonly entries: number
  readonly differences: readonly string[]
}

const chunk = 1 << 18
const [ours, theirs] = [Buffer.allocUnsafe(chunk), Buffer.allocUnsafe(chunk)]

/**
 * Walks a mount of the kernel and an index side by side: the same names, and of each the inode number, kind, mode, owner,
 * time, size, link count, device, xattrs, link text and every byte of content. Contents of an inode are compared once.
 */
export function compareWithKernel(index: Index, contents: Contents, mounted: string): Compared {
  const differences: string[] = []
  const compared = new Set<number>()
  let entries = 0
  const todo = [{ path: Buffer.from(mounted), ino: index.root }]
  const say = (path: Buffer, what: string, is: unknown, should: unknown) => {
    const shown = JSON.stringify(path.toString('latin1').slice(mounted.length))
    differences.push(`${shown}: ${what}: the kernel says ${String(is)}, the index ${String(should)}`)
  }
  const sameContent = (path: Buffer, ino: number): boolean => {
    const fd = openSync(path, 'r')
    const bytes = contents.open(ino)
    try {
      for (let position = 0; ; ) {
        const got = readSync(fd, theirs, 0, chunk, position)
        if (bytes.read(ours, position) !== got || ours.compare(theirs, 0, got, 0, got) !== 0) return false
        if (got === 0) return true
        position += got
      }
    } finally {
      bytes.close()
      closeSync(fd)
    }
  }
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { path, ino } = next
    entries++
    const seen = lstatSync(path, { bigint: true })
    const stat = index.stat(ino)
    const kind = kindOf(Number(seen.mode))
    if (kind !== stat.kind) {
      say(path, 'kind', kind, stat.kind)
      continue
    }
    if (seen.ino !== BigInt(ino)) say(path, 'inode', seen.ino, ino)
    if (seen.mtimeNs !== stat.mtime) say(path, 'time', seen.mtimeNs, stat.mtime)
    const special = kind === 'character' || kind === 'block'
    const facts: readonly [what: string, is: bigint, should: number][] = [
      ['mode', seen.mode & 0o7777n, stat.mode],
      ['user', seen.uid, stat.uid],
      ['group', seen.gid, stat.gid],
      ['links', seen.nlink, stat.links],
      ['size', kind === 'directory' ? 0n : seen.size, kind === 'directory' ? 0 : stat.size],
      ['major', special ? (seen.rdev >> 8n) & 0xfffn : 0n, stat.major],
      ['minor', special ? (seen.rdev & 0xffn) | ((seen.rdev >> 12n) & 0xfff00n) : 0n, stat.minor],
    ]
    for (const [what, is, should] of facts) if (Number(is) !== should) say(path, what, is, should)

    const has = readXattrs(path.toString('latin1'))
    const wanted = index.xattrs(ino)
    if (has.size !== wanted.size) say(path, 'xattrs', [...has.keys()], [...wanted.keys()])
    for (const [name, value] of wanted) {
      if (Buffer.compare(has.get(name) ?? Buffer.alloc(0), value) !== 0) say(path, name, 'another value', 'its own')
    }
    if (kind === 'symlink') {
      const target = readlinkSync(path, { encoding: 'latin1' })
      if (target !== index.readlink(ino)) say(path, 'target', target, index.readlink(ino))
    } else if (kind === 'file' && stat.size > 0 && !compared.has(ino)) {
      if (stat.links > 1) compared.add(ino)
      if (!sameContent(path, ino)) say(path, 'content', 'other bytes', 'those of the tar')
    } else if (kind === 'directory') {
      const names = readdirSync(path, { encoding: 'latin1' }).sort()
      let at = 0
      for (const entry of index.list(ino)) {
        while (at < names.length && names[at]! < entry.name) say(path, 'a name', names[at++], 'nothing')
        if (names[at] !== entry.name) {
          say(path, 'a name', 'nothing', entry.name)
          continue
        }
        at++
        todo.push({ path: Buffer.concat([path, Buffer.from(`/${entry.name}`, 'latin1')]), ino: entry.ino })
      }
      while (at < names.length) say(path, 'a name', names[at++], 'nothing')
    }
  }
  return { entries, differences }
}
