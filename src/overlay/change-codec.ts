import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { AttributeChange, Standing } from '../union/upper.ts'
import { type Change, type Content, type InodeFacts, noContent } from './change.ts'
import { damaged, type FieldReader, type FieldWriter } from './record-bytes.ts'

/** The first byte of a record, by change. Numbers are never used again for something else (docs/upper-format.md). */
const codes = {
  place: 1,
  root: 2,
  content: 3,
  link: 4,
  rename: 5,
  forget: 6,
  whiteout: 7,
  opaque: 8,
  attributes: 9,
  xattr: 10,
  counters: 11,
  synced: 12,
  exchange: 13,
} as const satisfies Record<Change['does'], number>

const kinds: readonly Kind[] = ['file', 'directory', 'symlink', 'character', 'block', 'fifo', 'socket']
const contents: readonly Content['is'][] = ['none', 'fresh', 'kept']

/** What a record of the kind `synced` begins with, so that it is found where records before it are damaged. */
const syncedText = 'synced'
export const syncedPattern = Buffer.from([codes.synced, syncedText.length, ...Buffer.from(syncedText)])

/** Bits of the flag byte of an inode. */
const hasOpaque = 1
const hasRedirect = 2
const hasAccessTime = 4

/** Whether a record says what version 1 could not at first: then the log needs the feature `extended` (docs/upper-format.md). */
export function isExtended(change: Change): boolean {
  switch (change.does) {
    case 'exchange':
      return true
    case 'place':
    case 'root':
      return hasOwnAccessTime(change.inode)
    case 'attributes':
      return change.change.atime !== undefined
    default:
      return false
  }
}

export function encodeChange(to: FieldWriter, change: Change): void {
  to.byte(codes[change.does])
  switch (change.does) {
    case 'place':
      to.number(change.directory)
      to.text(change.name)
      encodeInode(to, change.inode)
      return
    case 'root':
      encodeInode(to, change.inode)
      return
    case 'content':
      to.number(change.ino)
      encodeContent(to, change.content)
      return
    case 'link':
      to.number(change.directory)
      to.text(change.name)
      to.number(change.ino)
      return
    case 'rename': {
      const { redirect } = change
      to.byte(
        (change.leave === 'whiteout' ? 4 : 0) |
          (change.opaque ? hasOpaque : 0) |
          (redirect === undefined ? 0 : hasRedirect),
      )
      to.number(change.directory)
      to.text(change.name)
      to.number(change.toDirectory)
      to.text(change.toName)
      if (redirect !== undefined) to.text(redirect)
      return
    }
    case 'exchange':
      to.byte(standingFlags(change.first) | (standingFlags(change.second) << 2))
      to.number(change.directory)
      to.text(change.name)
      to.number(change.toDirectory)
      to.text(change.toName)
      for (const { redirect } of [change.first, change.second]) if (redirect !== undefined) to.text(redirect)
      return
    case 'forget':
    case 'whiteout':
      to.number(change.directory)
      to.text(change.name)
      return
    case 'opaque':
      to.number(change.directory)
      return
    case 'attributes':
      to.number(change.ino)
      encodeAttributes(to, change.change)
      return
    case 'xattr':
      to.number(change.ino)
      to.text(change.name)
      to.byte(change.value === undefined ? 0 : 1)
      if (change.value !== undefined) to.data(change.value)
      return
    case 'counters':
      to.number(change.nextInode)
      to.number(change.nextContent)
      return
    case 'synced':
      to.text(syncedText)
      to.number(change.position)
      return
    default:
      change satisfies never
  }
}

/** @throws PLY_BAD_DOCUMENT for what no version of the format up to this one wrote. */
export function decodeChange(from: FieldReader): Change {
  const code = from.byte()
  switch (code) {
    case codes.place:
      return { does: 'place', directory: from.number(), name: from.text(), inode: decodeInode(from) }
    case codes.root:
      return { does: 'root', inode: decodeInode(from) }
    case codes.content:
      return { does: 'content', ino: from.number(), content: decodeContent(from) }
    case codes.link:
      return { does: 'link', directory: from.number(), name: from.text(), ino: from.number() }
    case codes.rename: {
      const flags = from.byte()
      return {
        does: 'rename',
        leave: flags & 4 ? 'whiteout' : 'nothing',
        opaque: (flags & hasOpaque) !== 0,
        directory: from.number(),
        name: from.text(),
        toDirectory: from.number(),
        toName: from.text(),
        ...(flags & hasRedirect ? { redirect: from.text() } : {}),
      }
    }
    case codes.exchange: {
      const flags = from.byte()
      return {
        does: 'exchange',
        directory: from.number(),
        name: from.text(),
        toDirectory: from.number(),
        toName: from.text(),
        first: decodeStanding(from, flags),
        second: decodeStanding(from, flags >> 2),
      }
    }
    case codes.forget:
      return { does: 'forget', directory: from.number(), name: from.text() }
    case codes.whiteout:
      return { does: 'whiteout', directory: from.number(), name: from.text() }
    case codes.opaque:
      return { does: 'opaque', directory: from.number() }
    case codes.attributes:
      return { does: 'attributes', ino: from.number(), change: decodeAttributes(from) }
    case codes.xattr:
      return {
        does: 'xattr',
        ino: from.number(),
        name: from.text(),
        value: from.byte() === 0 ? undefined : from.data(),
      }
    case codes.counters:
      return { does: 'counters', nextInode: from.number(), nextContent: from.number() }
    case codes.synced:
      from.text()
      return { does: 'synced', position: from.number() }
    default:
      throw damaged(`it holds a change of an unknown kind (${code})`)
  }
}

function encodeInode(to: FieldWriter, inode: InodeFacts): void {
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

function decodeInode(from: FieldReader): InodeFacts {
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

function hasOwnAccessTime(inode: InodeFacts): inode is InodeFacts & { readonly atime: bigint } {
  return inode.atime !== undefined && inode.atime !== inode.mtime
}

function standingFlags({ opaque = false, redirect }: Standing): number {
  return (opaque ? hasOpaque : 0) | (redirect === undefined ? 0 : hasRedirect)
}

function decodeStanding(from: FieldReader, flags: number): Standing {
  return {
    ...(flags & hasOpaque ? { opaque: true } : {}),
    ...(flags & hasRedirect ? { redirect: from.text() } : {}),
  }
}

function encodeContent(to: FieldWriter, content: Content): void {
  to.byte(contents.indexOf(content.is))
  if (content.is !== 'none') to.number(content.number)
}

function decodeContent(from: FieldReader): Content {
  const is = contents[from.byte()]
  if (is === undefined) throw damaged('it holds content of an unknown kind')
  return is === 'none' ? noContent : { is, number: from.number() }
}

function encodeAttributes(to: FieldWriter, { mode, uid, gid, mtime, atime }: AttributeChange): void {
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

function decodeAttributes(from: FieldReader): AttributeChange {
  const set = from.byte()
  return {
    ...(set & 1 ? { mode: from.number() } : {}),
    ...(set & 2 ? { uid: from.number() } : {}),
    ...(set & 4 ? { gid: from.number() } : {}),
    ...(set & 8 ? { mtime: from.time() } : {}),
    ...(set & 16 ? { atime: from.time() } : {}),
  }
}
