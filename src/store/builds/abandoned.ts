import { join } from 'node:path'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Containers } from '../containers/containers.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../walk.ts'

/** What a command of a build, and its scratch, are called: whoever uses one holds the lock of the same name. */
const inUse = /^build-[0-9a-f]{16}$/

/**
 * Takes away what builds have left whose processes were killed: their containers, and their scratch. What somebody builds in stays.
 * The caller may write.
 */
export async function removeAbandoned({
  containers,
  disk,
  layout,
}: {
  readonly containers: Pick<Containers, 'list' | 'remove'>
  readonly disk: Disk
  readonly layout: Layout
}): Promise<void> {
  const free = (name: string) => disk.lock(join(layout.locks, name))
  for (const name of entriesIn(disk, layout.tmp)) {
    if (!inUse.test(name)) continue
    using held = await free(name)
    if (held !== undefined) disk.fs.rmSync(join(layout.tmp, name), { recursive: true, force: true })
  }
  if (!entriesIn(disk, layout.containers).some((name) => inUse.test(name))) return
  for (const { name } of await containers.list()) {
    if (!inUse.test(name)) continue
    using held = await free(name)
    if (held === undefined) continue
    try {
      await containers.remove(name)
    } catch (error) {
      // Its mount may still be on its way out, or another build was faster.
      if (!['PLY_CONTAINER_BUSY', 'PLY_CONTAINER_NOT_FOUND'].includes(codeOf(error) ?? '')) throw error
    }
  }
}
