import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { bytesOf } from '../../src/model/bytes.ts'
import { makeNode } from '../../src/sys/nodes.ts'
import { setTimes } from '../../src/sys/times.ts'
import { readXattrs, setXattr } from '../../src/sys/xattr.ts'
import { type DiskState, emptyInode, type Inode, root } from './disk-state.ts'

const kinds = { file: 0o100000, character: 0o020000, block: 0o060000, fifo: 0o010000, socket: 0o140000 }
const typeMask = 0o170000

/** What stands in a directory, as a state. Paths are byte strings. */
export function scan(directory: string): Map<number, Inode> {
  const state = new Map<number, Inode>()
  const known = new Map<bigint, number>()
  const visit = (path: string): number => {
    const stat = lstatSync(bytesOf(path), { bigint: true })
    const before = known.get(stat.ino)
    if (before !== undefined) return before
    const number = known.size
    known.set(stat.ino, number)
    const about = {
      ...emptyInode,
      mode: Number(stat.mode),
      mtime: stat.mtimeNs,
      xattrs: new Map([...readXattrs(path)].map(([name, value]) => [name, Buffer.from(value)])),
    }
    if (stat.isDirectory()) {
      const names = readdirSync(bytesOf(path), 'latin1').sort()
      // Before its children, so that the root is number 0.
      state.set(number, { ...about, kind: 'directory' })
      state.set(number, {
        ...about,
        kind: 'directory',
        names: new Map(names.map((name) => [name, visit(`${path}/${name}`)])),
      })
    } else if (stat.isSymbolicLink())
      state.set(number, { ...about, kind: 'symlink', data: Buffer.from(readlinkSync(bytesOf(path), 'buffer')) })
    else if (stat.isFile()) state.set(number, { ...about, kind: 'file', data: readFileSync(bytesOf(path)) })
    else state.set(number, { ...about, kind: 'node', device: stat.rdev })
    return number
  }
  visit(directory)
  return state
}

/** Makes what a state says, in a directory that is not there yet. Owners are who does it; times are those that were there before, or now. */
export function lay(state: DiskState, directory: string): void {
  const made = new Map<number, string>()
  const visit = (path: string, number: number): void => {
    const { kind, data, names, xattrs, mode, device, mtime } = state.get(number)!
    const first = made.get(number)
    if (first !== undefined) {
      linkSync(bytesOf(first), bytesOf(path))
      return
    }
    made.set(number, path)
    if (kind === 'directory') {
      mkdirSync(bytesOf(path), { mode: mode & 0o7777 })
      for (const [name, to] of names) visit(`${path}/${name}`, to)
    } else if (kind === 'symlink') symlinkSync(data, bytesOf(path))
    else if (kind === 'file') writeFileSync(bytesOf(path), data, { mode: mode & 0o7777 })
    else {
      const type = Object.entries(kinds).find(([, bits]) => bits === (mode & typeMask))![0] as keyof typeof kinds
      const [major, minor] = [Number(device >> 8n) & 0xfff, Number(device & 0xffn)]
      makeNode(path, { kind: type, mode: mode & 0o777, major, minor })
    }
    for (const [name, value] of xattrs) setXattr(path, name, value)
    if (mtime !== undefined) setTimes(path, { mtime })
  }
  visit(directory, root)
}
