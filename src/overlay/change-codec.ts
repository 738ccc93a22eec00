import type { Change } from './change.ts'
import {
  decodeAttributes,
  decodeContent,
  decodeInode,
  decodeStanding,
  encodeAttributes,
  encodeContent,
  encodeInode,
  hasOpaque,
  hasOwnAccessTime,
  hasRedirect,
  standingFlags,
} from './inode-codec.ts'
import { blocksFeature, extendedFeature } from './log-header.ts'
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

/** What a record of the kind `synced` begins with, so that it is found where records before it are damaged. */
const syncedText = 'synced'
export const syncedPattern = Buffer.from([codes.synced, syncedText.length, ...Buffer.from(syncedText)])

/** Which incompatible features a log needs for a record, since it says what version 1 could not at first (docs/upper-format.md). */
export function featuresOf(change: Change): number {
  switch (change.does) {
    case 'exchange':
      return extendedFeature
    case 'place':
    case 'root':
      return (
        (hasOwnAccessTime(change.inode) ? extendedFeature : 0) |
        (change.inode.content.is === 'blocks' ? blocksFeature : 0)
      )
    case 'content':
      return change.content.is === 'blocks' ? blocksFeature : 0
    case 'attributes':
      return change.change.atime !== undefined ? extendedFeature : 0
    default:
      return 0
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
