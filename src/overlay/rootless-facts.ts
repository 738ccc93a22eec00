import type { Marks } from '../layer/overlay-marks.ts'
import { encodeOverride, type Override } from '../layer/override.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat } from '../model/entry.ts'
import { kindOf } from '../model/entry.ts'
import { codeOf } from '../model/errors.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import { accessAcl, isAcl } from '../union/acl.ts'
import { type AttributeChange, type Creation, firstNewInode } from '../union/upper.ts'
import type { Asides } from './asides.ts'
import type { OverlayNode } from './overlay-node.ts'
import { type Dress, isRefusal, RealFacts, storing } from './real-facts.ts'
import { statOf } from './real-stat.ts'
import type { Spot, UpperDisk } from './upper-disk.ts'

/** What an inode is to be. */
type Facts = Pick<Creation, 'uid' | 'gid' | 'mode'> & {
  readonly kind: Kind
  readonly major: number
  readonly minor: number
}

/**
 * The facts of inodes of a rootless upper: what this process may set is set, and the rest is in the override xattr that the
 * rootless tools share. Devices that may not be made are empty files then. Symlinks, fifos and sockets are real, with their xattrs
 * in a file aside.
 */
export class RootlessFacts extends RealFacts {
  readonly #asides: Asides
  readonly #uid = process.geteuid?.() ?? 0
  readonly #groups: ReadonlySet<number> = new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])])

  constructor(disk: UpperDisk, marks: Marks, asides: Asides) {
    super(disk, marks)
    this.#asides = asides
  }

