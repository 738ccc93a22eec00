import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import { copyRange } from '../union/copy-range.ts'
import type { WritableUnion } from '../union/union.ts'
import type { Creation } from '../union/upper.ts'
import { at } from './path-of-error.ts'
import { sameContent } from './same-content.ts'

export interface BringBackOptions extends Operation {
  /** The number in the union of what an inode of the directory was made from; `undefined` for one that is new. */
  readonly originOf: (ino: number) => number | undefined
  /** Whether nothing but its names can have changed since it was made. */
  readonly isUntouched: (ino: number) => boolean
  /** A path of an inode of the directory, for messages. */
  readonly pathOf: (ino: number) => ByteString
}

/**
 * Makes a union the same as a directory that was made from it and changed since, as if every change had been made in the union: inodes
 * that are still there keep their numbers, under whichever names, and what is new gets new ones. What was not changed is not touched.
 * It may be done again after it was interrupted: only what is there counts.
 *
 * @throws PLY_CHANGED if the directory is being written; ENOTSUP for what the union cannot store; PLY_ABORTED; EIO, ENOSPC …
 */
export async function bringBack(directory: Tree, union: WritableUnion, options: BringBackOptions): Promise<void> {
  await new BringingBack(directory, union, options).run()
}

/** A name of the union. */
interface Name {
  readonly directory: number
  readonly name: ByteString
  readonly ino: number
}

class BringingBack {
  readonly #tree: Tree
  readonly #union: WritableUnion
  readonly #options: BringBackOptions
  readonly #pace: Pace
  /** What inodes of the directory are in the union, and the reverse. */
  readonly #numbers = new Map<number, number>()
  readonly #claimed = new Map<number, number>()
  /** Names of directories and files that have moved, while they are on their way. */
  readonly #waiting = new Map<number, ByteString>()
  #room: number | undefined
  #roomName: ByteString = ''
  #done = 0

  constructor(tree: Tree, union: WritableUnion, options: BringBackOptions) {
    this.#tree = tree
    this.#union = union
    this.#options = options
    this.#pace = new Pace(options.signal)
  }

  async run(): Promise<void> {
    const { names, kinds } = await this.#survey()
    const directories = await this.#claimAll(kinds)
    await this.#takeAway(names, kinds)
    for (const ino of directories) await this.#fill(ino)
    this.#leaveRoom()
    // Whatever happened in a directory has changed its times.
    for (const ino of directories.reverse()) this.#attributes(ino)
  }

