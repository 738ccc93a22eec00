import { IndexBuilder } from '../erofs/index.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import { defaultDirectory } from '../model/entry.ts'
import { badLayer } from '../tar/index.ts'
import type { LayerLimits } from './limits.ts'
import type { Findings } from './report.ts'
import { type Arrival, type Ended, type Steps, walk } from './walk.ts'

/**
 * Where the members of a layer go: the index in the making, and what is true of its names beyond what the index says.
 */
export class Placement {
  readonly builder = new IndexBuilder()
  readonly findings: Findings
  readonly limits: LayerLimits
  /** Whether directories were made that no entry describes. */
  implies = false
  /** Directories that a marker made opaque, and all that are. */
  readonly #marked = new Set<number>()
  readonly #opaque: number[] = []
  /** Names that the layer both removes and has, so that no whiteout stands there. */
  readonly #overruled = new Set<string>()
  /** Where members went: archives come back to a directory after what is in another one. */
  readonly #arrivals = new Map<ByteString, Arrival>()
  #lastParent: ByteString | undefined
  #lastArrival: Arrival | undefined

  constructor(findings: Findings, limits: LayerLimits) {
    this.findings = findings
    this.limits = limits
  }

  /** The directory at a path, made if it is missing: the way to an entry. */
  arrive(path: ByteString, entry: ByteString, obstacleRule = 'N-14'): Arrival {
    if (path === this.#lastParent) return this.#lastArrival!
    let arrival = this.#arrivals.get(path)
    if (arrival === undefined) {
      arrival = walk(this.builder, path, entry, this.limits, this.#making(entry, obstacleRule)) as Arrival
      if (this.#arrivals.size === mostArrivals) this.#arrivals.clear()
      this.#arrivals.set(path, arrival)
    }
    this.#lastParent = path
    return (this.#lastArrival = arrival)
  }

  /** The directory at a path, a ghost if it is missing: the way to a whiteout. It ends where nothing is left to remove. */
  haunt(path: ByteString, entry: ByteString): Arrival | Ended {
    return walk(this.builder, path, entry, this.limits, this.#haunting(entry))
  }

  /** Puts something that is not a directory at a name; what stood there goes, with everything under it. */
  put(directory: number, name: ByteString, inode: number, entry: ByteString): void {
    const existing = this.builder.child(directory, name)
    if (existing !== undefined) this.#replaced(directory, name, existing, entry)
    this.builder.enter(directory, name, inode)
  }

  /** Puts a directory where none is. `make` is told whether it is opaque. */
  putDirectory(directory: number, name: ByteString, entry: ByteString, make: (opaque: boolean) => number): void {
    const existing = this.builder.child(directory, name)
    // What this layer removed, or had something else in place of, does not reappear from below (W-05, R-03).
    const opaque = existing !== undefined
    if (opaque) this.#replaced(directory, name, existing, entry)
    const inode = make(opaque)
    if (opaque) this.#opaque.push(inode)
    this.builder.enter(directory, name, inode)
  }

  duplicate(entry: ByteString): void {
    this.findings.warn(entry, 'N-12', 'the layer has this name more than once; the last one counts')
  }

  /** Makes a directory opaque by a marker. `false` if one did before. */
  mark(directory: number): boolean {
    if (this.#marked.has(directory)) return false
    this.#marked.add(directory)
    this.#opaque.push(directory)
    this.builder.setFacts(directory, { opaque: true })
    return true
  }

  /** A whiteout meets the layer's own entry, which wins (W-03 to W-06). `false` if one did before. */
  overrule(directory: number, name: ByteString, existing: number): boolean {
    const key = keyOf(directory, name)
    if (this.#overruled.has(key)) return false
    this.#overruled.add(key)
    if (this.builder.kind(existing) === 'directory') {
      this.#opaque.push(existing)
      this.builder.setFacts(existing, { opaque: true, implied: false })
    }
    return true
  }

  /**
   * In an opaque directory, at any depth, nothing from below is left to remove (W-09): whiteouts and ghosts go, and
   * whiteouts that met a directory there leave no trace, so that the order of the archive does not show.
   */
  prune(): void {
    const { builder } = this
    const seen = new Set<number>()
    const todo = [...this.#opaque]
    for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
      if (seen.has(directory)) continue
      seen.add(directory)
      const redundant: ByteString[] = []
      for (const [name, inode] of builder.children(directory)) {
        const kind = builder.kind(inode)
        if (kind !== 'directory' && kind !== 'character') continue
        const { whiteout, ghost, header } = builder.facts(inode)
        if (whiteout || ghost) redundant.push(name)
        else if (kind === 'directory') {
          builder.setFacts(inode, { opaque: this.#marked.has(inode), implied: header === undefined })
          todo.push(inode)
        }
      }
      for (const name of redundant) builder.remove(directory, name)
    }
  }

  #replaced(directory: number, name: ByteString, existing: number, entry: ByteString): void {
    const { whiteout, ghost, implied } = this.builder.facts(existing)
    if (whiteout) {
      this.#overruled.add(keyOf(directory, name))
      return
    }
    if (this.#marked.has(existing)) {
      throw badLayer(entry, 'W-13', 'the layer marks this as an opaque directory, and it is none')
    }
    if (!ghost && !implied) this.duplicate(entry)
    this.#arrivals.clear()
    this.#lastParent = undefined
  }

  #making(entry: ByteString, obstacleRule: string): Steps {
    const { builder } = this
    return {
      missing: (directory, name) => {
        this.implies = true
        return this.#invent(directory, name, { implied: true })
      },
      whiteout: (directory, name) => {
        this.#overruled.add(keyOf(directory, name))
        return this.#instead(directory, name)
      },
      directory: (inode) => {
        if (builder.facts(inode).ghost) {
          this.implies = true
          builder.setFacts(inode, { ghost: false, implied: true })
        }
        return true
      },
      obstacle: (directory, name, path) => {
        this.#obstructed(entry, obstacleRule, path)
        return this.#instead(directory, name)
      },
    }
  }

  #haunting(entry: ByteString): Steps {
    const { builder } = this
    return {
      missing: (directory, name) => this.#invent(directory, name, { ghost: true }),
      whiteout: () => undefined,
      directory: (inode) => !builder.facts(inode).opaque,
      obstacle: (_directory, _name, path) => {
        this.#obstructed(entry, 'N-14', path)
        return undefined
      },
    }
  }

  #invent(directory: number, name: ByteString, facts: { implied?: true; ghost?: true; opaque?: true }): number {
    const inode = this.builder.inode({ kind: 'directory', ...defaultDirectory, facts })
    this.builder.enter(directory, name, inode)
    return inode
  }

  /** A directory that no entry describes in place of something else of this layer: nothing from below shows (W-06). */
  #instead(directory: number, name: ByteString): number {
    const inode = this.#invent(directory, name, { opaque: true })
    this.#opaque.push(inode)
    return inode
  }

  #obstructed(entry: ByteString, rule: string, path: ByteString): void {
    const text = `${displayText(path)} is in the way, which the layer has as something other than a directory`
    if (rule !== 'N-14') throw badLayer(entry, rule, text)
    this.findings.forgive(entry, rule, text)
  }
}

/** Paths whose directories are remembered: as many as are worth their memory. */
const mostArrivals = 1024

function keyOf(directory: number, name: ByteString): string {
  return `${directory}/${name}`
}
