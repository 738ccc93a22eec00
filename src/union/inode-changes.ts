import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { accessAcl, aclAfterChmod, defaultAcl, isAcl, readAcl, settingAcl } from './acl.ts'
import { withClearedSetId, withoutSetId } from './attribute-rules.ts'
import type { Clock } from './clock.ts'
import type { CopyUp } from './copy-up.ts'
import type { Inspection } from './inspection.ts'
import { checkXattr } from './names.ts'
import type { Writing } from './open-content.ts'
import type { Orphans } from './orphans.ts'
import type { Sides } from './sides.ts'
import type { AttributeChange } from './upper.ts'

const capability = 'security.capability'
const setId = 0o6000

/** Changes of inodes that leave their names alone, and what a change of content brings with it. */
export class InodeChanges implements Writing {
  privileges = 0
  readonly #sides: Sides
  readonly #orphans: Orphans
  readonly #copyUp: CopyUp
  readonly #now: Clock
  readonly #of: Inspection
  /** Modify times of files that are being written: stored when a writer closes, not at each write. */
  readonly #times = new Map<number, bigint>()
  #timesOfDisk = false

  constructor(sides: Sides, orphans: Orphans, copyUp: CopyUp, now: Clock, of: Inspection) {
    this.#sides = sides
    this.#orphans = orphans
    this.#copyUp = copyUp
    this.#now = now
    this.#of = of
  }

  /** The modify time that a file will be given when its writers close; `undefined`: the one it has. */
  pendingTime(ino: number): bigint | undefined {
    return this.#times.size === 0 ? undefined : this.#times.get(ino)
  }

  takeTimesOfDisk(): void {
    this.settleAll()
    this.#timesOfDisk = true
  }

  setAttributes(ino: number, change: AttributeChange, killSetId: boolean): void {
    if (!killSetId && isOfTimes(change) && !this.#orphans.get(ino)) {
      this.#setTimes(ino, change)
      return
    }
    const current = this.#of.stat(ino)
    const wanted = withClearedSetId(current, change, killSetId)
    const { mode, uid, gid, mtime } = wanted
    if (mode !== undefined && mode !== current.mode && current.kind === 'symlink') {
      throw new PlyError('EOPNOTSUPP', { syscall: 'chmod' })
    }
    if (killSetId && wanted === change && isEmpty(change)) return
    const moved = mode !== undefined && (mode ^ current.mode) & 0o777
    const acl = moved ? aclAfterChmod(this.#of.xattrs(ino), mode) : undefined
    if (mode !== undefined && mode & setId) this.privileges++
    const orphan = this.#orphans.get(ino)
    if (orphan) this.#orphans.setAttributes(orphan, wanted)
    else {
      this.#copyUp.attributes(ino)
      if (mtime !== undefined) this.#times.delete(ino)
      this.#sides.changed(ino)
      this.#sides.upper.setAttributes(this.#sides.up(ino), wanted)
    }
    if (acl) this.#storeXattr(ino, accessAcl, acl)
    if ((uid !== undefined || gid !== undefined) && current.kind !== 'directory') this.#dropCapabilities(ino)
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const syscall = value === undefined ? 'removexattr' : 'setxattr'
    checkXattr(name, value, syscall)
    const stat = this.#of.stat(ino)
    if (name.startsWith('user.') && stat.kind !== 'file' && stat.kind !== 'directory')
      throw new PlyError('EPERM', { syscall })
    const acl = isAcl(name) ? settingAcl(stat, name, value) : undefined
    const removing = value === undefined || (acl && readAcl(value) === undefined)
    if (removing && !this.#of.xattrs(ino).has(name)) {
      // Whether an ACL is there the kernel asks only of the lower side, and not where there can be none.
      const unasked = this.#isAbove(ino) || (name === defaultAcl && stat.kind !== 'directory')
      if (acl && unasked) return
      throw new PlyError('ENODATA', { syscall })
    }
    if (name === capability) this.privileges++
    if (!this.#orphans.get(ino)) this.#copyUp.attributes(ino)
    const { value: kept, mode } = acl ?? { value, mode: stat.mode }
    if (kept !== undefined || this.#of.xattrs(ino).has(name)) this.#storeXattr(ino, name, kept)
    if (mode !== stat.mode) this.#storeMode(ino, mode)
  }

  beforeChange(ino: number, killSetId: boolean): void {
    this.#dropCapabilities(ino)
    if (!killSetId) return
    const stat = this.#of.stat(ino)
    const mode = withoutSetId(stat)
    if (mode !== stat.mode) this.#storeMode(ino, mode)
  }

  emptying(ino: number): void {
    if (!this.#orphans.get(ino)) this.#copyUp.emptied(ino)
  }

  changed(ino: number): void {
    const orphan = this.#orphans.get(ino)
    if (orphan) this.#orphans.setAttributes(orphan, { mtime: this.#now() })
    else if (!this.#diskGivesTimes || this.#sides.upper.blocks?.has(ino)) this.#times.set(ino, this.#now())
  }

  settle(ino: number): void {
    const mtime = this.#times.get(ino)
    this.#times.delete(ino)
    if (mtime !== undefined && this.#sides.upper.has(ino)) this.#sides.upper.setAttributes(ino, { mtime })
  }

  settleAll(): void {
    for (const ino of [...this.#times.keys()]) this.settle(ino)
  }

  /**
   * Gives a directory that got or lost a name its new time, as far as the upper can: what changed the name has happened, and whoever
   * asked for it must not be told that it has not.
   */
  touch(directory: number): void {
    if (this.#diskGivesTimes) return
    try {
      this.#sides.upper.setAttributes(this.#sides.up(directory), { mtime: this.#now() })
    } catch (error) {
      if (codeOf(error) === undefined) throw error
    }
  }

  get #diskGivesTimes(): boolean {
    return this.#timesOfDisk && this.#sides.upper.givesTimes === true
  }

  /** What has no name is not meant. */
  #setTimes(ino: number, change: AttributeChange): void {
    this.#of.present(ino, 'utimensat')
    this.#copyUp.attributes(ino)
    if (change.mtime !== undefined) this.#times.delete(ino)
    this.#sides.upper.setAttributes(this.#sides.up(ino), change)
  }

  /** A change of owner or content takes file capabilities away, as Linux does. */
  #dropCapabilities(ino: number): void {
    const orphan = this.#orphans.get(ino)
    const there = orphan ? orphan.xattrs : this.#sides.upper.has(ino) ? this.#sides.upper.xattrs(ino) : undefined
    if (there?.has(capability)) this.#storeXattr(ino, capability, undefined)
  }

  #isAbove(ino: number): boolean {
    return this.#sides.inUpper(ino) || this.#orphans.get(ino) !== undefined
  }

  #storeXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const orphan = this.#orphans.get(ino)
    if (orphan) this.#orphans.setXattr(orphan, name, value)
    else {
      this.#sides.changed(ino)
      this.#sides.upper.setXattr(this.#sides.up(ino), name, value)
    }
  }

  #storeMode(ino: number, mode: number): void {
    const orphan = this.#orphans.get(ino)
    if (orphan) this.#orphans.setAttributes(orphan, { mode })
    else {
      this.#sides.changed(ino)
      this.#sides.upper.setAttributes(this.#sides.up(ino), { mode })
    }
  }
}

function isOfTimes({ mode, uid, gid, mtime, atime }: AttributeChange): boolean {
  return mode === undefined && uid === undefined && gid === undefined && (mtime !== undefined || atime !== undefined)
}

function isEmpty(change: AttributeChange): boolean {
  for (const _ in change) return false
  return true
}