  override makeNode(path: ByteString, creation: Creation): void {
    const { kind, major = 0, minor = 0 } = creation
    const isDevice = kind === 'character' || kind === 'block'
    // Only root has devices, and a device 0:0 that is data must not be a whiteout.
    if (!isDevice || (this.#isRoot && (major !== 0 || minor !== 0))) {
      try {
        super.makeNode(path, creation)
        return
      } catch (error) {
        // A user namespace makes no devices, and some disks nothing of the kind.
        if (!isRefusal(error)) throw error
      }
    }
    this.disk.close(this.disk.open(path, 'wx', 0o600))
  }

  /** Who may not write an inode sets no xattrs of it. */
  override firstMode({ kind }: Creation): number {
    return kind === 'directory' ? 0o700 : 0o600
  }

  override dress(at: Spot, creation: Creation, own: ReadonlyMap<ByteString, Uint8Array>): Dress {
    const { mtime, atime = mtime } = creation
    const kind = typeof at === 'number' ? 'file' : (kindOf(this.disk.lstat(at).mode) ?? 'file')
    const aside = carriesXattrs(kind) ? undefined : this.#asides.make(this.disk.lstatExact(at as ByteString))
    const carrier = aside ?? at
    const { uid, gid, mode, major = 0, minor = 0 } = creation
    const facts: Facts = { uid, gid, mode, kind: creation.kind, major, minor }
    const override = this.#own(at, kind, facts) ? undefined : facts
    if (override) storing(() => this.disk.setXattr(carrier, this.#name, encodeOverride(override)))
    for (const [name, value] of creation.xattrs ?? [])
      this.#storeXattr(carrier, name, value, creation.kind, this.#isBare(name, aside, override))
    for (const [name, value] of own) storing(() => this.disk.setXattr(carrier, name, value))
    if (kind !== 'symlink') this.disk.chmod(at, override ? withinReach(kind, mode) : mode)
    if (!creation.now) this.disk.setTimes(at, { mtime, atime })
    return { realKind: kind, aside, override }
  }

  /** What was given to another one before, its number in the user namespace says nothing of. */
  override isBornWith(creation: Creation): boolean {
    return super.isBornWith(creation) && isWithinReach('file', creation.mode)
  }

  override stat(node: OverlayNode, real: ExactStat): Stat {
    const stat = statOf(node.ino, real, node.index !== undefined)
    if (!node.override) return stat
    const { uid, gid, mode, kind = stat.kind, major, minor } = node.override
    return { ...stat, kind, mode, uid, gid, major, minor, size: kind === 'file' || kind === 'symlink' ? stat.size : 0 }
  }

  override change(node: OverlayNode, path: ByteString, change: AttributeChange): void {
    const { uid, gid, mode } = change
    if (uid !== undefined || gid !== undefined || mode !== undefined) {
      const before = this.stat(node, this.disk.exactStat(path))
      this.#become(node, path, {
        ...before,
        uid: uid ?? before.uid,
        gid: gid ?? before.gid,
        mode: node.kind === 'symlink' ? before.mode : (mode ?? before.mode),
      })
    }
    this.changeTimes(path, change)
  }

  override begin(root: OverlayNode, path: ByteString): void {
    if (!this.#isRoot) this.#overrideBy(root, path, this.stat(root, this.disk.exactStat(path)))
  }

  override setXattr(node: OverlayNode, path: ByteString, name: ByteString, value: Uint8Array | undefined): void {
    const carrier = value === undefined ? this.carrier(node, path) : this.#carrierFor(node, path)
    if (carrier === undefined) return
    if (value !== undefined) {
      this.#storeXattr(carrier, name, value, node.kind, this.#isBare(name, node.aside, node.override))
      return
    }
    const guarded = this.marks.guarded(name)
    if (guarded !== undefined) this.dropXattr(carrier, guarded)
    // Nobody else may have set it on the inode itself.
    if (guarded === undefined || (this.#isRoot && node.aside === undefined))
      this.dropXattr(carrier, this.marks.stored(name, node.kind))
  }

  override setMark(node: OverlayNode, path: ByteString, mark: ByteString, value: Uint8Array): void {
    const carrier = this.#carrierFor(node, path)
    storing(() => this.disk.setXattr(carrier, mark, value))
  }

  override carrier(node: OverlayNode, path: ByteString): ByteString | undefined {
    return node.aside ?? (carriesXattrs(node.realKind) ? path : undefined)
  }

  /** What another process of this user left closed to its owner, who then needs the override to open it. */
  override reach(node: OverlayNode, path: ByteString): boolean {
    const real = this.disk.exactStat(path)
    if (this.#isRoot || real.uid !== this.#uid) return false
    if (isWithinReach(node.realKind, real.mode)) return false
    // An xattr takes permission to write.
    this.disk.chmod(path, withinReach(node.realKind, real.mode))
    this.#become(node, path, this.stat(node, real))
    return true
  }

  get #isRoot(): boolean {
    return this.#uid === 0
  }

  get #name(): ByteString {
    return this.marks.override!
  }

  /** Makes an inode that is there what it is to be, in one step as far as anybody sees who knows the override. */
  #become(node: OverlayNode, path: ByteString, facts: Facts): void {
    const kind = node.realKind
    if (this.#own(path, kind, facts, node)) {
      const carrier = this.carrier(node, path)
      if (!node.override || carrier === undefined) return
      if (node.ino === firstNewInode) this.#overrideBy(node, carrier, facts)
      else {
        this.dropXattr(carrier, this.#name)
        node.override = undefined
      }
      return
    }
    const carrier = this.#carrierFor(node, path)
    this.#guardAcl(carrier, kind)
    this.#overrideBy(node, carrier, facts)
    if (kind !== 'symlink') this.disk.chmod(path, withinReach(kind, facts.mode))
  }

  #overrideBy(node: OverlayNode, carrier: ByteString, { uid, gid, mode, kind, major, minor }: Facts): void {
    const override: Override & { readonly kind: Kind } = { uid, gid, mode, kind, major, minor }
    storing(() => this.disk.setXattr(carrier, this.#name, encodeOverride(override)))
    node.override = override
  }

  /** Gives the real inode its owner, if it can be what it stands for; answers whether it can. */
  #own(at: Spot, kind: Kind, facts: Facts, node?: OverlayNode): boolean {
    if (kind !== facts.kind) return false
    if (!this.#isRoot && !(facts.uid === this.#uid && this.#groups.has(facts.gid) && isWithinReach(kind, facts.mode)))
      return false
    try {
      if (node) this.changeOwner(node, at as ByteString, facts)
      else this.disk.chown(at, facts.uid, facts.gid)
      return true
    } catch (error) {
      // EINVAL: an owner that this user namespace does not map.
      if (!isRefusal(error) && codeOf(error) !== 'EINVAL') throw error
      return false
    }
  }

  /**
   * Whether an xattr that only root may set goes on the inode under its own name. The ACL of an inode with an override does not: the
   * mode of that inode is another, and the two are one to the kernel.
   */
  #isBare(name: ByteString, aside: ByteString | undefined, override: Override | undefined): boolean {
    return this.#isRoot && aside === undefined && !(override && isAcl(name))
  }

  #guardAcl(carrier: ByteString, kind: Kind): void {
    if (!this.#isRoot || !carriesXattrs(kind)) return
    // A disk without ACLs has none to lose, and does not say so: only those that are there are listed.
    if (!this.disk.xattrNames(carrier).includes(accessAcl)) return
    const value = this.disk.xattr(carrier, accessAcl)!
    storing(() => this.disk.setXattr(carrier, this.marks.guarded(accessAcl)!, value))
    this.dropXattr(carrier, accessAcl)
  }

  #storeXattr(carrier: Spot, name: ByteString, value: Uint8Array, kind: Kind, bare: boolean): void {
    const guarded = this.marks.guarded(name)
    if (guarded === undefined) {
      storing(() => this.disk.setXattr(carrier, this.marks.stored(name, kind), value))
      return
    }
    if (bare) {
      try {
        this.disk.setXattr(carrier, name, value)
        this.dropXattr(carrier, guarded)
        return
      } catch (error) {
        if (!isRefusal(error) && codeOf(error) !== 'EINVAL') throw error
      }
    }
    storing(() => this.disk.setXattr(carrier, guarded, value))
  }

  #carrierFor(node: OverlayNode, path: ByteString): ByteString {
    return this.carrier(node, path) ?? (node.aside = this.#asides.make(this.disk.lstatExact(path)))
  }
}

/** The kernel lets nobody set `user.*` on anything else. */
function carriesXattrs(kind: Kind): boolean {
  return kind === 'file' || kind === 'directory'
}

/** Whether the owner can work with an inode of this mode without privileges. */
function isWithinReach(kind: Kind, mode: number): boolean {
  const needed = kind === 'directory' ? 0o700 : kind === 'file' ? 0o600 : 0
  return (mode & needed) === needed
}

/** The mode of a real inode that has an override: open to its owner, and without bits that would lend the owner's identity. */
function withinReach(kind: Kind, mode: number): number {
  return (mode & 0o777) | (kind === 'directory' ? 0o700 : 0o600)
}
