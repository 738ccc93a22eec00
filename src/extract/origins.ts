import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import type { DirectoryTree } from './directory-tree.ts'
import type { Seen } from './steady-file.ts'

/**
 * Which inode of a tree each one of a directory was made from, and how it was then. An inode is named by its number and its time of
 * birth, since numbers are used again.
 */
export class Origins {
  readonly #entries = new Map<string, { readonly origin: number; readonly changed: bigint }>()
  readonly #made: bigint

  /** @param made when the last of them was written down, in nanoseconds since the epoch */
  private constructor(made: bigint) {
    this.#made = made
  }

  /** Looks at a directory that was just made from a tree. */
  static of(directory: DirectoryTree, tree: Tree): Origins {
    const waiting: [number, number][] = [[directory.root, tree.root]]
    const origins = new Origins(BigInt(Date.now()) * 1_000_000n)
    for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
      const [here, there] = pair
      origins.#add(directory.seen(here), there)
      for (const { name, ino, kind } of tree.list(there)) {
        // What has no place on a disk, as sockets, is not there.
        const found = directory.lookup(here, name)
        if (found === undefined) continue
        if (kind === 'directory') waiting.push([found, ino])
        else origins.#add(directory.seen(found), ino)
      }
    }
    return origins
  }

  /** One line of text each, newline included. */
  *encode(): Generator<string> {
    yield `${this.#made.toString(36)}\n`
    for (const [key, { origin, changed }] of this.#entries)
      yield `${key} ${changed.toString(36)} ${origin.toString(36)}\n`
  }

  /** @throws PLY_BAD_DOCUMENT */
  static decode(lines: readonly string[]): Origins {
    const origins = new Origins(number36(lines[0] ?? ''))
    for (const line of lines.slice(1)) {
      const [number = '', born = '', changed = '', origin = ''] = line.split(' ')
      origins.#entries.set(`${number} ${born}`, { origin: Number(number36(origin)), changed: number36(changed) })
    }
    return origins
  }

  /** What an inode was made from; `undefined` for one that somebody else made. */
  originOf(seen: Seen): number | undefined {
    return this.#entries.get(keyOf(seen))?.origin
  }

  /** Whether an inode is as it was made: what was changed right after that may not show it. */
  isUntouched(seen: Seen): boolean {
    const entry = this.#entries.get(keyOf(seen))
    return entry !== undefined && entry.changed === seen.changed && entry.changed < this.#made - coarse
  }

  #add(seen: Seen, origin: number): void {
    this.#entries.set(keyOf(seen), { origin, changed: seen.changed })
  }
}

/** By how much the clocks of file systems go at once, at most. */
const coarse = 50_000_000n

function keyOf({ number, born }: Seen): string {
  return `${number.toString(36)} ${born.toString(36)}`
}

function number36(text: string): bigint {
  if (!/^-?[0-9a-z]+$/.test(text))
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: 'the record of what was written',
      reason: 'a line of it makes no sense; extract the tree again',
    })
  const negative = text.startsWith('-')
  let value = 0n
  for (const digit of negative ? text.slice(1) : text) value = value * 36n + BigInt(Number.parseInt(digit, 36))
  return negative ? -value : value
}
