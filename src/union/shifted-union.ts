import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { IdMapping } from '../model/id-mapping.ts'
import { MappedTree, type OwnerShift, withOwnersInAcls } from '../stack/mapped-tree.ts'
import type { OnBehalf, WritableUnion } from './union.ts'
import type { AttributeChange, Creation, Room, Unnamed, Upper, WritableBytes } from './upper.ts'

/** Whom the kernel names where there is no number for somebody. */
const nobody = { uid: 65534, gid: 65534 }

/**
 * A union with its owners shifted (layer-semantics O-01, O-02), as a mount with mapped ids shows one: what is read is shifted, also inside
 * access control lists, and what is written is shifted back, so the upper holds the owners of the archive. `lower` and `upper` are the
 * union's own, unshifted. What is in it and outside the mapping belongs to nobody (65534) unless `outside` says otherwise. Closing it
 * closes the union.
 *
 * Besides what the union answers: EOVERFLOW where something new would belong to a number outside the mapping, EINVAL for giving
 * something to one.
 */
export function shiftedUnion(union: WritableUnion, shift: OwnerShift): WritableUnion {
  return new ShiftedUnion(union, shift)
}

class ShiftedUnion extends MappedTree<WritableUnion> implements WritableUnion {
  readonly #uids: IdMapping | undefined
  readonly #gids: IdMapping | undefined

  constructor(union: WritableUnion, shift: OwnerShift) {
    super(union, { ...shift, outside: shift.outside ?? nobody })
    this.#uids = shift.uids?.reversed()
    this.#gids = shift.gids?.reversed()
  }

  get lower() {
    return this.tree.lower
  }

  get upper(): Upper {
    return this.tree.upper
  }

  get locks() {
    return this.tree.locks
  }

  has(ino: number): boolean {
    return this.tree.has?.(ino) ?? true
  }

  takeTimesOfDisk(): void {
    this.tree.takeTimesOfDisk?.()
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    return this.tree.create(directory, name, this.#stored(creation))
  }

  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    options?: OnBehalf & { readonly exclusive?: boolean },
  ): Unnamed {
    return this.tree.unnamed(directory, this.#stored(creation), options)
  }

  link(directory: number, name: ByteString, ino: number): void {
    this.tree.link(directory, name, ino)
  }

  rename(...how: Parameters<WritableUnion['rename']>): void {
    this.tree.rename(...how)
  }

  unlink(directory: number, name: ByteString): void {
    this.tree.unlink(directory, name)
  }

  rmdir(directory: number, name: ByteString): void {
    this.tree.rmdir(directory, name)
  }

  setAttributes(ino: number, change: AttributeChange, on?: OnBehalf): void {
    const { uid, gid } = change
    if (uid === undefined && gid === undefined) {
      this.tree.setAttributes(ino, change, on)
      return
    }
    const owner = {
      ...(uid !== undefined && { uid: back(this.#uids, uid, 'EINVAL') }),
      ...(gid !== undefined && { gid: back(this.#gids, gid, 'EINVAL') }),
    }
    this.tree.setAttributes(ino, { ...change, ...owner }, on)
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const stored = value && this.#withoutShift(new Map([[name, value]]), 'EINVAL').get(name)
    this.tree.setXattr(ino, name, stored)
  }

  writer(ino: number, options?: OnBehalf & { readonly truncate?: boolean }): WritableBytes {
    return this.tree.writer(ino, options)
  }

  hold(ino: number): () => void {
    return this.tree.hold(ino)
  }

  sync(): void {
    this.tree.sync()
  }

  room(): Room {
    return this.tree.room()
  }

  untouched(ino: number): number | undefined {
    return this.tree.untouched(ino)
  }

  #stored<Made extends Creation>(creation: Made): Made {
    const { xattrs } = creation
    return {
      ...creation,
      uid: back(this.#uids, creation.uid, 'EOVERFLOW'),
      gid: back(this.#gids, creation.gid, 'EOVERFLOW'),
      ...(xattrs && { xattrs: this.#withoutShift(xattrs, 'EOVERFLOW') }),
    }
  }

  #withoutShift(xattrs: ReadonlyMap<ByteString, Uint8Array>, code: 'EINVAL' | 'EOVERFLOW') {
    return withOwnersInAcls(xattrs, (which, id) => back(which === 'uid' ? this.#uids : this.#gids, id, code))
  }
}

function back(mapping: IdMapping | undefined, id: number, code: 'EINVAL' | 'EOVERFLOW'): number {
  const found = mapping === undefined ? id : mapping.get(id)
  if (found === undefined) throw new PlyError(code, { syscall: 'chown' })
  return found
}
