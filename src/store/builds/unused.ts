import { join } from 'node:path'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../walk.ts'
import { BuildRecords } from './build-records.ts'

/** What of builds may go. */
export interface UnusedBuilds {
  /** Of records that keep nothing alive any more. */
  readonly keys: ReadonlySet<string>
  /** Records, also those that cannot be read, and directories that commands have kept something in. */
  readonly files: readonly string[]
}

/** What builds have made and nobody has used for so many seconds. The caller holds off every build. */
export function unusedBuilds(
  { disk, layout }: { readonly disk: Disk; readonly layout: Layout },
  seconds: number,
): UnusedBuilds {
  const oldest = Date.now() - seconds * 1000
  const records = new BuildRecords(disk, layout)
  const keys = new Set<string>()
  const files: string[] = []
  for (const file of entriesIn(disk, layout.builds)) {
    if (file === 'mounts') continue
    const key = file.replace(/\.json$/, '')
    if (records.get(key) !== undefined && records.usedAt(key) > oldest) continue
    keys.add(key)
    files.push(join(layout.builds, file))
  }
  const mounts = join(layout.builds, 'mounts')
  for (const name of entriesIn(disk, mounts))
    if (disk.fs.statSync(join(mounts, name)).mtimeMs <= oldest) files.push(join(mounts, name))
  return { keys, files }
}
