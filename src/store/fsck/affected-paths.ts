import { crc32 } from 'node:zlib'
import { type Index, pageSize } from '../../erofs/index.ts'
import { displayText } from '../../model/bytes.ts'
import type { DiffId } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { Pace } from '../../model/pace.ts'
import type { Bytes } from '../../stream/bytes.ts'
import type { AffectedPaths } from './findings.ts'

/** More are counted, not named. */
const mostPaths = 20

/** Pages of a tar that do not match the checksums in its index; `undefined` where there is nothing to compare with. */
export async function badPages(tar: Bytes, index: Index, signal?: AbortSignal): Promise<Set<number> | undefined> {
  const sums = index.tarPages()
  if (sums === undefined) return undefined
  const pace = new Pace(signal)
  const bad = new Set<number>()
  const page = Buffer.allocUnsafeSlow(pageSize)
  for (let at = 0; at < sums.length; at++) {
    const expected = Math.min(pageSize, (index.devices[0]?.size ?? 0) - at * pageSize)
    if (readable(tar, page.subarray(0, expected), at * pageSize) !== expected) bad.add(at)
    else if (crc32(page.subarray(0, expected)) !== sums[at]) bad.add(at)
    if (pace.due(64)) await pace.rest()
  }
  return bad
}

/** A sector that the disk cannot read is as bad as one that it reads wrongly. */
function readable(tar: Bytes, into: Buffer, position: number): number {
  try {
    return tar.read(into, position)
  } catch (error) {
    if (codeOf(error) !== 'EIO') throw error
    return -1
  }
}

/** The files of a layer whose content lies in these pages of its tar. */
export async function pathsIn(
  index: Index,
  layer: DiffId,
  pages: ReadonlySet<number>,
  signal?: AbortSignal,
): Promise<AffectedPaths> {
  const pace = new Pace(signal)
  const touched = (offset: number, size: number): boolean => {
    for (let page = Math.floor(offset / pageSize); page * pageSize < offset + size; page++)
      if (pages.has(page)) return true
    return false
  }
  const segments = index.spillSegments()
  const touchedInSpill = (offset: number, size: number): boolean => {
    if (segments === undefined) return false
    for (let row = segments.after(offset); row < segments.count; row++) {
      segments.load(row)
      if (segments.start >= offset + size) return false
      if (touched(segments.stored, segments.length)) return true
    }
    return false
  }
  const paths: string[] = []
  let count = 0
  const waiting = [{ ino: index.root, path: '' }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of index.list(directory.ino)) {
      const path = `${directory.path}/${name}`
      if (kind === 'directory') waiting.push({ ino, path })
      if (kind !== 'file') continue
      const extent = index.extent(ino)
      const { size } = index.stat(ino)
      if (extent === undefined || !(extent.device === 0 ? touched : touchedInSpill)(extent.offset, size)) continue
      count++
      if (paths.length < mostPaths) paths.push(displayText(path))
      if (pace.due()) await pace.rest()
    }
  }
  return { layer, paths: paths.sort(), count }
}
