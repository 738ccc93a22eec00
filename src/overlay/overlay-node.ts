import type { Override } from '../layer/override.ts'
import type { Placed } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** Inodes that another writer made are numbered from here, by their real inode number. */
export const firstForeignInode = 2 ** 48

/** A name in a real directory. */
export interface Place {
  readonly directory: OverlayNode
  readonly name: ByteString
}

/** One inode of an upper in overlayfs's form, as far as it has been seen. */
export interface OverlayNode {
  /** Its number in the union. */
  readonly ino: number
  /** Its number on the disk. */
  readonly real: number
  readonly kind: Kind
  /** Of the real inode that stands for it: another one only where there is an override. */
  readonly realKind: Kind
  /** Where it stands; directories have one place, the root none. */
  readonly places: Place[]
  /** Files: it was made here, so that these are all its places. */
  readonly isOwn: boolean
  /** Directories: what is in it, `undefined` for a whiteout; absent until it has been read. */
  entries: Map<ByteString, OverlayNode | undefined> | undefined
  opaque: boolean
  /** Path of its lower part from the root, where that is not at the same name; of a file: of the content of a metacopy. */
  redirect: ByteString | undefined
  /** The mark says so from the directory that it is in (the kernel writes that): it is wrong in any other. */
  relative: boolean
  /** Was copied up: directories that hold it are marked impure. */
  readonly origin: boolean
  impure: boolean
  /** Files: only attributes were copied up. */
  metacopy: boolean
  /** Of such a copy: some blocks of its content are beside the upper. */
  blocks: boolean
  /** Path in the index directory, which counts as a link on the disk but is no name. */
  index: ByteString | undefined
  /** Directories: may hold whiteouts in the form of marked files (`opaque` is `x`). */
  holdsMarked: boolean
  /** Rootless: the file that carries its xattrs, where it can carry none itself. */
  aside: ByteString | undefined
  /** Rootless: what it is where the real inode cannot be that. */
  override: Override | undefined
}

/** The number of an inode that carries none of ours. */
export function foreignNumber(real: number): number {
  const number = firstForeignInode + real
  if (!Number.isSafeInteger(number)) throw new PlyError('EOVERFLOW', { syscall: 'stat' })
  return number
}

/** An inode as it is before anything but these facts is known. */
export function nodeOf(facts: Pick<OverlayNode, 'ino' | 'real' | 'kind'> & Partial<OverlayNode>): OverlayNode {
  const { ino, real, kind, realKind = kind, places = [], entries, opaque = false, redirect, relative = false } = facts
  const {
    origin = false,
    impure = false,
    metacopy = false,
    blocks = false,
    index,
    holdsMarked = false,
    aside,
    override,
  } = facts
  return {
    ino,
    real,
    kind,
    realKind,
    places,
    isOwn: false,
    entries,
    opaque,
    redirect,
    relative,
    origin,
    impure,
    metacopy,
    blocks,
    index,
    holdsMarked,
    aside,
    override,
  }
}

/** A file of which nothing but this is known: as `nodeOf` has it, said property by property for those that are made by the thousand. */
export function fileNode(ino: number, real: number): OverlayNode {
  return {
    ino,
    real,
    kind: 'file',
    realKind: 'file',
    places: [],
    isOwn: true,
    entries: undefined,
    opaque: false,
    redirect: undefined,
    relative: false,
    origin: false,
    impure: false,
    metacopy: false,
    blocks: false,
    index: undefined,
    holdsMarked: false,
    aside: undefined,
    override: undefined,
  }
}

/** What the upper says at a name of the inode. */
export function placed({ ino, kind, opaque, redirect }: OverlayNode): Placed {
  const entry = { says: 'entry', ino, kind, directory: kind === 'directory', implied: false, opaque } as const
  return redirect === undefined || kind !== 'directory' ? entry : { ...entry, redirect }
}
