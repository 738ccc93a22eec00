import type { NewInode } from '../erofs/index.ts'
import { badLayer, type Member } from '../tar/index.ts'
import type { LayerLimits } from './limits.ts'
import type { Spill } from './spill.ts'
import { importedXattrs } from './xattr-rules.ts'

const kinds = { '3': 'character', '4': 'block', '6': 'fifo' } as const

/** Longest symlink text that a kernel takes. */
const targetLimit = 4095

/**
 * The inode that a member describes; a hardlink describes none. Sparse content finds its place in the spill.
 *
 * @throws PLY_BAD_LAYER F-08 for a symlink text that no kernel takes, and what the attributes deserve.
 */
export function freshInode(
  member: Member,
  opaque: boolean,
  limits: LayerLimits,
  spill: Spill,
  warn: (rule: string, text: string) => void,
): NewInode {
  const { type, mode, uid, gid, mtime, size, name, linkName, sparse } = member
  const facts = { layer: 0, header: member.header, opaque, implied: false, ghost: false, whiteout: false }
  const common = { uid, gid, mtime, xattrs: importedXattrs(member.xattrs, name, limits, warn), facts }
  switch (type) {
    case '0':
    case '1':
      if (size === 0) return { kind: 'file', mode, size, ...common }
      if (sparse !== undefined) {
        const extent = spill.place(name, size, sparse)
        return { kind: 'file', mode, size, ...(extent && { extent }), ...common }
      }
      return { kind: 'file', mode, size, extent: { device: 0, offset: member.data }, ...common }
    case '2':
      if (linkName === '') throw badLayer(name, 'F-08', 'a symlink without a target')
      if (linkName.length > targetLimit) {
        throw badLayer(name, 'F-08', `a symlink of ${linkName.length} bytes; no kernel takes more than ${targetLimit}`)
      }
      return { kind: 'symlink', mode: 0o777, target: linkName, ...common }
    case '5':
      return { kind: 'directory', mode, ...common }
    default:
      return { kind: kinds[type], mode, major: member.major, minor: member.minor, ...common }
  }
}
