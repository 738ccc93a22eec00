import type { ByteString } from '../model/bytes.ts'
import { longestName } from '../union/names.ts'
import type { AttributeChange, Room } from '../union/upper.ts'
import type { Contents } from './contents.ts'
import { refused } from './errnos.ts'
import { aclKillsSetGroup, attributeBits, attributesSize, features, xattrFlags } from './protocol.ts'
import type { Session } from './session.ts'

const setGroup = 0o2000
const accessAcl = 'system.posix_acl_access'
const noRoom: Room = { blockSize: 4096, size: 0n, free: 0n, available: 0n, inodes: 0n, freeInodes: 0n }

/** Requests about inodes, open or not: attributes, extended attributes, targets; and about room. */
export class Facts {
  readonly #session: Session
  readonly #contents: Contents

  constructor(session: Session, contents: Contents) {
    this.#session = session
    this.#contents = contents
  }

  get(): number {
    return this.#attributes(this.#session.ino)
  }

  set(): number {
    const { union, request, ino } = this.#session
    const valid = request.u32(0)
    const bits = attributeBits
    const killSetId = (valid & bits.killSetId) !== 0
    if (valid & bits.size) this.#resize(ino, request.u64(16), valid, killSetId)
    if (valid & (bits.mode | bits.uid | bits.gid | bits.atime | bits.mtime))
      union.setAttributes(ino, this.#change(valid))
    else if (killSetId && !(valid & bits.size)) union.setAttributes(ino, {}, { killSetId })
    return this.#attributes(ino)
  }

  readlink(): number {
    const { tree, reply, ino } = this.#session
    const target = tree.readlink(ino)
    reply.text(0, target)
    return target.length
  }

  statfs(): number {
    const { readOnly, reply } = this.#session
    const { blockSize, size, free, available, inodes, freeInodes } = readOnly ? noRoom : this.#session.union.room()
    const block = BigInt(blockSize)
    reply.u64(0, Number(size / block))
    reply.u64(8, Number(free / block))
    reply.u64(16, Number(available / block))
    reply.u64(24, Number(inodes))
    reply.u64(32, Number(freeInodes))
    reply.u32(40, blockSize)
    reply.u32(44, longestName)
    reply.u32(48, blockSize)
    reply.zeros(52, 28)
    return 80
  }

  getXattr(): number {
    const { tree, request, reply, ino } = this.#session
    const value = tree.xattrs(ino).get(request.text(8))
    if (value === undefined) return refused('ENODATA')
    return this.#sized(value.length, (at) => reply.bytes(at, value.length).set(value))
  }

  listXattrs(): number {
    const { tree, request, reply, ino } = this.#session
    let names: ByteString = ''
    for (const name of tree.xattrs(ino).keys())
      if (request.uid === 0 || !name.startsWith('trusted.')) names += `${name}\0`
    return this.#sized(names.length, (at) => reply.text(at, names))
  }

  setXattr(): number {
    const { union, request, ino, agreed } = this.#session
    const extended = (agreed & features.setXattrExtended) !== 0
    const nameAt = extended ? 16 : 8
    const name = request.text(nameAt)
    const flags = request.u32(4)
    if (flags) {
      const there = union.xattrs(ino).has(name)
      if (flags & xattrFlags.create && there) return refused('EEXIST')
      if (flags & xattrFlags.replace && !there) return refused('ENODATA')
    }
    union.setXattr(ino, name, Buffer.from(request.bytes(nameAt + name.length + 1, request.u32(0))))
    if (extended && request.u32(8) & aclKillsSetGroup && name === accessAcl) {
      const { mode } = union.stat(ino)
      if (mode & setGroup) union.setAttributes(ino, { mode: mode & ~setGroup })
    }
    return 0
  }

  removeXattr(): number {
    const { union, request, ino } = this.#session
    union.setXattr(ino, request.text(0), undefined)
    return 0
  }

  /** Programs change one thing at a time: that gets a shape of its own, since building one by parts takes longer than the change. */
  #change(valid: number): AttributeChange {
    const { request } = this.#session
    const { mode, uid, gid, atime, mtime } = attributeBits
    switch (valid & (mode | uid | gid | atime | mtime)) {
      case mode:
        return { mode: request.u32(68) & 0o7777 }
      case uid | gid:
        return { uid: request.u32(76), gid: request.u32(80) }
      case mtime:
        if (!this.#isNow(valid)) return { mtime: this.#mtime(valid) }
    }
    return {
      ...(valid & mode && { mode: request.u32(68) & 0o7777 }),
      ...(valid & uid && { uid: request.u32(76) }),
      ...(valid & gid && { gid: request.u32(80) }),
      ...(valid & atime && { atime: this.#atime(valid) }),
      ...(valid & mtime && { mtime: this.#mtime(valid) }),
      ...(this.#isNow(valid) && { now: true }),
    }
  }

  #atime(valid: number): bigint {
    const { request, now } = this.#session
    return valid & attributeBits.atimeNow ? now() : request.time(32, 56)
  }

  #mtime(valid: number): bigint {
    const { request, now } = this.#session
    return valid & attributeBits.mtimeNow ? now() : request.time(40, 60)
  }

  /** Whether the times to be set are this moment, and the disk can say which that is. */
  #isNow(valid: number): boolean {
    const { atime, atimeNow, mtime, mtimeNow } = attributeBits
    if ((valid & atime && !(valid & atimeNow)) || (valid & mtime && !(valid & mtimeNow))) return false
    return this.#session.diskGivesTimes
  }

  #resize(ino: number, size: number, valid: number, killSetId: boolean): void {
    if (valid & attributeBits.handle) {
      this.#contents.writer(this.#session.request.u64(8), killSetId).truncate(size)
      return
    }
    const writer = this.#session.union.writer(ino, { killSetId, truncate: size === 0 })
    try {
      if (size > 0) writer.truncate(size)
    } finally {
      writer.close()
    }
  }

  /** `struct fuse_attr_out`. */
  #attributes(ino: number): number {
    const { tree, reply } = this.#session
    const stat = tree.stat(ino)
    reply.u64(0, this.#session.attributesValidFor(stat))
    reply.u64(8, 0)
    reply.attributes(16, stat)
    return 16 + attributesSize
  }

  /** Answers with bytes, or where none are wanted with how many there are. */
  #sized(length: number, put: (at: number) => void): number {
    const { request, reply } = this.#session
    const room = request.u32(0)
    if (room === 0) {
      reply.u32(0, length)
      reply.u32(4, 0)
      return 8
    }
    if (length > room) return refused('ERANGE')
    put(0)
    return length
  }
}
