import { setImmediate } from 'node:timers/promises'
import type { Placed, Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { openBelow, openBlocks } from '../union/content-below.ts'
import { Sides } from '../union/sides.ts'
import { type Creation, firstNewInode, type Standing, type Upper } from '../union/upper.ts'
import { convertGroups, nameless } from './convert-groups.ts'
import { isBelow, lowerPart } from './lower-parts.ts'
import { lowerPaths } from './lower-paths.ts'
import { firstForeignInode } from './overlay-node.ts'
import type { StoredUpper } from './stored-upper.ts'

/** How many inodes are made before somebody else gets a turn. */
const atOnce = 64

/** What the conversion of an upper may stand on. */
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
 * of the conversion, and inodes that carry no number of ours (the kernel made them) get one. Where the target has no redirects, what a
 * moved directory shows from below is copied, and the directory opaque. What is written is on the disk at the end; until then the target
 * is incomplete. Neither is closed.
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

/** A directory on its way. */
interface Pair {
  /** Its number in the upper that is read; absent where only the tree below has it. */
  readonly from: number | undefined
  /** In the one that is written. */
  readonly to: number
  /** That of its lower part. */
  readonly lower: number | undefined
  /** What it was before it was read. */
  readonly stat: Stat
  /** Its lower part is not where the target would look for it: everything that it shows of that comes along. */
  readonly whole: boolean
}

class Conversion {
  readonly #from: Upper
  readonly #to: StoredUpper
  readonly #lower: Tree | undefined
  /** Numbers in the target of what may have more than one name. */
  readonly #placed = new Map<number, number>()
  /** Directories that were made, parents first: their times are set when nothing more comes into them. */
  readonly #directories: Pair[] = []
  #sides: Sides | undefined
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
        whole: false,
      },
    ]
    if (root.opaque) this.#to.setOpaque(this.#to.root.ino)
    for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
      for (const { name, verdict } of this.#entries(pair)) {
        if (verdict.says === 'whiteout' && !pair.whole) this.#to.whiteout(pair.to, name)
        else if (verdict.says === 'entry' && verdict.directory) waiting.push(this.#placeDirectory(pair, name, verdict))
        else if (verdict.says === 'entry') this.#placeOther(pair, name, verdict)
        yield
      }
      this.#directories.push(pair)
    }
    yield* this.#groups()
    for (const pair of this.#directories.reverse()) {
      this.#finish(pair)
      yield
    }
  }

  #groups(): Iterable<void> {
    const lower = this.#lower
    if (lower) {
      const place = (directory: Pick<Pair, 'to' | 'lower'>, name: ByteString, ino: number) =>
        this.#placeOther({ ...directory, whole: false }, name, { ino })
      return convertGroups({ from: this.#from, to: this.#to, lower, place })
    }
    const [first] = nameless(this.#from)
    if (first !== undefined) throw this.#needsLower(first, 'which only names from below show')
    return []
  }

  /** What the upper says in a directory; of a whole one also what shows there from below. */
  *#entries({ from, lower, whole }: Pair): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
    const said = new Set<ByteString>()
    for (const each of from === undefined ? [] : this.#from.list(from)) {
      if (whole) said.add(each.name)
      yield each
    }
    if (!whole || lower === undefined) return
    for (const { name, ino, kind } of this.#lower!.list(lower)) {
      const directory = kind === 'directory'
      if (!said.has(name))
        yield { name, verdict: { says: 'entry', ino, kind, directory, implied: false, opaque: false } }
    }
  }

  #placeDirectory(pair: Pair, name: ByteString, verdict: Placed): Pair {
    const { redirect } = verdict
    const from = this.#from.has(verdict.ino) ? verdict.ino : undefined
    const tree = this.#lower
    const lower = tree && lowerPart(tree, pair.lower, name, verdict)
    const stat = (from === undefined ? this.#lower! : this.#from).stat(verdict.ino)
    const hasMoved = redirect !== undefined && !(tree && isBelow(tree, pair.lower, name, lower))
    const whole = pair.whole || (hasMoved && !this.#to.redirects)
    if (whole && !verdict.opaque && !tree) throw this.#needsLower(verdict.ino, 'which has moved')
    const creation: Creation & Standing = {
      ...this.#creationOf(verdict.ino, stat),
      ...((verdict.opaque || whole) && { opaque: true }),
      ...(redirect !== undefined && this.#to.redirects && { redirect }),
    }
    const to = this.#numberOf(verdict.ino)
    this.#to.restore(pair.to, name, to, creation)
    return { from, to, lower, stat, whole }
  }

  #placeOther(pair: Pick<Pair, 'to' | 'lower' | 'whole'>, name: ByteString, { ino }: Pick<Placed, 'ino'>): void {
    const there = this.#placed.get(ino)
    if (there !== undefined) {
      this.#to.link(pair.to, name, there)
      return
    }
    const stat = (this.#from.has(ino) ? this.#from : this.#lower!).stat(ino)
    const to = this.#numberOf(ino)
    const links = this.#isBelow(to) ? this.#lower?.stat(to).links : undefined
    const creation = { ...this.#creationOf(ino, stat), ...(links !== undefined && { links }) }
    if (stat.kind === 'file') this.#placeFile(pair, name, { from: ino, to, links: stat.links }, creation)
    else this.#to.restore(pair.to, name, to, creation)
    if (stat.links > 1 || (links ?? 1) > 1) this.#placed.set(ino, to)
  }

  #numberOf(ino: number): number {
    return ino < firstForeignInode || this.#isBelow(ino) ? ino : this.#to.nextNumber
  }

  #isBelow(ino: number): boolean {
    return this.#lower?.has ? this.#lower.has(ino) : ino < firstNewInode
  }

  #creationOf(ino: number, stat: Stat): Creation {
    const source = this.#from.has(ino) ? this.#from : this.#lower!
    const { kind, mode, uid, gid, mtime, atime = mtime, major, minor } = stat
    const xattrs = source.xattrs(ino)
    return {
      kind,
      mode,
      uid,
      gid,
      mtime,
      atime,
      ...(xattrs.size > 0 && { xattrs }),
      ...(kind === 'symlink' && { target: source.readlink(ino) }),
      ...((kind === 'character' || kind === 'block') && { major, minor }),
    }
  }

  #placeFile(
    pair: Pick<Pair, 'to' | 'lower' | 'whole'>,
    name: ByteString,
    ino: { readonly from: number; readonly to: number; readonly links: number },
    creation: Creation,
  ): void {
    const put = (content: Bytes) => {
      try {
        this.#to.restore(pair.to, name, ino.to, creation, content)
      } finally {
        content.close()
      }
    }
    const isUp = this.#from.has(ino.from)
    if (isUp && this.#from.hasContent(ino.from)) {
      put(this.#from.open(ino.from))
      return
    }
    if (isUp && this.#from.blocks?.has(ino.from)) {
      put(openBlocks(this.#bothSides(ino.from), ino.from, 'convert'))
      return
    }
    if (isUp && !this.#isBelow(ino.from)) {
      put(this.#contentByName(ino.from))
      return
    }
    if (isUp && this.#to.metadataOnly && !this.#to.findsContentByName) {
      this.#to.restore(pair.to, name, ino.to, creation)
      return
    }
    const lower = this.#lower
    if (!lower) throw this.#needsLower(ino.from, 'of which only attributes were copied up')
    const isHere = !pair.whole && isBelow(lower, pair.lower, name, ino.from)
    // Without redirects, content is found at a name from below alone.
    const isFound = this.#to.redirects || (isHere && ino.links === 1)
    if (!isUp || !this.#to.metadataOnly || !isFound || this.#to.isAlone?.(ino.to, lower.stat(ino.from).links)) {
      put(lower.open(ino.from))
      return
    }
    const { size } = lower.stat(ino.from)
    const redirect = isHere ? undefined : this.#pathOf?.(ino.from)
    this.#to.restore(pair.to, name, ino.to, { ...creation, size, ...(redirect !== undefined && { redirect }) })
  }

  /** Of a copy of attributes that has lost which inode it copies. In the target it gets a number that is nowhere below. */
  #contentByName(ino: number): Bytes {
    return openBelow(this.#bothSides(ino), ino, 'convert')
  }

  #bothSides(ino: number): Sides {
    if (!this.#lower) throw this.#needsLower(ino, 'of which not all content was copied up')
    this.#sides ??= new Sides(this.#lower, this.#from)
    return this.#sides
  }

  #needsLower(ino: number, which: string): PlyError {
    return new PlyError('PLY_UNSUPPORTED', {
      what: `converting inode ${ino}, ${which}, without the tree below`,
      reason: 'its content is there; pass that tree as `lower`',
    })
  }

  #finish({ from, to, stat }: Pair): void {
    const isRoot = to === this.#to.root.ino
    if (isRoot && this.#from.root.implied) return
    const { mode, uid, gid, mtime, atime = mtime } = stat
    if (isRoot) for (const [name, value] of this.#from.xattrs(from!)) this.#to.setXattr(to, name, value)
    this.#to.setAttributes(to, isRoot ? { mode, uid, gid, mtime, atime } : { mtime, atime })
  }
}

function isStored(upper: Upper): upper is StoredUpper {
  return 'nextNumber' in upper
}
