import { join } from 'node:path'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { namesIn } from '../records.ts'
import type { ContainerRecord, ContainerRecords } from './container-records.ts'
import type { Uppers } from './uppers.ts'

/**
 * Removes frozen uppers, and those below them, as far as no container stands on them. Where a record cannot be read, that is for the
 * next collection to decide. The caller holds the lock of the containers' records.
 */
export function letGo(
  {
    disk,
    layout,
    records,
    uppers,
  }: {
    readonly disk: Disk
    readonly layout: Layout
    readonly records: ContainerRecords
    readonly uppers: Uppers
  },
  ids: Iterable<string>,
): void {
  const doomed = new Set(ids)
  if (doomed.size === 0 || namesIn(disk, join(layout.root, 'quarantine', 'containers')).length > 0) return
  try {
    const needed = neededBy(records.list(), uppers)
    for (const id of doomed)
      for (let at: string | null = id; at !== null && !needed.has(at) && disk.fs.existsSync(uppers.pathOf(at)); ) {
        const { parent } = uppers.record(at)
        uppers.remove(at)
        at = parent
      }
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT' && codeOf(error) !== 'ENOENT') throw error
  }
}

/** The uppers that containers stand on. */
function neededBy(containers: Iterable<ContainerRecord>, uppers: Uppers): Set<string> {
  const needed = new Set<string>()
  for (const { upper, snapshots } of containers)
    for (const id of [upper, ...snapshots.map((snapshot) => snapshot.upper)])
      for (let at: string | null = id; at !== null && !needed.has(at); at = uppers.record(at).parent) needed.add(at)
  return needed
}
