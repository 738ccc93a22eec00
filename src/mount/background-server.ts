/** The program of a process that serves one mount in the background: see `mountInBackground`. */
import { once } from 'node:events'
import { failureData } from '../fuse/thread-messages.ts'
import { layoutOf } from '../store/layout.ts'
import { MountRecords } from '../store/mounts/mount-records.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import type { BackgroundAnswer, BackgroundOrder } from './background.ts'
import { Endings, servedUntilTold } from './ending.ts'
import { mountByFuse } from './fuse-mount.ts'
import type { Attached } from './mounted.ts'
import { shiftOf } from './owner-ranges.ts'

// It has no terminal that could be closed.
process.on('SIGHUP', () => {})
const endings = new Endings(undefined, ['SIGINT', 'SIGTERM'])
process.title = `ply mount ${process.argv[2] ?? ''}`
// Whoever started it has died before the mount was recorded: nobody would know of it.
const orphaned = (): void => endings.add('SIGTERM')
process.on('disconnect', orphaned)

const [asked] = (await once(process, 'message')) as [BackgroundOrder]
if (asked.order === 'mount') await serve(asked)
process.exit(0)

async function serve({ standing, target, options }: Extract<BackgroundOrder, { order: 'mount' }>): Promise<void> {
  const { owners, ...rest } = options
  let mount: Attached
  try {
    mount = await mountByFuse(standing, target, {
      ...rest,
      ...(owners && { owners: shiftOf(owners) }),
      signal: endings.signal,
    })
  } catch (error) {
    await answer({ says: 'failed', error: failureData(error) })
    return
  }
  process.on('message', (order: BackgroundOrder) => {
    if (order.order !== 'keep') return
    process.off('disconnect', orphaned)
    process.disconnect()
  })
  await answer({ says: 'mounted' })
  try {
    await servedUntilTold(mount, endings)
  } finally {
    if (!standing.store.options.readOnly) await forgetRecord(standing.store.root)
  }
}

/** What is mounted no more has no record. */
async function forgetRecord(root: string): Promise<void> {
  const records = new MountRecords(nodeDisk(), layoutOf(root))
  using _ = await records.lock({})
  records.forgetVoid()
}

/** Whoever asked may have gone. */
async function answer(said: BackgroundAnswer): Promise<void> {
  await new Promise<void>((resolve) => {
    if (!process.connected) resolve()
    else process.send!(said, undefined, undefined, () => resolve())
  })
}
