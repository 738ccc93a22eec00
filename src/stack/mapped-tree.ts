import { kindIn } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type IdMapping, unmappedId } from '../model/id-mapping.ts'
import type { Tree } from './tree.ts'

/** How owners are shifted (layer-semantics O-01, O-02). What is absent is left as it is. */
export interface OwnerShift {
  readonly uids?: IdMapping | undefined
  readonly gids?: IdMapping | undefined
  /**
   * What happens to a number outside the mapping: `refuse` names path and number (the default), `record` leaves
   * `unmappedId`, which a writer counts as an owner that the host refused (O-04), an owner takes its place.
   */
  readonly outside?: 'refuse' | 'record' | { readonly uid: number; readonly gid: number } | undefined
}

/**
 * A tree with its owners shifted, also those inside access control lists (layer-semantics X-06). Numbers of inodes,
 * names and contents are the tree's own; closing closes it.
 *
 * Every question about attributes throws PLY_UNREPRESENTABLE for a number outside the mapping, unless told otherwise.
 */
export function mappedTree(tree: Tree, shift: OwnerShift): Tree {
  return new MappedTree(tree, shift)
}

/** Numbers in an access control list: after a version of 4 bytes, entries of tag (2), permissions (2), number (4). */
const aclNames: readonly ByteString[] = ['system.posix_acl_access', 'system.posix_acl_default']
const aclUser = 0x02
const aclGroup = 0x08

/** Attributes with the numbers inside access control lists changed (layer-semantics X-06); the same map if there are none. */
export function withOwnersInAcls(xattrs: Xattrs, changed: (which: 'uid' | 'gid', id: number) => number): Xattrs {
  let result: Map<ByteString, Uint8Array> | undefined
  for (const name of aclNames) {
    const value = xattrs.get(name)
    if (value === undefined) continue
    result ??= new Map(xattrs)
    result.set(name, withOwnersInAcl(value, changed))
  }
  return result ?? xattrs
}

function withOwnersInAcl(value: Uint8Array, changed: (which: 'uid' | 'gid', id: number) => number): Uint8Array {
  const copy = Buffer.from(value)
  for (let at = 4; at + 8 <= copy.length; at += 8) {
    const tag = copy.readUInt16LE(at)
    if (tag !== aclUser && tag !== aclGroup) continue
    copy.writeUInt32LE(changed(tag === aclUser ? 'uid' : 'gid', copy.readUInt32LE(at + 4)), at + 4)
  }
  return copy
}

/** What `mappedTree` answers. */
export class MappedTree<Seen extends Tree = Tree> implements Tree {
  readonly root: number
  protected readonly tree: Seen
  readonly #shift: OwnerShift

  constructor(tree: Seen, shift: OwnerShift) {
    this.root = tree.root
    this.tree = tree
    this.#shift = shift
  }

  /** Asked each time: a container that is kept or gone back stands on other trees from then on. */
  get place(): Tree['place'] {
    const { tree } = this
    return tree.place && ((ino) => tree.place!(ino))
  }

  get digests(): Tree['digests'] {
    return this.tree.digests
  }

  kind(ino: number): Kind {
    return kindIn(this.tree, ino)
  }

  lookup(directory: number, name: ByteString) {
    return this.tree.lookup(directory, name)
  }

  list(directory: number) {
    return this.tree.list(directory)
  }

  parent(directory: number) {
    return this.tree.parent(directory)
  }

  readlink(ino: number) {
    return this.tree.readlink(ino)
  }

  open(ino: number) {
    return this.tree.open(ino)
  }

  close() {
    this.tree.close()
  }

  stat(ino: number): Stat {
    const stat = this.tree.stat(ino)
    const uid = this.#shifted('uid', stat.uid, ino)
    const gid = this.#shifted('gid', stat.gid, ino)
    return uid === stat.uid && gid === stat.gid ? stat : { ...stat, uid, gid }
  }

  xattrs(ino: number): Xattrs {
    return this.shifted(this.tree.xattrs(ino), ino)
  }

  protected shifted(xattrs: Xattrs, ino: number): Xattrs {
    return withOwnersInAcls(xattrs, (which, id) => this.#shifted(which, id, ino))
  }

  #shifted(which: 'uid' | 'gid', id: number, ino: number): number {
    const mapping = this.#shift[which === 'uid' ? 'uids' : 'gids']
    if (mapping === undefined) return id
    const found = mapping.get(id)
    if (found !== undefined) return found
    const { outside = 'refuse' } = this.#shift
    if (outside === 'record') return unmappedId
    if (outside !== 'refuse') return outside[which]
    const kind = which === 'uid' ? 'user' : 'group'
    throw new PlyError('PLY_UNREPRESENTABLE', {
      path: `/${displayText(this.#pathOf(ino) ?? '')}`,
      where: 'the mapping of owners',
      reason: `it belongs to ${kind} ${id}, for whom there is no number there; map it, or say what takes its place (O-02)`,
    })
  }

  /** The first name of an inode. Only for messages: it looks everywhere. */
  #pathOf(ino: number): ByteString | undefined {
    const waiting = [{ directory: this.root, path: '' }]
    const seen = new Set<number>()
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (at.directory === ino) return at.path
      if (seen.has(at.directory)) continue
      seen.add(at.directory)
      for (const entry of this.tree.list(at.directory)) {
        const path = at.path === '' ? entry.name : `${at.path}/${entry.name}`
        if (entry.ino === ino) return path
        if (entry.kind === 'directory') waiting.push({ directory: entry.ino, path })
      }
    }
    return undefined
  }
}
