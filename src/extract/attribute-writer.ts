import { chmodSync, lchownSync, lstatSync } from 'node:fs'
import { marks } from '../layer/overlay-marks.ts'
import { encodeOverride, overrideName } from '../layer/override.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { codeOf } from '../model/errors.ts'
import { unmappedId } from '../model/id-mapping.ts'
import { setTimes } from '../sys/times.ts'
import { setXattr } from '../sys/xattr.ts'
import type { OverlayForm } from './overlay-form.ts'
import { onDisk } from './paths.ts'
import type { CompromiseCount } from './report.ts'
import type { Surroundings } from './surroundings.ts'
import type { Written } from './written.ts'

const setId = 0o6000
const setUser = 0o4000
const setGroup = 0o2000
const capability = 'security.capability'

/** Which extended attributes reach a disk, beyond those of layer-semantics, which never do. */
export type XattrChoice =
  /** `user.*`, capabilities and labels. */
  | 'usual'
  /** Also `trusted.*`, `security.ima` and access control lists. */
  | 'all'
  | 'none'

export interface AttributeOptions {
  /** `current`: everything belongs to whoever writes it. Default: `keep`. */
  readonly owner?: 'keep' | 'current' | undefined
  /** Default: `usual`. */
  readonly xattrs?: XattrChoice | undefined
  /** Whether files may lend rights to who runs them, by set-id bits and capabilities. Default: yes. */
  readonly suid?: boolean | undefined
  /** Whether its owner may read and write everything, whatever the modes say: of who is not root. Default: no. */
  readonly reachable?: boolean | undefined
  /**
   * What the host refuses of owner, mode, type and attributes is kept in the attributes that rootless tools share, where a file can have
   * some: `directoryTree` with `recorded`, fuse-overlayfs and others read them (layer-semantics O-04, U-06). Default: no.
   */
  readonly recorded?: boolean | undefined
}

/** Gives objects their attributes, as far as the host lets; counts what it does not. */
export class AttributeWriter {
  readonly #here: Surroundings
  readonly #options: AttributeOptions & { readonly overlay?: OverlayForm | undefined }
  readonly #compromises: CompromiseCount
  /** Owners, groups and xattr namespaces that were refused once: asking again for each file would only cost time. */
  readonly #refused = new Set<string>()

  /** @param options with `overlay`, attributes that look like its marks are escaped, where that is understood (layer-semantics D-10) */
  constructor(
    here: Surroundings,
    options: AttributeOptions & { readonly overlay?: OverlayForm | undefined },
    compromises: CompromiseCount,
  ) {
    this.#here = here
    this.#options = options
    this.#compromises = compromises
  }

