import { unguarded } from '../layer/overlay-marks.ts'
import { decodeOverride, type Override, overrideName } from '../layer/override.ts'
import { isForeign } from '../layer/xattr-rules.ts'
import { type ByteString, compareBytes, displayText } from '../model/bytes.ts'
import { type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { DirectoryTree } from './directory-tree.ts'

/** The same record under the names that older fuse-overlayfs gave it. */
const overrideNames: readonly ByteString[] = [
  overrideName,
  'user.fuseoverlayfs.override_stat',
  'security.fuseoverlayfs.override_stat',
]

/** A directory of the disk in which what rootless tools have recorded of an inode counts (layer-semantics U-06). */
export class RecordedTree implements Tree {
  readonly root: number
  readonly digests: Tree['digests']
  readonly #disk: DirectoryTree
  readonly #overrides = new Map<number, Override | undefined>()

  constructor(disk: DirectoryTree) {
    this.root = disk.root
    this.digests = disk.digests
    this.#disk = disk
  }

  lookup(directory: number, name: ByteString): number | undefined {
    return this.#disk.lookup(directory, name)
  }

  *list(directory: number): Generator<TreeEntry> {
    for (const { name, ino, kind } of this.#disk.list(directory)) yield { name, ino, kind: this.#kind(ino, kind) }
  }

  parent(directory: number): number {
    return this.#disk.parent(directory)
  }

  stat(ino: number): Stat {
    const real = this.#disk.stat(ino)
    const override = this.#override(ino, real.kind)
    if (override === undefined) return real
    const { uid, gid, mode, major, minor } = override
    const kind = this.#kind(ino, real.kind)
    if (kind === real.kind) return { ...real, uid, gid, mode }
    return { ...real, uid, gid, mode, kind, major, minor, size: kind === 'symlink' ? real.size : 0 }
  }

  readlink(ino: number): ByteString {
    const { kind, size } = this.#disk.stat(ino)
    if (kind !== 'file' || this.#kind(ino, kind) !== 'symlink') return this.#disk.readlink(ino)
    // A tool that cannot make symlinks keeps the target as content.
    const content = this.#disk.open(ino)
    try {
      const target = Buffer.alloc(size)
      content.read(target, 0)
      return target.toString('latin1')
    } finally {
      content.close()
    }
  }

  /** What a user would be shown: nothing that belongs to the host or to a tool. */
  xattrs(ino: number): Xattrs {
    const raw = this.rawXattrs(ino)
    if (raw.size === 0) return raw
    const shown = new Map<ByteString, Uint8Array>()
    for (const [name, value] of raw) {
      const own = overrideNames.includes(name) ? undefined : unguarded(name)
      if (own !== undefined && !isForeign(own)) shown.set(own, value)
    }
    return shown.size === 0 ? noXattrs : new Map([...shown].sort(([a], [b]) => compareBytes(a, b)))
  }

  /** As they are on the disk. */
  rawXattrs(ino: number): Xattrs {
    return this.#disk.rawXattrs(ino)
  }

  open(ino: number): Bytes {
    const { kind } = this.stat(ino)
    if (kind === 'directory' || kind === 'file') return this.#disk.open(ino)
    throw new PlyError('EINVAL', { syscall: 'open', path: displayText(this.#disk.pathOf(ino)) })
  }

  pathOf(ino: number): ByteString {
    return this.#disk.pathOf(ino)
  }

  close(): void {
    this.#disk.close()
  }

  #kind(ino: number, real: Kind): Kind {
    const kind = real === 'file' ? this.#override(ino, real)?.kind : undefined
    return kind === undefined || kind === 'directory' ? real : kind
  }

  /** @throws PLY_BAD_DOCUMENT for a record that says nothing (U-03) */
  #override(ino: number, real: Kind): Override | undefined {
    // Nobody may set such attributes on anything else.
    if (real !== 'file' && real !== 'directory') return undefined
    if (this.#overrides.has(ino)) return this.#overrides.get(ino)
    const raw = this.#disk.rawXattrs(ino)
    let value: Uint8Array | undefined
    for (const name of overrideNames) value ??= raw.get(name)
    const override = value && decodeOverride(value, displayText(this.#disk.pathOf(ino)))
    this.#overrides.set(ino, override)
    return override
  }
}
