import type { Aspect } from '../diff/index.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat } from '../model/entry.ts'
import type { WasteCause, WastedFile } from '../trace/index.ts'
import { Growing } from './growing.ts'
import { shownName } from './names.ts'
import type { OwnerTable } from './owner-table.ts'
import { aspects, deeds, type FileTable, kinds, marks, noLayer, wasteCauses } from './table.ts'

const kindNumbers = new Map<Kind, number>(kinds.map((kind, number) => [kind, number]))
const aspectBits = new Map<Aspect, number>(aspects.map((aspect, bit) => [aspect, 1 << bit]))
const causeNumbers = new Map<WasteCause, number>(wasteCauses.map((cause, number) => [cause, number]))

/** One step in the story of a row. */
export interface RowStep {
  readonly layer: number
  readonly deed: (typeof deeds)[number]
  readonly changed: readonly Aspect[]
  /** What stands there then, or stood there. */
  readonly stat: Stat
  readonly at: number
}

/** One row that is put at the end. */
export interface NewRow {
  readonly path: ByteString
  readonly stat: Stat
  readonly layer: number
  readonly present: boolean
  readonly link: boolean
  readonly target: ByteString | undefined
  /** Absent where `layer` added it, and that is all. */
  readonly story: readonly RowStep[] | undefined
}

/** The columns of a `FileTable`, filled row by row. */
export class FileRows {
  readonly #owners: OwnerTable
  readonly #wasted: ReadonlyMap<ByteString, readonly WastedFile[]>
  readonly #files: readonly WastedFile[]
  readonly #wastedRows = new Map<ByteString, number>()
  readonly #names: string[] = []
  readonly #targets: string[] = []
  readonly #depth = new Growing(Uint16Array)
  readonly #kind = new Growing(Uint8Array)
  readonly #marks = new Growing(Uint8Array)
  readonly #mode = new Growing(Uint16Array)
  readonly #owner = new Growing(Uint32Array)
  readonly #size = new Growing(Float64Array)
  readonly #mtime = new Growing(Float64Array)
  readonly #layer = new Growing(Uint16Array)
  readonly #told = new Growing(Uint32Array)
  readonly #story = new Growing(Uint32Array)
  readonly #stepLayer = new Growing(Uint16Array)
  readonly #stepDeed = new Growing(Uint8Array)
  readonly #stepChanged = new Growing(Uint16Array)
  readonly #stepKind = new Growing(Uint8Array)
  readonly #stepMode = new Growing(Uint16Array)
  readonly #stepOwner = new Growing(Uint32Array)
  readonly #stepSize = new Growing(Float64Array)
  readonly #stepMtime = new Growing(Float64Array)
  readonly #stepAt = new Growing(Uint16Array)
  readonly #linked = new Growing(Uint32Array)

  constructor(owners: OwnerTable, wasted: readonly WastedFile[]) {
    this.#owners = owners
    this.#files = wasted
    const byPath = new Map<ByteString, WastedFile[]>()
    for (const file of wasted) {
      for (const path of file.like === undefined ? [file.path] : [file.path, file.like]) {
        const known = byPath.get(path)
        if (known === undefined) byPath.set(path, [file])
        else known.push(file)
      }
    }
    this.#wasted = byPath
  }

  get length(): number {
    return this.#names.length
  }

  push({ path, stat, layer, present, link, target, story }: NewRow): void {
    const row = this.#names.length
    this.#names.push(shownName(path.slice(path.lastIndexOf('/') + 1)))
    this.#depth.push(depthOf(path))
    this.#kind.push(kindNumbers.get(stat.kind)!)
    this.#marks.push((present ? marks.present : 0) | (link ? marks.link : 0))
    this.#mode.push(stat.mode)
    this.#owner.push(this.#owners.numberOf(stat.uid, stat.gid))
    this.#size.push(stat.kind === 'directory' ? 0 : stat.size)
    this.#mtime.push(secondsOf(stat.mtime))
    this.#layer.push(Math.min(layer, noLayer))
    if (target !== undefined) {
      this.#linked.push(row)
      this.#targets.push(shownName(target))
    }
    if (this.#wasted.has(path)) this.#wastedRows.set(path, row)
    if (story === undefined) return
    this.#told.push(row)
    this.#story.push(this.#stepLayer.length)
    for (const step of story) this.#pushStep(step)
  }

  #pushStep({ layer, deed, changed, stat, at }: RowStep): void {
    this.#stepLayer.push(layer)
    this.#stepDeed.push(deeds.indexOf(deed))
    this.#stepChanged.push(bitsOf(changed))
    this.#stepKind.push(kindNumbers.get(stat.kind)!)
    this.#stepMode.push(stat.mode)
    this.#stepOwner.push(this.#owners.numberOf(stat.uid, stat.gid))
    this.#stepSize.push(stat.kind === 'directory' ? 0 : stat.size)
    this.#stepMtime.push(secondsOf(stat.mtime))
    this.#stepAt.push(at)
  }

  done(): FileTable {
    this.#story.push(this.#stepLayer.length)
    const wasted = this.#files.filter(({ path }) => this.#wastedRows.has(path))
    const rowOf = (path: ByteString) => this.#wastedRows.get(path)!
    return {
      count: this.#names.length,
      names: this.#names.map((name) => `${name}/`).join(''),
      depth: this.#depth.done(),
      kind: this.#kind.done(),
      marks: this.#marks.done(),
      mode: this.#mode.done(),
      owner: this.#owner.done(),
      size: this.#size.done(),
      mtime: this.#mtime.done(),
      layer: this.#layer.done(),
      told: this.#told.done(),
      story: this.#story.done(),
      stepLayer: this.#stepLayer.done(),
      stepDeed: this.#stepDeed.done(),
      stepChanged: this.#stepChanged.done(),
      stepKind: this.#stepKind.done(),
      stepMode: this.#stepMode.done(),
      stepOwner: this.#stepOwner.done(),
      stepSize: this.#stepSize.done(),
      stepMtime: this.#stepMtime.done(),
      stepAt: this.#stepAt.done(),
      linked: this.#linked.done(),
      targets: this.#targets.map((target) => `${target}\0`).join(''),
      wasteRow: Uint32Array.from(wasted, ({ path }) => rowOf(path)),
      wasteCause: Uint8Array.from(wasted, ({ cause }) => causeNumbers.get(cause)!),
      wasteBytes: Float64Array.from(wasted, ({ bytes }) => bytes),
      wasteLayer: Uint16Array.from(wasted, ({ layer }) => layer),
      wasteBy: Uint16Array.from(wasted, ({ by }) => by),
      wasteLike: Uint32Array.from(wasted, ({ path, like }) => rowOf(like ?? path)),
    }
  }
}

/** How many names a path has: 0 for the root. */
export function depthOf(path: ByteString): number {
  if (path === '') return 0
  let depth = 1
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++
  return depth
}

export function bitsOf(changed: readonly Aspect[]): number {
  let bits = 0
  for (const aspect of changed) bits |= aspectBits.get(aspect)!
  return bits
}

function secondsOf(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000_000n)
}
