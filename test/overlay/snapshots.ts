import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { bytesOf } from '../../src/model/bytes.ts'
import type { Stat, Xattrs } from '../../src/model/entry.ts'
import { statOf } from '../../src/overlay/real-stat.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { exactStat } from '../../src/sys/exact-stat.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import { firstNewInode } from '../../src/union/upper.ts'

/** A tree as lines, by path: the same for what the kernel shows and for what the union says. */
export type Snapshot = Readonly<Record<string, string>>

export function snapshotOfTree(tree: Tree): Snapshot {
  const lines: Record<string, string> = {}
  const visit = (path: string, ino: number): void => {
    const stat = tree.stat(ino)
    const held = stat.kind === 'file' ? contentOf(tree, ino) : stat.kind === 'symlink' ? tree.readlink(ino) : ''
    lines[path] = line(stat, tree.xattrs(ino), held, ino)
    if (stat.kind !== 'directory') return
    for (const entry of tree.list(ino)) visit(`${path}/${entry.name}`, entry.ino)
  }
  visit('', tree.root)
  return lines
}

export function snapshotOfDirectory(root: string): Snapshot {
  const lines: Record<string, string> = {}
  const visit = (path: string): void => {
    const at = bytesOf(root + path)
    const real = exactStat(at)
    const stat = statOf(real.ino, real, false)
    const held =
      stat.kind === 'file'
        ? readFileSync(at).toString('latin1')
        : stat.kind === 'symlink'
          ? readlinkSync(at, 'latin1')
          : ''
    lines[path] = line(stat, readXattrs(root + path), held, real.ino)
    if (stat.kind !== 'directory') return
    for (const name of readdirSync(at, 'latin1')) visit(`${path}/${name}`)
  }
  visit('')
  return lines
}

function line(stat: Stat, xattrs: Xattrs, held: string, ino: number): string {
  const { kind, mode, uid, gid, mtime, size, links, major, minor } = stat
  const sorted = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).sort()
  // Of directories the kernel numbers what it likes over another file system, and counts no links where it merges.
  const identity = kind === 'directory' ? '' : `links ${links} ino ${ino}`
  return [
    kind,
    mode.toString(8),
    `${uid}:${gid}`,
    mtime,
    size,
    `${major}:${minor}`,
    sorted,
    digest(held),
    identity,
  ].join(' ')
}

function digest(held: string): string {
  return held.length < 80
    ? JSON.stringify(held)
    : `${held.length}:${Buffer.from(held, 'latin1').toString('base64').slice(0, 40)}`
}

function contentOf(tree: Tree, ino: number): string {
  const content = tree.open(ino)
  try {
    const bytes = Buffer.alloc(content.size)
    content.read(bytes, 0)
    return bytes.toString('latin1')
  } finally {
    content.close()
  }
}

/** New inodes have other numbers in the kernel's view than in ours: only that they are one file is compared, by links. */
export function withoutNewNumbers(snapshot: Snapshot, isNew: (ino: number) => boolean): Snapshot {
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, text]) => [
      path,
      text.replace(/ino (\d+)$/, (whole, ino: string) => (isNew(Number(ino)) ? 'ino new' : whole)),
    ]),
  )
}

export const isNewHere = (ino: number): boolean => ino >= firstNewInode