  /** Every name in the union, those in a directory after its own. */
  async #survey(): Promise<{ names: Name[]; kinds: Map<number, Kind> }> {
    const union = this.#union
    const names: Name[] = []
    const kinds = new Map<number, Kind>()
    const waiting = [union.root]
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { name, ino, kind } of union.list(directory)) {
        names.push({ directory, name, ino })
        kinds.set(ino, kind)
        if (kind === 'directory') waiting.push(ino)
        if (this.#pace.due()) await this.#pace.rest()
      }
    }
    return { names, kinds }
  }

  /** Finds out what is still there. Answers with the directories, parents first. */
  async #claimAll(kinds: ReadonlyMap<number, Kind>): Promise<number[]> {
    const { root } = this.#tree
    const directories = [root]
    this.#claim(root, this.#union.root)
    for (let at = 0; at < directories.length; at++) {
      for (const { ino, kind } of this.#tree.list(directories[at]!)) {
        if (this.#pace.due()) await this.#pace.rest()
        if (kind === 'directory') directories.push(ino)
        if (this.#numbers.has(ino)) continue
        const origin = this.#options.originOf(ino)
        if (origin !== undefined && !this.#claimed.has(origin) && kinds.get(origin) === kind) this.#claim(ino, origin)
      }
    }
    return directories
  }

  #claim(ino: number, number: number): void {
    this.#numbers.set(ino, number)
    this.#claimed.set(number, ino)
  }

  /** Takes away every name that is no more; what goes on under another one waits aside. */
  async #takeAway(names: readonly Name[], kinds: ReadonlyMap<number, Kind>): Promise<void> {
    const union = this.#union
    const kept = new Set<number>()
    const leaving: Name[] = []
    for (const one of names) {
      const here = this.#claimed.get(one.directory)
      const now = here === undefined ? undefined : this.#tree.lookup(here, one.name)
      if (now !== undefined && this.#numbers.get(now) === one.ino) kept.add(one.ino)
      else leaving.push(one)
      if (this.#pace.due()) await this.#pace.rest()
    }
    const emptied: Name[] = []
    for (const one of leaving) {
      const { directory, name, ino } = one
      const goesOn = this.#claimed.has(ino) && !kept.has(ino) && !this.#waiting.has(ino)
      if (goesOn) this.#setAside(directory, name, ino)
      else if (kinds.get(ino) === 'directory') emptied.push(one)
      else union.unlink(directory, name)
      if (this.#pace.due()) await this.#pace.rest()
    }
    // Parents were listed before what is in them.
    for (const { directory, name } of emptied.reverse()) union.rmdir(directory, name)
  }

  #setAside(directory: number, name: ByteString, ino: number): void {
    const union = this.#union
    this.#room ??= this.#makeRoom()
    const aside = String(this.#waiting.size)
    union.rename(directory, name, this.#room, aside)
    this.#waiting.set(ino, aside)
  }

  #makeRoom(): number {
    const union = this.#union
    const { root } = union
    const isFree = (name: ByteString) =>
      union.lookup(root, name) === undefined && this.#tree.lookup(this.#tree.root, name) === undefined
    let count = 0
    do this.#roomName = `.ply-moving-${count++}`
    while (!isFree(this.#roomName))
    return union.create(root, this.#roomName, { kind: 'directory', mode: 0o700, uid: 0, gid: 0, mtime: 0n })
  }

  #leaveRoom(): void {
    if (this.#room !== undefined) this.#union.rmdir(this.#union.root, this.#roomName)
  }

  /** Puts everything into a directory that belongs there. */
  async #fill(directory: number): Promise<void> {
    const here = this.#numbers.get(directory)!
    for (const { name, ino, kind } of this.#tree.list(directory)) {
      try {
        await this.#put(here, name, ino, kind)
      } catch (error) {
        throw at(this.#options.pathOf(ino), error)
      }
      this.#options.onProgress?.({ what: 'changes', done: ++this.#done })
      if (this.#pace.due()) await this.#pace.rest()
    }
  }

  async #put(here: number, name: ByteString, ino: number, kind: Kind): Promise<void> {
    const union = this.#union
    const number = this.#numbers.get(ino)
    const aside = number === undefined ? undefined : this.#waiting.get(number)
    if (number === undefined) await this.#create(here, name, ino)
    else if (aside !== undefined) {
      union.rename(this.#room!, aside, here, name)
      this.#waiting.delete(number)
    } else if (union.lookup(here, name) !== number) union.link(here, name, number)
    if (number !== undefined && kind !== 'directory') await this.#update(ino)
  }

  async #create(here: number, name: ByteString, ino: number): Promise<void> {
    const stat = this.#tree.stat(ino)
    const number = this.#union.create(here, name, this.#creationOf(ino, stat))
    this.#claim(ino, number)
    if (stat.kind !== 'file') return
    if (stat.size > 0) await this.#write(ino, number)
    this.#attributes(ino)
  }

  #creationOf(ino: number, { kind, mode, uid, gid, mtime, major, minor }: Stat): Creation {
    const xattrs = this.#tree.xattrs(ino)
    return {
      kind,
      mode,
      uid,
      gid,
      mtime,
      ...(xattrs.size > 0 && { xattrs }),
      ...(kind === 'symlink' && { target: this.#tree.readlink(ino) }),
      ...((kind === 'character' || kind === 'block') && { major, minor }),
    }
  }

  /** What is in an inode that was there before, and its attributes. */
  async #update(ino: number): Promise<void> {
    if (this.#options.isUntouched(ino)) return
    const number = this.#numbers.get(ino)!
    if (this.#tree.stat(ino).kind === 'file' && !(await this.#isSame(ino, number))) await this.#write(ino, number)
    this.#attributes(ino)
  }

  async #isSame(ino: number, number: number): Promise<boolean> {
    if (this.#tree.stat(ino).size !== this.#union.stat(number).size) return false
    const now = this.#tree.open(ino)
    try {
      const before = this.#union.open(number)
      try {
        return await sameContent(now, before, this.#pace)
      } finally {
        before.close()
      }
    } finally {
      now.close()
    }
  }

  async #write(ino: number, number: number): Promise<void> {
    const content = this.#tree.open(ino)
    try {
      const writer = this.#union.writer(number, { truncate: true })
      try {
        for (let at = 0; at < content.size; ) {
          const copied = copyRange(content, at, writer, at, atOnce)
          if (copied === 0) break
          at += copied
          await this.#pace.rest()
        }
      } finally {
        writer.close()
      }
    } finally {
      content.close()
    }
  }

  /** Owner, xattrs, mode, times: each change of one may change those behind it. */
  #attributes(ino: number): void {
    const union = this.#union
    const number = this.#numbers.get(ino)!
    const wanted = this.#tree.stat(ino)
    const { uid, gid } = wanted
    const found = union.stat(number)
    if (found.uid !== uid || found.gid !== gid) union.setAttributes(number, { uid, gid })
    const now = this.#tree.xattrs(ino)
    // The kernel's rules take capabilities with the owner.
    for (const [name, value] of changedXattrs(union.xattrs(number), now)) union.setXattr(number, name, value)
    const { mode, mtime } = union.stat(number)
    if (mode !== wanted.mode || mtime !== wanted.mtime)
      union.setAttributes(number, {
        ...(mode !== wanted.mode && wanted.kind !== 'symlink' && { mode: wanted.mode }),
        mtime: wanted.mtime,
      })
  }
}

/** Bytes that are copied before others get their turn. */
const atOnce = 16 << 20

function changedXattrs(before: Xattrs, now: Xattrs): [ByteString, Uint8Array | undefined][] {
  const changed: [ByteString, Uint8Array | undefined][] = []
  for (const name of before.keys()) if (!now.has(name)) changed.push([name, undefined])
  for (const [name, value] of now) {
    const was = before.get(name)
    if (was === undefined || Buffer.compare(was, value) !== 0) changed.push([name, value])
  }
  return changed
}
