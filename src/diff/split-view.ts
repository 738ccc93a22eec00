import type { LayerView, Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ViewPart } from './pack-view.ts'

export interface SplitViewOptions extends Operation {
  /**
   * Bytes of an archive after which a new part begins. A part is larger only by a single file that is, and by what its
   * directories and the further names of its hardlinks take.
   */
  readonly size?: number | undefined
  /** Each of these paths (byte strings without a leading slash), with all that is under it, is a part of its own, or several. */
  readonly paths?: readonly ByteString[] | undefined
}

const block = 512

/**
 * Cuts what a layer says into parts that stacked one after another, in this order, say the same. Link groups stay
 * together, where their first name is; what removes something from below, and links to it, are in the lowest part.
 *
 * There is at least one part. Memory grows with link groups and parts, not with entries.
 */
export async function splitView(
  view: LayerView,
  { size = Number.POSITIVE_INFINITY, paths = [], signal }: SplitViewOptions,
): Promise<readonly ViewPart[]> {
  const pace = new Pace(signal)
  const regions = new Regions(paths)
  const homes = new Map<number, Range>()
  /** The parts of each region, in the order of its paths. */
  const ranges: Range[][] = regions.prefixes.map((_, region) => [new Range(region, '', regions, homes)])

  const add = (path: ByteString, region: number, ino: number, bytes: number, linked: boolean): void => {
    const own = ranges[region]!
    let range = own.at(-1)!
    const home = linked ? homes.get(ino) : undefined
    if (home !== undefined) {
      home.used += block
      if (home !== range) home.strays.push(orderOf(path))
      return
    }
    if (range.used > 0 && range.used + bytes > size) {
      range.end = orderOf(path)
      own.push((range = new Range(region, range.end, regions, homes)))
    }
    range.used += bytes
    if (linked) homes.set(ino, range)
  }

  const stack: { path: ByteString; region: number; listing: Iterator<{ name: ByteString; verdict: Verdict }> }[] = []
  const enter = (path: ByteString, region: number, ino: number) =>
    stack.push({ path, region, listing: view.list(ino)[Symbol.iterator]() })
  if (!view.root.implied) add('', 0, view.root.ino, block, false)
  enter('', 0, view.root.ino)
  for (let frame: (typeof stack)[number] | undefined; (frame = stack.at(-1)); ) {
    if (pace.due()) await pace.rest()
    const { done, value } = frame.listing.next()
    if (done) {
      stack.pop()
      continue
    }
    const { name, verdict } = value
    if (verdict.says !== 'entry') continue
    const path = frame.path === '' ? name : `${frame.path}/${name}`
    const region = regions.at(path, frame.region)
    if (!verdict.directory) {
      const stat = view.stat(verdict.ino)
      const content = stat.kind === 'file' ? Math.ceil(stat.size / block) * block : 0
      add(path, region, verdict.ino, block + content, stat.links > 1 || view.linksBelow === true)
      continue
    }
    if (!verdict.implied) add(path, region, verdict.ino, block, false)
    enter(path, region, verdict.ino)
  }

  const parts = ranges.flat().filter((range) => range.used > 0)
  if (parts.length === 0) parts.push(ranges[0]![0]!)
  parts[0]!.lowest = true
  return parts
}

/** Where the paths are that have parts of their own. Region 0 is everything else. */
class Regions {
  readonly prefixes: readonly ByteString[]
  readonly #numbers: ReadonlyMap<ByteString, number>

  constructor(paths: readonly ByteString[]) {
    this.prefixes = ['', ...new Set(paths.filter((path) => path !== ''))]
    this.#numbers = new Map(this.prefixes.map((path, number) => [path, number]))
  }

  /** The region of a path, given that of its directory. */
  at(path: ByteString, above: number): number {
    return this.prefixes.length === 1 ? 0 : (this.#numbers.get(path) ?? above)
  }

  /** The region of any path: that of the longest prefix. */
  of(path: ByteString): number {
    if (this.prefixes.length === 1) return 0
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const region = this.#numbers.get(path.slice(0, end))
      if (region !== undefined) return region
    }
    return 0
  }
}

/** A part: the paths of a region between two, and names elsewhere whose link group began here. */
class Range implements ViewPart {
  lowest = false
  /** Bytes of it in an archive, so far. */
  used = 0
  /** The first path that is behind it, if any is. */
  end: string | undefined
  /** Names elsewhere, in order. */
  readonly strays: string[] = []
  readonly #region: number
  readonly #start: string
  readonly #regions: Regions
  readonly #homes: ReadonlyMap<number, Range>

  constructor(region: number, start: string, regions: Regions, homes: ReadonlyMap<number, Range>) {
    this.#region = region
    this.#start = start
    this.#regions = regions
    this.#homes = homes
  }

  has(path: ByteString, ino: number): boolean {
    const home = this.#homes.get(ino)
    if (home !== undefined) return home === this
    if (this.#regions.of(path) !== this.#region) return false
    const at = orderOf(path)
    return at >= this.#start && (this.end === undefined || at < this.end)
  }

  reaches(directory: ByteString): boolean {
    if (this.lowest) return true
    const at = orderOf(directory)
    return this.#overlaps(directory, at) || this.#straysInto(at)
  }

  #overlaps(directory: ByteString, at: string): boolean {
    const within =
      this.#regions.of(directory) === this.#region || this.#regions.prefixes[this.#region]!.startsWith(`${directory}/`)
    return within && `${at}\x01` > this.#start && (this.end === undefined || at < this.end)
  }

  #straysInto(at: string): boolean {
    const inside = `${at}\0`
    let low = 0
    for (let high = this.strays.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (this.strays[middle]! < inside) low = middle + 1
      else high = middle
    }
    return this.strays[low]?.startsWith(inside) === true
  }
}

/** A text whose byte order is the order in which a walk comes to paths: NUL is in no name. */
function orderOf(path: ByteString): string {
  return path.replaceAll('/', '\0')
}
