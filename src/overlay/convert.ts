import { setImmediate } from 'node:timers/promises'
import type { Placed } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type Creation, firstNewInode, type Standing, type Upper } from '../union/upper.ts'
import { lowerPaths } from './lower-paths.ts'
import { firstForeignInode } from './overlay-node.ts'
import type { StoredUpper } from './stored-upper.ts'

/** How many inodes are made before somebody else gets a turn. */
const atOnce = 64

export interface ConversionOptions extends Operation {
  /**
   * The tree that the upper stands on. Needed where content that was never copied up must be copied, or found by its name; and for
   * the link groups of lower files, which only overlayfs's form records.
   */
  readonly lower?: Tree
}

/**
 * Writes everything that one upper says into another one, an empty one of any form: the same numbers, link groups, whiteouts, opaque
 * and moved directories, copies of attributes alone (where the form has them), xattrs, times, and holes. Change times are those
 * of the conversion, and inodes that carry no number of ours (the kernel made them) get one. What is written is on the disk at
 * the end; until then the target is incomplete. Neither is closed.
 *
 * @throws ENOTEMPTY if the target holds something; PLY_UNSUPPORTED where `lower` is needed; ENOTSUP for what the target cannot store.
 */
export async function convertUpper(from: Upper, to: StoredUpper, options: ConversionOptions = {}): Promise<void> {
  for (const _ of to.list(to.root.ino)) throw new PlyError('ENOTEMPTY', { syscall: 'convert' })
  const conversion = new Conversion(from, to, options.lower)
  let made = 0
  for (const _ of conversion.steps()) {
    checkAborted(options.signal)
    if (++made % atOnce === 0) await setImmediate()
  }
  to.sync()
}

/** A directory on its way: its number in both uppers, that of its lower part, and what it was before it was read. */
interface Pair {
  readonly from: number
  readonly to: number
  readonly lower: number | undefined
  readonly stat: Stat
}

class Conversion {
  readonly #from: Upper
  readonly #to: StoredUpper
  readonly #lower: Tree | undefined
  /** Numbers in the target of what has more than one name. */
  readonly #placed = new Map<number, number>()
  /** Directories that were made, parents first: their times are set when nothing more comes into them. */
  readonly #directories: Pair[] = []
  readonly #pathOf: ((ino: number) => ByteString | undefined) | undefined

  constructor(from: Upper, to: StoredUpper, lower: Tree | undefined) {
    this.#from = from
    this.#to = to
    this.#lower = lower
    this.#pathOf = lower && lowerPaths(lower)
  }

  /** One name after the other; the last step is that of the times. */
  *steps(): Generator<void> {
    const { root } = this.#from
    if (isStored(this.#from) && this.#from.nextNumber > firstNewInode) this.#to.numbersPast(this.#from.nextNumber - 1)
    const waiting: Pair[] = [
      {
        from: root.ino,
        to: this.#to.root.ino,
        lower: root.opaque ? undefined : this.#lower?.root,
        stat: this.#from.stat(root.ino),
      },
    ]
    if (root.opaque) this.#to.setOpaque(this.#to.root.ino)
    for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
      for (const { name, verdict } of this.#from.list(pair.from)) {
        if (verdict.says === 'whiteout') this.#to.whiteout(pair.to, name)
        else if (verdict.says === 'entry') {
          const stat = this.#from.stat(verdict.ino)
          const to = this.#place(pair, name, verdict, stat)
          if (verdict.directory) waiting.push({ from: verdict.ino, to, lower: this.#below(pair, name, verdict), stat })
        }
        yield
      }
      this.#directories.push(pair)
    }
    for (const pair of this.#directories.reverse()) {
      this.#finish(pair)
      yield
    }
  }

  #place(directory: Pair, name: ByteString, verdict: Placed, stat: Stat): number {
    const there = this.#placed.get(verdict.ino)
    if (there !== undefined) {
      this.#to.link(directory.to, name, there)
      return there
    }
    const ino = verdict.ino < firstForeignInode ? verdict.ino : this.#to.nextNumber
    const { kind, mode, uid, gid, mtime, atime = mtime, major, minor, links } = stat
    const xattrs = this.#from.xattrs(verdict.ino)
    const creation: Creation & Standing = {
      kind,
      mode,
      uid,
      gid,
      mtime,
      atime,
      ...(xattrs.size > 0 && { xattrs }),
      ...(kind === 'symlink' && { target: this.#from.readlink(verdict.ino) }),
      ...((kind === 'character' || kind === 'block') && { major, minor }),
      ...(verdict.opaque && { opaque: true }),
      ...(verdict.redirect !== undefined && { redirect: verdict.redirect }),
      ...(ino < firstNewInode && kind !== 'directory' && this.#lower && { links: this.#lower.stat(ino).links }),
    }
    if (kind === 'file') this.#placeFile(directory, name, { from: verdict.ino, to: ino }, creation)
    else this.#to.restore(directory.to, name, ino, creation)
    if (kind !== 'directory' && links > 1) this.#placed.set(verdict.ino, ino)
    return ino
  }

  #placeFile(
    directory: Pair,
    name: ByteString,
    ino: { readonly from: number; readonly to: number },
    creation: Creation,
  ): void {
    const put = (content: Bytes) => {
      try {
        this.#to.restore(directory.to, name, ino.to, creation, content)
      } finally {
        content.close()
      }
    }
    if (this.#from.hasContent(ino.from)) {
      put(this.#from.open(ino.from))
      return
    }
    if (this.#to.metadataOnly && !this.#to.findsContentByName) {
      this.#to.restore(directory.to, name, ino.to, creation)
      return
    }
    const lower = this.#lower
    if (!lower)
      throw new PlyError('PLY_UNSUPPORTED', {
        what: `converting inode ${ino.from}, of which only attributes were copied up, without the tree below`,
        reason: 'its content is there; pass that tree as `lower`',
      })
    if (!this.#to.metadataOnly) {
      put(lower.open(ino.from))
      return
    }
    const { size } = lower.stat(ino.from)
    const isHere = directory.lower !== undefined && lower.lookup(directory.lower, name) === ino.from
    const redirect = isHere ? undefined : this.#pathOf?.(ino.from)
    this.#to.restore(directory.to, name, ino.to, { ...creation, size, ...(redirect !== undefined && { redirect }) })
  }

  /** The lower part of a directory. */
  #below(directory: Pair, name: ByteString, { opaque, redirect }: Placed): number | undefined {
    const lower = this.#lower
    if (!lower || opaque) return undefined
    const path = redirect?.split('/') ?? [name]
    let at = redirect === undefined ? directory.lower : lower.root
    for (const each of path) {
      if (at === undefined || lower.stat(at).kind !== 'directory') return undefined
      at = lower.lookup(at, each)
    }
    return at !== undefined && lower.stat(at).kind === 'directory' ? at : undefined
  }

  #finish({ from, to, stat }: Pair): void {
    const isRoot = to === this.#to.root.ino
    if (isRoot && this.#from.root.implied) return
    const { mode, uid, gid, mtime, atime = mtime } = stat
    if (isRoot) for (const [name, value] of this.#from.xattrs(from)) this.#to.setXattr(to, name, value)
    this.#to.setAttributes(to, isRoot ? { mode, uid, gid, mtime, atime } : { mtime, atime })
  }
}

function isStored(upper: Upper): upper is StoredUpper {
  return 'nextNumber' in upper
}
