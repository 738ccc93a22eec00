import { expect } from 'vitest'
import type { Tree } from '../../src/stack/tree.ts'
import { type Inode, join } from './inode.ts'

/** Whether a directory's time may be another than the expected one. */
export type DirectoryTimes = (path: string, actual: bigint) => boolean

const never: DirectoryTimes = () => false
const fields = ['kind', 'mode', 'uid', 'gid', 'mtime', 'major', 'minor'] as const

/** Fails with what differs (see `differences`). */
export function expectSame(tree: Tree, expected: Inode, alsoTime?: DirectoryTimes): void {
  const found = differences(tree, expected, alsoTime)
  // Asked first: an assertion costs as much as the comparison.
  if (found.length > 0) expect(found).toEqual([])
}

/**
 * How a tree differs from what is expected of it, path by path: names and their order, kind, mode, owner, time, xattrs,
 * content, which names share an inode, and how many there are.
 */
export function differences(tree: Tree, expected: Inode, alsoTime: DirectoryTimes = never): string[] {
  const found: string[] = []
  const numbers = new Map<Inode, { readonly ino: number; names: number; readonly links: number }>()
  const inodes = new Map<number, Inode>()
  const compare = (path: string, ino: number, wanted: Inode): void => {
    const say = (what: string, is: unknown, should: unknown) =>
      found.push(`${JSON.stringify(path)}: ${what} is ${String(is)}, expected ${String(should)}`)
    const group = numbers.get(wanted)
    if (group || inodes.has(ino)) {
      if (group) group.names++
      if (group?.ino !== ino) say('the inode', `that of another file`, 'shared with the right names')
      return
    }
    const stat = tree.stat(ino)
    numbers.set(wanted, { ino, names: 1, links: stat.links })
    inodes.set(ino, wanted)
    for (const field of fields) {
      if (stat[field] === wanted[field]) continue
      if (field === 'mtime' && wanted.kind === 'directory' && alsoTime(path, stat.mtime)) continue
      say(field, stat[field], wanted[field])
    }
    if (stat.kind !== wanted.kind) return
    const xattrs = tree.xattrs(ino)
    for (const [name, value] of wanted.xattrs) {
      const has = xattrs.get(name)
      if (!has || !value.equals(has)) say(name, has && Buffer.from(has).toString('hex'), value.toString('hex'))
    }
    for (const name of xattrs.keys()) if (!wanted.xattrs.has(name)) say(name, 'there', 'absent')
    switch (wanted.kind) {
      case 'symlink':
        if (stat.size !== wanted.target.length) say('size', stat.size, wanted.target.length)
        if (tree.readlink(ino) !== wanted.target) say('target', tree.readlink(ino), wanted.target)
        return
      case 'file': {
        const { content } = wanted
        if (stat.size !== content.length) {
          say('size', stat.size, content.length)
          return
        }
        const bytes = tree.open(ino)
        const whole = Buffer.alloc(content.length + 1)
        const got = bytes.read(whole, 0)
        bytes.close()
        if (got !== content.length || !content.equals(whole.subarray(0, got))) say('content', 'other', 'the same')
        return
      }
      case 'directory':
        directory(path, ino, wanted, say)
        return
      default:
        if (stat.size !== 0) say('size', stat.size, 0)
    }
  }
  const directory = (
    path: string,
    ino: number,
    wanted: Inode,
    say: (what: string, is: unknown, should: unknown) => void,
  ): void => {
    let subdirectories = 0
    let last = ''
    let count = 0
    for (const { name, ino: child, kind } of tree.list(ino)) {
      if (name <= last) say('the listing', `${name} after ${last}`, 'in byte order')
      last = name
      count++
      const should = wanted.children.get(name)
      const here = join(path, name)
      if (!should) {
        found.push(`${JSON.stringify(here)}: is there, and should not be`)
        continue
      }
      if (kind !== should.kind) say(`what is listed at ${name}`, kind, should.kind)
      if (tree.lookup(ino, name) !== child) say(`what is looked up at ${name}`, tree.lookup(ino, name), child)
      if (should.kind === 'directory') {
        subdirectories++
        if (kind === 'directory' && tree.parent(child) !== ino) say(`the parent of ${name}`, tree.parent(child), ino)
      }
      compare(here, child, should)
    }
    if (count !== wanted.children.size) {
      const names = new Set([...tree.list(ino)].map(({ name }) => name))
      for (const name of wanted.children.keys()) {
        if (!names.has(name)) found.push(`${JSON.stringify(join(path, name))}: is missing`)
      }
    }
    const { links } = tree.stat(ino)
    if (links !== 2 + subdirectories) say('links', links, 2 + subdirectories)
  }
  compare('', tree.root, expected)
  for (const [wanted, { ino, names, links }] of numbers) {
    if (wanted.kind !== 'directory' && links !== names) found.push(`inode ${ino}: links is ${links}, expected ${names}`)
  }
  return found
}
