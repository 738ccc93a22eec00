import { kindIn } from '../layer/view.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { type Clock, systemClock } from '../union/clock.ts'
import { inherited } from '../union/inheritance.ts'
import type { WritableUnion } from '../union/union.ts'
import type { Creation } from '../union/upper.ts'
import type { Control } from './control.ts'
import { Nodes } from './nodes.ts'
import { entrySize } from './protocol.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

export interface ServingOptions {
  /**
   * Seconds for which the kernel need not ask again about names and attributes. Long is right where nobody else changes the union.
   * Default: a day.
   */
  readonly validFor?: number
  /** Writes are collected by the kernel, which then keeps sizes and modify times itself. Default: false. */
  readonly writebackCache?: boolean
  /** Locks are those of the union (`WritableUnion.locks`), for who shares it with the mount. Default: false, the kernel keeps them. */
  readonly locks?: boolean
  /** Who answers control requests. Default: nobody, they are ENOTTY. */
  readonly control?: Control
  /** Where times come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: Clock
}

const day = 24 * 3600
const setId = 0o6000

/** What all who answer requests share. */
export class Session {
  readonly tree: Tree
  readonly request: Request
  readonly reply: Reply
  readonly nodes: Nodes
  readonly now: Clock
  readonly validFor: number
  /** Bits of `features`. */
  agreed = 0
  /** Whether who only writes goes past the kernel's cache. */
  directWrites = false
  readonly #union: WritableUnion | undefined
  #takesTimesOfDisk = false

  constructor(tree: Tree | WritableUnion, request: Request, reply: Reply, { validFor = day, now }: ServingOptions) {
    this.tree = tree
    this.#union = 'create' in tree ? tree : undefined
    this.request = request
    this.reply = reply
    this.nodes = new Nodes(tree, this.#union)
    this.validFor = validFor
    this.now = now ?? systemClock()
    if (now === undefined && this.#union?.takeTimesOfDisk) {
      this.#union.takeTimesOfDisk()
      this.#takesTimesOfDisk = true
    }
  }

  get readOnly(): boolean {
    return this.#union === undefined
  }

  /** @throws EROFS for a tree without an upper */
  get union(): WritableUnion {
    if (!this.#union) throw new PlyError('EROFS')
    return this.#union
  }

  /** Whether times of this very moment are the upper's to give. */
  get diskGivesTimes(): boolean {
    return this.#takesTimesOfDisk && this.union.upper.givesTimes === true
  }

  /** The union's number of what the request is about. */
  get ino(): number {
    return this.nodes.ino(this.request.node)
  }

  /** Puts an entry for an inode into the answer, which the kernel counts as looked up. Answers with its length. */
  entry(at: number, ino: number, stat: Stat = this.tree.stat(ino)): number {
    this.reply.entry(at, this.nodes.node(ino), stat, this.validFor, this.attributesValidFor(stat))
    this.nodes.told(ino)
    return entrySize
  }

  /** Set-id bits go when somebody writes, without the kernel's being told. */
  attributesValidFor({ mode, kind }: Stat): number {
    return mode & setId && kind === 'file' ? 0 : this.validFor
  }

  /** Something new in a directory, as who asks for it gets it there. */
  creation<K extends Kind>(
    directory: number,
    kind: K,
    mode: number,
    umask: number,
  ): Creation & { readonly kind: K; readonly xattrs?: Xattrs } {
    const { tree, request } = this
    if (kindIn(tree, directory) !== 'directory') throw new PlyError('ENOTDIR')
    const parent = { stat: tree.stat(directory), xattrs: tree.xattrs(directory) }
    const maker = { uid: request.uid, gid: request.gid, umask }
    const { xattrs, uid, gid, mode: narrowed } = inherited(parent, kind, mode & 0o7777, maker)
    const creation = { kind, mode: narrowed, uid, gid, mtime: this.now(), now: this.diskGivesTimes }
    return xattrs ? { ...creation, xattrs } : creation
  }
}
