import type { ByteString } from '../model/bytes.ts'
import { type Kind, typeBits } from '../model/entry.ts'
import { blockSize } from './superblock.ts'
import type { Walk } from './walk.ts'

export const direntSize = 12

/** EROFS's file types by `st_mode` type bits (erofs_fs.h, EROFS_FT_*), and back. */
const typeOfMode = new Uint8Array(16)
const kindOfType: (Kind | undefined)[] = []
const kindsInOrder = ['file', 'directory', 'character', 'block', 'fifo', 'socket', 'symlink'] as const
kindsInOrder.forEach((kind, number) => {
  typeOfMode[typeBits[kind] >> 12] = number + 1
  kindOfType[number + 1] = kind
})

export const directoryType = 2

function direntType(mode: number): number {
  return typeOfMode[mode >> 12]!
}

export function direntKind(type: number): Kind | undefined {
  return kindOfType[type]
}

/**
 * Packs names[start..end) into blocks: a block takes names as long as they fit. Calls `block` with the range of each
 * and the bytes it uses.
 */
export function packNames(
  names: readonly ByteString[],
  start: number,
  end: number,
  block: (from: number, to: number, used: number) => void,
): void {
  let from = start
  let used = 0
  for (let i = start; i < end; i++) {
    const needed = direntSize + names[i]!.length
    if (used + needed > blockSize) {
      block(from, i, used)
      from = i
      used = 0
    }
    used += needed
  }
  block(from, end, used)
}

/** Writes one directory block, of the names from..to; the buffer there must be zero. `nids` and `modes` are by inode. */
export function encodeBlock(
  into: Buffer,
  view: DataView,
  at: number,
  { names, members }: Pick<Walk, 'names' | 'members'>,
  from: number,
  to: number,
  nids: Uint32Array,
  modes: Uint16Array,
): void {
  let nameAt = (to - from) * direntSize
  for (let i = from, entry = at; i < to; i++, entry += direntSize) {
    const name = names[i]!
    const inode = members[i]!
    view.setUint32(entry, nids[inode]!, true)
    view.setUint16(entry + 8, nameAt, true)
    into[entry + 10] = direntType(modes[inode]!)
    for (let k = 0; k < name.length; k++) into[at + nameAt + k] = name.charCodeAt(k)
    nameAt += name.length
  }
}
