import type { ByteString } from '../model/bytes.ts'
import { badLayer, type Member } from '../tar/index.ts'
import { LateLinks, type Waiting } from './late-links.ts'
import { overBudget } from './limits.ts'
import { cleanName, join, legacyLinks, whiteoutPrefix } from './names.ts'
import type { Placement } from './placement.ts'
import { type Arrival, type Steps, walk } from './walk.ts'

interface Target {
  /** From the root, symlinks among the parents followed (H-02). */
  readonly path: ByteString
  /** `undefined` if the layer does not have it, so far. */
  readonly inode: number | undefined
}

/** Binds the hardlinks of a layer to inodes (layer-semantics, section 5). */
export class Hardlinks {
  readonly #placement: Placement
  readonly #late: LateLinks
  /** Whether there are links to what is only below (H-06). */
  linksBelow = false
  /** By path: inodes in the folder where aufs kept them (W-16). */
  readonly #legacy = new Map<ByteString, number>()

  constructor(placement: Placement) {
    this.#placement = placement
    this.#late = new LateLinks(placement.builder)
  }

  /** The inode that a link at a name shares; one that stands in for it if it is not there yet. */
  resolve(member: Member, at: Arrival, name: ByteString): number {
    const { builder } = this.#placement
    const { path, inode } = this.#target(member)
    if (path === join(at.path, name)) throw badLayer(member.name, 'H-03', 'a hardlink to itself')
    if (inode === undefined) return this.#late.placeholder(path)
    if (builder.kind(inode) === 'directory') throw badLayer(member.name, 'H-03', 'a hardlink to a directory')
    if (!this.#late.isPlaceholder(inode)) this.#compare(member, inode)
    return inode
  }

  /** Something that is not a directory was put at a name: links before it may have waited for it (H-05). */
  entered(at: Arrival, name: ByteString, inode: number, entry: ByteString): void {
    if (this.#late.size === 0) return
    this.#late.enter(inode, at.directory, name, entry)
    this.#appeared(join(at.path, name), inode, entry)
  }

  /** A directory was put at a name. @throws PLY_BAD_LAYER H-03 if a link before it waited for it. */
  enteredDirectory(at: Arrival, name: ByteString, entry: ByteString): void {
    if (this.#late.size === 0) return
    const waiting = this.#late.take(join(at.path, name))
    if (waiting !== undefined && waiting.names.length > 0) {
      throw badLayer(entry, 'H-03', 'a hardlink before it names this directory as its target')
    }
  }

  /** An entry of aufs's folder: content for links, never a name. `make` is called for a file. */
  legacy(member: Member, path: ByteString, make: () => number): void {
    const inode = member.type === '0' ? make() : member.type === '1' ? this.#target(member).inode : undefined
    if (inode === undefined) {
      this.#placement.findings.warn(member.name, 'W-16', 'ignored')
      return
    }
    this.#legacy.set(path, inode)
    if (this.#late.size > 0) this.#appeared(path, inode, member.name)
  }

  /** After the last member: what is still waited for must be below (H-06). */
  finish(): void {
    for (const path of this.#late.paths()) this.#settle(path)
  }

  #target(member: Member): Target {
    const { findings, limits } = this.#placement
    const inner = () =>
      findings.warn(member.name, 'N-03', 'the target of the hardlink has an inner .., which was resolved')
    const path = cleanName(member.linkName, inner)
    if (path === undefined) throw badLayer(member.name, 'H-01', 'the target of the hardlink leads out of the root')
    if (path === '') throw badLayer(member.name, 'H-03', 'a hardlink to the root')
    // Targets that are only below are kept as text: they are held to what a path may be.
    const components = path.split('/')
    if (components.length > limits.depth) throw overBudget(member.name, 'the target of the hardlink', limits, 'depth')
    if (components.some((component) => component.length > 255)) {
      throw badLayer(member.name, 'N-08', 'a component of the target of the hardlink is longer than 255 bytes')
    }
    if (path.startsWith(`${legacyLinks}/`)) return { path, inode: this.#legacy.get(path) }
    if (path.slice(path.lastIndexOf('/') + 1).startsWith(whiteoutPrefix)) {
      throw badLayer(member.name, 'H-12', 'a hardlink to a whiteout')
    }
    return this.#find(path, member.name)
  }

  /** What the layer has at a path so far. Ghosts and whiteouts are nothing. */
  #find(path: ByteString, entry: ByteString): Target {
    const { builder, limits } = this.#placement
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    const arrival = walk(builder, slash < 0 ? '' : path.slice(0, slash), entry, limits, looking)
    const resolved = join(arrival.path, name)
    const inode = arrival.directory === undefined ? undefined : builder.child(arrival.directory, name)
    if (inode === undefined) return { path: resolved, inode }
    const kind = builder.kind(inode)
    if (kind !== 'directory' && kind !== 'character') return { path: resolved, inode }
    const { ghost, whiteout } = builder.facts(inode)
    return { path: resolved, inode: ghost || whiteout ? undefined : inode }
  }

  #compare(member: Member, inode: number): void {
    const { builder, findings } = this.#placement
    const { mode, uid, gid, mtime } = builder.attributes(inode)
    const same =
      (mode === member.mode || builder.kind(inode) === 'symlink') &&
      uid === member.uid &&
      gid === member.gid &&
      mtime === member.mtime
    if (!same) findings.warn(member.name, 'H-07', 'its attributes differ from those of its target, which count')
  }

  #appeared(path: ByteString, inode: number, entry: ByteString): void {
    const waiting = this.#late.take(path)
    if (waiting === undefined) return
    if (waiting.placeholder === inode) throw circular(entry)
    this.#bind(waiting, inode)
  }

  #bind({ names }: Waiting, inode: number): void {
    for (const { directory, name, entry } of names) {
      this.#placement.builder.enter(directory, name, inode)
      this.#late.enter(inode, directory, name, entry)
      this.#placement.findings.warn(entry, 'H-05', 'the target of the hardlink comes after it')
    }
  }

  /** A target that never came by its name: perhaps by way of a symlink made later, else it must be below. */
  #settle(path: ByteString): void {
    const { builder } = this.#placement
    const waiting = this.#late.take(path)
    const entry = waiting?.names[0]?.entry
    if (waiting === undefined || entry === undefined) return
    if (path.startsWith(`${legacyLinks}/`)) {
      throw badLayer(entry, 'H-06', 'the target of the hardlink is not in the layer and cannot be below')
    }
    const { inode } = this.#find(path, entry)
    if (inode === waiting.placeholder) throw circular(entry)
    if (inode === undefined) {
      this.linksBelow = true
      for (const { directory, name } of waiting.names) builder.externalLink({ directory, name, path })
    } else if (builder.kind(inode) === 'directory') {
      throw badLayer(entry, 'H-03', 'a hardlink to a directory')
    } else this.#bind(waiting, inode)
  }
}

/** Steps that only look. */
const looking: Steps = {
  missing: () => undefined,
  whiteout: () => undefined,
  directory: () => true,
  obstacle: () => undefined,
}

function circular(entry: ByteString) {
  return badLayer(entry, 'H-03', 'hardlinks that only point at each other')
}
