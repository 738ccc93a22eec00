/** A process that writes down everything under a directory, as `treeEntries` does for a tree: JSON, with numbers beyond 2^53 as text. */
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type ByteString, byteString, bytesOf, compareBytes } from '../../src/model/bytes.ts'
import { kindOf } from '../../src/model/entry.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import type { DumpedEntry } from '../support/plain-tree.ts'

type Listed = { -readonly [Key in keyof DumpedEntry]: DumpedEntry[Key] }

const root = process.argv[2]!
const entries: Listed[] = []
const seen = new Map<bigint, Listed>()
visit('', root)
process.stdout.write(JSON.stringify(entries, (_, value) => (typeof value === 'bigint' ? String(value) : value)))

function visit(path: ByteString, at: ByteString): void {
  const stat = lstatSync(bytesOf(at), { bigint: true })
  const entry = described(path, at, stat)
  const first = entry.kind === 'directory' ? undefined : seen.get(stat.ino)
  if (first) entry.linkedTo = first.linkedTo = first.path
  else seen.set(stat.ino, entry)
  entries.push(entry)
  if (entry.kind !== 'directory') return
  const names = readdirSync(bytesOf(at), { encoding: 'buffer' }).map(byteString)
  for (const name of names.sort(compareBytes)) visit(path === '' ? name : `${path}/${name}`, `${at}/${name}`)
}

function described(path: ByteString, at: ByteString, stat: BigIntStats): Listed {
  const kind = kindOf(Number(stat.mode))!
  const isDevice = kind === 'character' || kind === 'block'
  const device = Number(stat.rdev)
  return {
    path,
    kind,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    size: Number(stat.size),
    links: Number(stat.nlink),
    major: isDevice ? (device >>> 8) & 0xfff : 0,
    minor: isDevice ? (device & 0xff) | ((device >>> 12) & 0xfff00) : 0,
    xattrs: Object.fromEntries(
      [...readXattrs(at)]
        .sort(([a], [b]) => compareBytes(a, b))
        .map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
    ),
    ...(kind === 'symlink' && { target: byteString(readlinkSync(bytesOf(at), { encoding: 'buffer' })) }),
    ...(kind === 'file' && {
      content: createHash('sha256')
        .update(readFileSync(bytesOf(at)))
        .digest('hex'),
    }),
  }
}