  /**
   * Owner, xattrs, mode, times, in this order: a change of owner clears set-id bits and capabilities (O-03). Never follows a
   * symlink. `shown` is the path in the tree, for the report. With `placeholder` an empty file stands for it. Answers what stands there
   * that is not what was asked for.
   */
  write(path: ByteString, shown: ByteString, stat: Stat, xattrs: Xattrs, placeholder = false): Written | undefined {
    const named = onDisk(path)
    const { fresh } = this.#here
    const kept = this.#writeOwner(named, shown, stat)
    const missing = xattrs.size > 0 ? this.#writeXattrs(path, shown, stat.kind, xattrs) : []
    let recorded = (placeholder || !kept.user || !kept.group) && this.#record(path, stat, placeholder)
    const wanted = placeholder ? 0 : stat.mode
    const mode = stat.kind === 'symlink' ? stat.mode : this.#writeMode(named, shown, stat.kind, wanted, kept)
    if (mode !== wanted && !recorded) recorded = this.#recordAgainstMode(path, stat, mode)
    setTimes(path, { atime: stat.mtime, mtime: stat.mtime })
    let { mtime } = stat
    if (this.#here.mayAlter(mtime)) mtime = lstatSync(named, { bigint: true }).mtimeNs
    if (mtime !== stat.mtime) this.#compromises.note('time', shown)
    const written: Written = {
      path: shown,
      ...(placeholder && { placeholder }),
      ...((!kept.user || !kept.group) && {
        owner: [kept.user ? stat.uid : fresh.uid, kept.group ? stat.gid : fresh.gid],
      }),
      ...(mode !== wanted && { mode }),
      ...(mtime !== stat.mtime && { mtime }),
      ...(missing.length > 0 && { xattrs: missing }),
    }
    return Object.keys(written).length > 1 ? written : undefined
  }

  /** Keeps in an attribute what an inode should be; answers whether that was done. */
  #record(path: ByteString, stat: Stat, placeholder: boolean): boolean {
    const { kind } = stat
    if (!this.#options.recorded || (!placeholder && kind !== 'file' && kind !== 'directory')) return false
    if (stat.uid === unmappedId || stat.gid === unmappedId) return false
    return this.#setXattr(path, overrideName, encodeOverride(stat))
  }

  #recordAgainstMode(path: ByteString, stat: Stat, mode: number): boolean {
    if (!this.#options.recorded || stat.kind === 'symlink') return false
    const named = onDisk(path)
    chmodSync(named, mode | 0o200)
    try {
      return this.#record(path, stat, false)
    } finally {
      chmodSync(named, mode)
    }
  }

  /** Answers which of user and group are those of the tree. */
  #writeOwner(path: string | Buffer, shown: ByteString, { uid, gid }: Stat): { user: boolean; group: boolean } {
    const { fresh } = this.#here
    const same = { user: uid === fresh.uid, group: gid === fresh.gid }
    if ((same.user && same.group) || this.#options.owner === 'current') return same
    const mapped = uid !== unmappedId && gid !== unmappedId
    if (mapped && this.#chown(path, uid, gid)) return { user: true, group: true }
    this.#compromises.note('owner', shown)
    // A group of one's own may be given away by anybody.
    return {
      user: same.user,
      group: same.group || (gid !== unmappedId && this.#chown(path, fresh.uid, gid)),
    }
  }

  #chown(path: string | Buffer, uid: number, gid: number): boolean {
    const key = `${uid}:${gid}`
    if (this.#refused.has(key)) return false
    try {
      lchownSync(path, uid, gid)
      return true
    } catch (error) {
      // EINVAL: an id that the user namespace does not map.
      if (!isRefusal(error, 'EINVAL')) throw error
      this.#refused.add(key)
      return false
    }
  }

  /** Answers the names of those that are left out. */
  #writeXattrs(path: ByteString, shown: ByteString, kind: Kind, xattrs: Xattrs): ByteString[] {
    const choice = this.#options.xattrs ?? 'usual'
    if (choice === 'none') return [...xattrs.keys()]
    const missing: ByteString[] = []
    for (const [name, value] of xattrs) {
      const stored = this.#stored(name, kind)
      if (this.#mayReach(stored, kind, choice) && this.#setXattr(path, stored, value)) continue
      const guarded = this.#options.recorded ? marks.user.guarded(name) : undefined
      if (guarded !== undefined && (kind === 'file' || kind === 'directory')) this.#setXattr(path, guarded, value)
      this.#compromises.note('xattr', shown, name)
      missing.push(name)
    }
    return missing
  }

  /** The name under which an attribute is kept; `undefined` for one that would be taken for a mark. */
  #stored(name: ByteString, kind: Kind): ByteString | undefined {
    if (!/^(?:trusted|user)\.overlay\./.test(name)) return name
    const { overlay } = this.#options
    const isOwn = overlay?.escapes && name.startsWith(`${overlay.xattr}.overlay.`)
    return isOwn ? marks[overlay.xattr].stored(name, kind) : undefined
  }

  #mayReach(name: ByteString | undefined, kind: Kind, choice: XattrChoice): name is ByteString {
    if (name === undefined) return false
    return reaches(name, kind, choice) && (name !== capability || this.#options.suid !== false)
  }

  #setXattr(path: ByteString, name: ByteString, value: Uint8Array): boolean {
    const namespace = name.slice(0, name.indexOf('.') + 1)
    if (this.#refused.has(namespace)) return false
    try {
      setXattr(path, name, value)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOTSUP' || codeOf(error) === 'EOPNOTSUPP') this.#refused.add(namespace)
      // E2BIG, ERANGE and ENOSPC: more than this file system keeps for one file.
      else if (!isRefusal(error, 'EINVAL', 'E2BIG', 'ERANGE', 'ENOSPC')) throw error
      return false
    }
  }

  /** Answers the mode that it has then. */
  #writeMode(
    path: string | Buffer,
    shown: ByteString,
    kind: Kind,
    mode: number,
    kept: { user: boolean; group: boolean },
  ): number {
    let possible = mode
    // Attributes of a file are told only to those who may read it.
    const { reachable = this.#options.recorded } = this.#options
    if (reachable && process.geteuid?.() !== 0) possible |= kind === 'directory' ? 0o700 : 0o600
    if (kind !== 'directory') {
      if (this.#options.suid === false) possible &= ~setId
      // With another owner these bits would lend the rights of somebody who never agreed.
      if (!kept.user) possible &= ~setUser
      if (!kept.group) possible &= ~setGroup
    }
    try {
      chmodSync(path, possible)
    } catch (error) {
      if ((possible & setId) === 0 || !isRefusal(error)) throw error
      possible &= ~setId
      chmodSync(path, possible)
    }
    // The kernel drops the set-group bit without a word where the group is not the writer's.
    if ((possible & setId) !== 0) possible = (possible & ~0o7777) | (lstatSync(path).mode & 0o7777)
    if (((mode ^ possible) & setId) !== 0) this.#compromises.note('set-id', shown)
    return possible
  }
}

function reaches(name: ByteString, kind: Kind, choice: XattrChoice): boolean {
  if (name.startsWith('user.')) return kind === 'file' || kind === 'directory'
  if (name.startsWith('trusted.')) return choice === 'all'
  if (name === 'security.ima' || name.startsWith('system.posix_acl_')) return choice === 'all'
  return name.startsWith('security.')
}

/** Whether an error says that the host does not allow it, rather than that something is broken. */
export function isRefusal(error: unknown, ...more: readonly string[]): boolean {
  const code = codeOf(error) ?? ''
  return ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', ...more].includes(code)
}
