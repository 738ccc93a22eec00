import { createHash } from 'node:crypto'

/** What an inode of a disk is and holds. Never changed: a change makes another. */
export interface Inode {
  readonly kind: 'file' | 'directory' | 'symlink' | 'node'
  /** Bytes of a file; the target of a symlink. */
  readonly data: Buffer
  /** Names of a directory. */
  readonly names: ReadonlyMap<string, number>
  readonly xattrs: ReadonlyMap<string, Buffer>
  /** Permissions; of a node its type too. */
  readonly mode: number
  readonly device: bigint
  /** Of what was there before anything was recorded, in nanoseconds. */
  readonly mtime?: bigint
}

export const emptyInode: Omit<Inode, 'kind' | 'mode'> = {
  data: Buffer.alloc(0),
  names: new Map(),
  xattrs: new Map(),
  device: 0n,
}

/** All inodes of a disk; `root` is number 0. What no name leads to is as good as gone. */
export type DiskState = ReadonlyMap<number, Inode>

export const root = 0

/** One change of a disk that may or may not have come onto it. */
export type Change = DataChange | AttributeChange | NameChange | MoveChange

/** Bytes of a file. */
export type DataChange =
  | { readonly does: 'write'; readonly inode: number; readonly at: number; readonly bytes: Buffer }
  | { readonly does: 'resize'; readonly inode: number; readonly size: number }
  | { readonly does: 'zero'; readonly inode: number; readonly at: number; readonly size: number }

export type AttributeChange =
  | { readonly does: 'mode'; readonly inode: number; readonly mode: number }
  | { readonly does: 'xattr'; readonly inode: number; readonly name: string; readonly value: Buffer | undefined }

/** One name of a directory now leads somewhere else, or nowhere. */
export interface NameChange {
  readonly does: 'name'
  readonly inode: number
  readonly name: string
  readonly to: number | undefined
}

/** Names that change in one step: a directory has one name at any time, and an exchange is one step. */
export interface MoveChange {
  readonly does: 'move'
  readonly names: readonly Omit<NameChange, 'does'>[]
}

/** The inodes whose sync makes a change durable. */
export const inodesOf = (change: Change): readonly number[] =>
  change.does === 'move' ? [...new Set(change.names.map(({ inode }) => inode))] : [change.inode]

export const isData = (change: Change): change is DataChange =>
  change.does === 'write' || change.does === 'resize' || change.does === 'zero'

/** Makes a change of inodes that are in the map. */
export function apply(state: Map<number, Inode>, change: Change): void {
  if (change.does === 'move') {
    for (const { to } of change.names) if (to !== undefined) forget(state, to)
    for (const { inode, name } of change.names) rename(state, inode, name, undefined)
    for (const { inode, name, to } of change.names) if (to !== undefined) rename(state, inode, name, to)
    return
  }
  const found = state.get(change.inode)!
  switch (change.does) {
    case 'write':
      state.set(change.inode, { ...found, data: written(found.data, change.at, change.bytes) })
      break
    case 'resize':
      state.set(change.inode, { ...found, data: resized(found.data, change.size) })
      break
    case 'zero': {
      const end = Math.min(found.data.length, change.at + change.size)
      if (end > change.at)
        state.set(change.inode, { ...found, data: written(found.data, change.at, Buffer.alloc(end - change.at)) })
      break
    }
    case 'mode':
      state.set(change.inode, { ...found, mode: change.mode })
      break
    case 'xattr': {
      const xattrs = new Map(found.xattrs)
      if (change.value === undefined) xattrs.delete(change.name)
      else xattrs.set(change.name, change.value)
      state.set(change.inode, { ...found, xattrs })
      break
    }
    case 'name':
      rename(state, change.inode, change.name, change.to)
      break
    default:
      change satisfies never
  }
}

function rename(state: Map<number, Inode>, inode: number, name: string, to: number | undefined): void {
  const directory = state.get(inode)!
  if (directory.names.get(name) === to) return
  const names = new Map(directory.names)
  if (to === undefined) names.delete(name)
  else names.set(name, to)
  state.set(inode, { ...directory, names })
}

/** Takes the name away that a directory has, wherever it is. */
function forget(state: Map<number, Inode>, moved: number): void {
  if (state.get(moved)!.kind !== 'directory') return
  for (const [inode, { names }] of state)
    for (const [name, to] of names) if (to === moved) rename(state, inode, name, undefined)
}

function written(data: Buffer, at: number, bytes: Buffer): Buffer {
  const next = resized(data, Math.max(data.length, at + bytes.length))
  bytes.copy(next, at)
  return next
}

function resized(data: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size)
  data.copy(next, 0, 0, size)
  return next
}

const hashes = new WeakMap<Buffer, string>()

/** Says whether two states hold the same, by name; permissions aside, and what is in directories of certain paths. */
export function hashOf(state: DiskState, except: readonly string[] = []): string {
  const hash = createHash('sha256')
  const seen = new Map<number, number>()
  const visit = (path: string, number: number): void => {
    const { kind, data, names, xattrs, device } = state.get(number)!
    const known = seen.get(number)
    if (known !== undefined) {
      hash.update(`${path}\0= ${known}\0`)
      return
    }
    seen.set(number, seen.size)
    let content = hashes.get(data)
    if (content === undefined) hashes.set(data, (content = createHash('sha1').update(data).digest('hex')))
    hash.update(`${path}\0${kind} ${device} ${data.length} ${content}\0`)
    for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1)))
      hash.update(`${name}\0${value.toString('hex')}\0`)
    for (const [name, to] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!except.includes(path)) visit(`${path}/${name}`, to)
    }
  }
  visit('', root)
  return hash.digest('base64')
}
