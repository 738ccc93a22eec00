import type { ByteString } from '../model/bytes.ts'
import { badLayer, type Member } from '../tar/index.ts'
import { opaqueMarker, whiteoutPrefix } from './names.ts'
import type { Placement } from './placement.ts'

/** What OCI spells as names that start with `.wh.` (layer-semantics, section 4). */
export class Markers {
  readonly #placement: Placement
  #any = false

  constructor(placement: Placement) {
    this.#placement = placement
  }

  /** A marker called `name` in the directory at `parent`. */
  add(member: Member, parent: ByteString, name: ByteString): void {
    const { findings } = this.#placement
    const removed = name.slice(whiteoutPrefix.length)
    if (removed === '' || removed === '.' || removed === '..') {
      throw badLayer(member.name, 'W-11', 'a whiteout of nothing')
    }
    if (name.startsWith('.wh..wh.') && name !== opaqueMarker) {
      if (parent !== '') throw badLayer(member.name, 'W-15', 'an unknown marker')
      findings.warn(member.name, 'W-15', 'housekeeping of aufs, ignored')
      return
    }
    if (member.type !== '0' || member.size !== 0) {
      findings.warn(member.name, 'W-02', 'a marker that is not an empty regular file')
    }
    this.#any = true
    if (name === opaqueMarker) this.#opaque(member, parent)
    else this.#whiteout(member, parent, removed)
  }

  /** After the last member. */
  finish(): void {
    if (this.#any) this.#placement.prune()
  }

  #opaque(member: Member, parent: ByteString): void {
    const { directory } = this.#placement.arrive(parent, member.name, 'W-13')
    if (!this.#placement.mark(directory)) this.#twice(member)
  }

  #whiteout(member: Member, parent: ByteString, name: ByteString): void {
    const { builder, findings } = this.#placement
    if (name === '__dir_opaque') {
      findings.warn(member.name, 'W-15', 'an opaque marker of the first aufs is an ordinary whiteout')
    }
    if (name.length > 255) throw badLayer(member.name, 'N-08', 'the name it removes is longer than 255 bytes')
    const at = this.#placement.haunt(parent, member.name)
    // Under something that the layer removes or makes opaque there is nothing to remove (W-09).
    if (at.directory === undefined || builder.facts(at.directory).opaque) return
    const existing = builder.child(at.directory, name)
    if (existing !== undefined) {
      const { whiteout, ghost } = builder.facts(existing)
      if (whiteout || (!ghost && !this.#placement.overrule(at.directory, name, existing))) this.#twice(member)
      if (!ghost) return
    }
    const facts = { layer: 0, header: member.header, whiteout: true }
    const inode = builder.inode({ kind: 'character', mode: 0, uid: 0, gid: 0, mtime: 0n, facts })
    builder.enter(at.directory, name, inode)
  }

  #twice(member: Member): void {
    this.#placement.findings.warn(member.name, 'W-18', 'the same marker twice')
  }
}
