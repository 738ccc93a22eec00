import type { IndexBuilder } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import { badLayer, type Member } from '../tar/index.ts'
import { freshInode } from './fresh-inode.ts'
import { Hardlinks } from './hardlinks.ts'
import { type LayerLimits, overBudget } from './limits.ts'
import { Markers } from './markers.ts'
import { cleanName, legacyLinks, whiteoutPrefix } from './names.ts'
import { Placement } from './placement.ts'
import type { Findings } from './report.ts'
import { Spill } from './spill.ts'
import type { Arrival } from './walk.ts'

/**
 * The meaning of a layer's members, put into an index in the making (layer-semantics, sections 2 to 6): names are
 * cleaned and resolved, markers become whiteouts and opaque directories, hardlinks are bound. Members are added in
 * the order of the archive; then `finish` is called once.
 *
 * Everything throws PLY_BAD_LAYER with the rule that is broken, and PLY_BUDGET.
 */
export class LayerTree {
  /** The content of sparse files. */
  readonly spill: Spill
  readonly #findings: Findings
  readonly #limits: LayerLimits
  readonly #placement: Placement
  readonly #hardlinks: Hardlinks
  readonly #markers: Markers
  #logicalSize = 0
  /** The last file with content: where an archive may end early. */
  #lastFile: { readonly inode: number; readonly size: number; readonly at: number } | undefined

  constructor(findings: Findings, limits: LayerLimits) {
    this.#findings = findings
    this.#limits = limits
    this.spill = new Spill(limits)
    this.#placement = new Placement(findings, limits)
    this.#hardlinks = new Hardlinks(this.#placement)
    this.#markers = new Markers(this.#placement)
  }

  get builder(): IndexBuilder {
    return this.#placement.builder
  }

  /** Whether what is below decides what some of its names mean: it has links to there, or directories without entries. */
  get refersBelow(): boolean {
    return this.#placement.implies || this.#hardlinks.linksBelow
  }

  /** Whether it has hardlinks to files of other layers (H-06). Known once it is finished. */
  get linksBelow(): boolean {
    return this.#hardlinks.linksBelow
  }

  add(member: Member): void {
    const { name } = member
    if (++this.#findings.entries > this.#limits.entries) {
      throw overBudget(name, 'the number of entries', this.#limits, 'entries')
    }
    this.#logicalSize += member.size
    if (this.#logicalSize > this.#limits.logicalSize) {
      throw overBudget(name, 'the size of all files', this.#limits, 'logicalSize')
    }
    for (const { rule, text, times } of member.warnings) this.#findings.warn(name, rule, text, times)

    const path = cleanName(name, () =>
      this.#findings.warn(name, 'N-03', 'its name has an inner .., which was resolved'),
    )
    if (path === undefined) throw badLayer(name, 'N-02', 'its name leads out of the root')
    if (path === '') {
      if (member.type !== '5') throw badLayer(name, 'N-04', 'only a directory can be the root')
      this.#describe(this.builder.root, member)
      return
    }
    if (member.windows && /^(?:Files|Hives|UtilityVM)(?:\/|$)/.test(path)) {
      throw badLayer(name, 'T-10', 'this is a layer for Windows, which plyfs does not read')
    }
    const slash = path.lastIndexOf('/')
    const parent = slash < 0 ? '' : path.slice(0, slash)
    const last = slash < 0 ? path : path.slice(slash + 1)
    if (path.startsWith(`${legacyLinks}/`)) this.#hardlinks.legacy(member, path, () => this.#inode(member))
    else if (last.startsWith(whiteoutPrefix)) this.#markers.add(member, parent, last)
    else this.#entry(member, this.#placement.arrive(parent, name), last)
  }

  /** After the last member; the tar has so many bytes. */
  finish(tarSize: number): void {
    this.#hardlinks.finish()
    this.#markers.finish()
    const last = this.#lastFile
    // The kernel reads no block that the tar does not fill: a file that ends in one gets a place where all of them are.
    const filled = tarSize - (tarSize % 512)
    if (last !== undefined && last.at + last.size > filled) {
      this.builder.setExtent(last.inode, this.spill.placeWhole(last.size, last.at))
    }
  }

  #entry(member: Member, at: Arrival, name: ByteString): void {
    if (at.depth >= this.#limits.depth) throw overBudget(member.name, 'its path', this.#limits, 'depth')
    if (name.length > 255) throw badLayer(member.name, 'N-08', 'its name is longer than 255 bytes')
    if (member.type === '5') {
      this.#directory(member, at, name)
      return
    }
    const inode = member.type === '1' ? this.#hardlinks.resolve(member, at, name) : this.#inode(member)
    this.#placement.put(at.directory, name, inode, member.name)
    this.#hardlinks.entered(at, name, inode, member.name)
  }

  #directory(member: Member, at: Arrival, name: ByteString): void {
    const existing = this.builder.child(at.directory, name)
    if (existing !== undefined && this.builder.kind(existing) === 'directory') this.#describe(existing, member)
    else this.#placement.putDirectory(at.directory, name, member.name, (opaque) => this.#inode(member, opaque))
    this.#hardlinks.enteredDirectory(at, name, member.name)
  }

  /** An entry for a directory that is there: attributes are replaced, names stay. */
  #describe(inode: number, member: Member): void {
    const { header, opaque } = this.builder.facts(inode)
    if (header !== undefined) this.#placement.duplicate(member.name)
    this.builder.setInode(inode, this.#fresh(member, opaque))
  }

  #inode(member: Member, opaque = false): number {
    const fresh = this.#fresh(member, opaque)
    const inode = this.builder.inode(fresh)
    if (fresh.extent?.device === 0) this.#lastFile = { inode, size: member.size, at: fresh.extent.offset }
    return inode
  }

  #fresh(member: Member, opaque: boolean) {
    const warn = (rule: string, text: string) => this.#findings.warn(member.name, rule, text)
    return freshInode(member, opaque, this.#limits, this.spill, warn)
  }
}
