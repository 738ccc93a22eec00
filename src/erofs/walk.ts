import type { ByteString } from '../model/bytes.ts'
import type { Pace } from '../model/pace.ts'
import type { IndexContent } from './content.ts'
import { packNames } from './dirents.ts'
import { unrepresentable } from './refusal.ts'
import { listingOf } from './sort-names.ts'

/** What is reachable and in which order. Arrays named by `id` are by the builder's numbers. */
export interface Walk {
  /** Reachable inodes: the root, then by directory its children in byte order, then those of its first subdirectory … */
  readonly order: Uint32Array
  /** Names that the inode has; directories: 2 + subdirectories. By id. */
  readonly links: Uint32Array
  /** All listings one after another, `.` and `..` included, each in byte order. */
  readonly names: readonly ByteString[]
  /** The inode at each name. */
  readonly members: Uint32Array
  /** The directory's part of `names`. By id. */
  readonly start: Uint32Array
  readonly end: Uint32Array
  /** Where the last block's part begins. By id. */
  readonly tailStart: Uint32Array
  readonly tailSize: Uint16Array
  /** Directory blocks before the last one. By id. */
  readonly fullBlocks: Uint32Array
}

/** They have their place among the names. */
const dots: readonly ByteString[] = ['.', '..']

/**
 * Orders the inodes: a directory's new inodes stand together in byte order of their names, then come its
 * subdirectories, each with everything under it. An inode with several names stands at the first.
 */
export async function walkContent({ root, columns, children }: IndexContent, pace: Pace): Promise<Walk> {
  const { count } = columns
  let entries = 0
  for (const own of children.values()) entries += ('names' in own ? own.names.length : own.size) + 2
  const order = new Uint32Array(count)
  const links = new Uint32Array(count)
  const names: ByteString[] = []
  const members = new Uint32Array(entries)
  const start = new Uint32Array(count)
  const end = new Uint32Array(count)
  const tailStart = new Uint32Array(count)
  const tailSize = new Uint16Array(count)
  const fullBlocks = new Uint32Array(count)
  const parent = new Uint32Array(count)

  let reached = 0
  order[reached++] = root
  links[root] = 2
  parent[root] = root
  const waiting = [root]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const { names: own, inodes } = await listingOf(children.get(directory)!, pace)
    const first = names.length
    start[directory] = first
    let dotted = 0
    for (let i = 0; i <= own.length; i++) {
      const name = own[i]
      while (dotted < dots.length && (name === undefined || name > dots[dotted]!)) {
        members[names.length] = dotted === 0 ? directory : parent[directory]!
        names.push(dots[dotted++]!)
      }
      if (name === undefined) break
      const id = inodes[i]!
      members[names.length] = id
      names.push(name)
      if (!columns.isDirectory(id)) {
        if (links[id]!++ === 0) order[reached++] = id
      } else {
        if (links[id] !== 0) throw unrepresentable(JSON.stringify(name), 'a directory has one name')
        order[reached++] = id
        parent[id] = directory
        links[id] = 2
        links[directory]!++
      }
      if (pace.due()) await pace.rest()
    }
    end[directory] = names.length
    packNames(names, first, names.length, (from, to, used) => {
      tailStart[directory] = from
      tailSize[directory] = used
      if (to < names.length) fullBlocks[directory]!++
    })
    if (links[directory] === 2) continue
    for (let i = inodes.length - 1; i >= 0; i--) if (columns.isDirectory(inodes[i]!)) waiting.push(inodes[i]!)
  }
  return { order: order.subarray(0, reached), links, names, members, start, end, tailStart, tailSize, fullBlocks }
}
