import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { AttributeChange, Standing } from '../union/upper.ts'
import { type Content, type InodeFacts, inBlocks, isFiled, noContent } from './change.ts'
import { damaged, type FieldReader, type FieldWriter } from './record-bytes.ts'

const kinds: readonly Kind[] = ['file', 'directory', 'symlink', 'character', 'block', 'fifo', 'socket']
const contents: readonly Content['is'][] = ['none', 'fresh', 'kept', 'blocks']

/** Bits of the flag byte of an inode. */
export const hasOpaque = 1
export const hasRedirect = 2
const hasAccessTime = 4

export function encodeInode(to: FieldWriter, inode: InodeFacts): void {
  to.number(inode.ino)
  to.byte(kinds.indexOf(inode.kind))
  to.byte(standingFlags(inode) | (hasOwnAccessTime(inode) ? hasAccessTime : 0))
  to.number(inode.mode)
  to.number(inode.uid)
  to.number(inode.gid)
  to.time(inode.mtime)
  if (hasOwnAccessTime(inode)) to.time(inode.atime)
  if (inode.kind === 'file') encodeContent(to, inode.content)
  if (inode.kind === 'symlink') to.text(inode.target ?? '')
  if (inode.kind === 'character' || inode.kind === 'block') {
    to.number(inode.major ?? 0)
    to.number(inode.minor ?? 0)
  }
  if (inode.redirect !== undefined) to.text(inode.redirect)
  to.number(inode.xattrs?.size ?? 0)
  for (const [name, value] of inode.xattrs ?? []) {
    to.text(name)
    to.data(value)
  }
}

export function decodeInode(from: FieldReader): InodeFacts {
  const ino = from.number()
  const kind = kinds[from.byte()]
  if (kind === undefined) throw damaged('it holds an inode of an unknown kind')
  const flags = from.byte()
  const attributes = { mode: from.number(), uid: from.number(), gid: from.number(), mtime: from.time() }
  const atime = flags & hasAccessTime ? from.time() : undefined
  const content = kind === 'file' ? decodeContent(from) : noContent
  const target = kind === 'symlink' ? from.text() : undefined
  const device = kind === 'character' || kind === 'block' ? { major: from.number(), minor: from.number() } : undefined
  const redirect = flags & hasRedirect ? from.text() : undefined
  const count = from.number()
  let xattrs: Map<ByteString, Uint8Array> | undefined
  if (count > 0) {
    xattrs = new Map()
    for (let i = 0; i < count; i++) xattrs.set(from.text(), from.data())
  }
  return {
    ino,
    kind,
    ...attributes,
    ...(atime === undefined ? {} : { atime }),
    content,
    ...(flags & hasOpaque ? { opaque: true } : {}),
    ...(target === undefined ? {} : { target }),
    ...device,
    ...(redirect === undefined ? {} : { redirect }),
    ...(xattrs === undefined ? {} : { xattrs }),
  }
}

export function hasOwnAccessTime(inode: InodeFacts): inode is InodeFacts & { readonly atime: bigint } {
  return inode.atime !== undefined && inode.atime !== inode.mtime
}

export function standingFlags({ opaque = false, redirect }: Standing): number {
  return (opaque ? hasOpaque : 0) | (redirect === undefined ? 0 : hasRedirect)
}

export function decodeStanding(from: FieldReader, flags: number): Standing {
  return {
    ...(flags & hasOpaque ? { opaque: true } : {}),
    ...(flags & hasRedirect ? { redirect: from.text() } : {}),
  }
}

export function encodeContent(to: FieldWriter, content: Content): void {
  to.byte(contents.indexOf(content.is))
  if (isFiled(content)) to.number(content.number)
}

export function decodeContent(from: FieldReader): Content {
  const is = contents[from.byte()]
  if (is === undefined) throw damaged('it holds content of an unknown kind')
  if (is === 'none') return noContent
  return is === 'blocks' ? inBlocks : { is, number: from.number() }
}

export function encodeAttributes(to: FieldWriter, { mode, uid, gid, mtime, atime }: AttributeChange): void {
  to.byte(
    (mode === undefined ? 0 : 1) |
      (uid === undefined ? 0 : 2) |
      (gid === undefined ? 0 : 4) |
      (mtime === undefined ? 0 : 8) |
      (atime === undefined ? 0 : 16),
  )
  if (mode !== undefined) to.number(mode)
  if (uid !== undefined) to.number(uid)
  if (gid !== undefined) to.number(gid)
  if (mtime !== undefined) to.time(mtime)
  if (atime !== undefined) to.time(atime)
}

export function decodeAttributes(from: FieldReader): AttributeChange {
  const set = from.byte()
  return {
    ...(set & 1 ? { mode: from.number() } : {}),
    ...(set & 2 ? { uid: from.number() } : {}),
    ...(set & 4 ? { gid: from.number() } : {}),
    ...(set & 8 ? { mtime: from.time() } : {}),
    ...(set & 16 ? { atime: from.time() } : {}),
  }
}
