import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ByteString, decodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { type MountGround, mountGround } from '../store/mounts/ground.ts'
import { type RecordedMount, subjectName } from '../store/mounts/mount-record.ts'
import type { Store } from '../store/store.ts'
import { mountedElsewhere } from '../sys/mount-holders.ts'
import { mountAt, mountTable, whereMounted } from '../sys/mount-table.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { mountNamespaceOf, startOf } from '../sys/processes.ts'
import { unmountByKernel } from './by-kernel.ts'
import { unmountExtraction } from './extraction.ts'
import { unlessBusy } from './in-use.ts'
import type { UnmountOptions } from './mounted.ts'
import { namedTarget } from './target.ts'
import { unmountFuse } from './unmount-fuse.ts'

/**
 * Unmounts what of a store is mounted, whoever did it, dead or alive: what is called so (a directory; a container, a snapshot or an image,
 * wherever it is mounted; the id of a mount), or everything. Returns when what was written is on the disk, with the directories.
 *
 * @throws PLY_MOUNT_NOT_FOUND; PLY_MOUNT_BUSY with who is in it; EPERM for what another user has mounted; PLY_ABORTED
 */
export async function unmount(
  store: Store,
  name: string | undefined,
  { signal, ...how }: UnmountOptions & Operation = {},
): Promise<string[]> {
  const ground = store[mountGround]
  const all = ground.records.list()
  const target = name === undefined ? undefined : namedTarget(name)
  const chosen = name === undefined ? all : all.filter((one) => isCalled(one, name, target!))
  if (chosen.length > 0) {
    // What is mounted on another one goes first.
    const last = chosen.toReversed()
    for (const one of last) await unmountOne(store, ground, one, how, { signal })
    return last.map((one) => decodeText(one.target))
  }
  if (target === undefined) return []
  // Nobody has a record of it any more: it may be dead all the same.
  const there = mountAt(target)
  if (there?.type !== 'fuse.ply') throw new PlyError('PLY_MOUNT_NOT_FOUND', { name })
  await unlessBusy(target, () => unmountFuse(target, how))
  return [decodeText(target)]
}

function isCalled(mount: RecordedMount, name: string, target: ByteString): boolean {
  const subject = subjectName(mount)
  const names = [mount.id, subject, `container:${subject}`, subject.replace(/:latest$/, '')]
  return mount.target === target || names.includes(name)
}

async function unmountOne(
  store: Store,
  ground: MountGround,
  mount: RecordedMount,
  how: UnmountOptions,
  operation: Operation,
): Promise<void> {
  const { via } = mount
  const isHere = mount.mount?.namespace === mountNamespaceOf('self')
  if (mount.mount && !isHere) await endServer(mount, how)
  else if (via === 'fuse') await unmountServed(mount, how)
  else if (via === 'kernel') await unmountByKernel(ground, mount, how)
  else await unmountExtraction(store, mount, { ...how, ...operation })
  if (via === 'fuse' && !how.detach) await isLetGo(store, ground, mount, operation)
  using _ = await ground.records.lock(operation)
  if (via === 'extract' || (via === 'fuse' && isHere && !how.detach)) ground.records.remove(mount.id)
  ground.records.forgetVoid()
}

/** Nothing else that may be at the directory by now is touched. */
async function unmountServed({ mount }: RecordedMount, how: UnmountOptions): Promise<void> {
  const table = mountTable()
  const where = whereMounted(({ source }) => source === mount?.source, table)
  if (where === undefined) return
  await unlessBusy(where, async () => {
    if (mountAt(where, table)?.source !== mount?.source) throw new PlyError('EBUSY', { syscall: 'umount' })
    await unmountFuse(where, how)
  })
}

/** What is mounted elsewhere only those can reach who are there: whoever serves it is told to end. */
async function endServer({ server, target }: RecordedMount, { force = false }: UnmountOptions): Promise<void> {
  if (server === undefined || startOf(server.pid) !== server.started)
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `unmounting ${decodeText(target)} from here`,
      reason: 'it is in another mount namespace, and goes with the last process in that one',
    })
  process.kill(server.pid, 'SIGTERM')
  if (force) process.kill(server.pid, 'SIGTERM')
}

/**
 * Returns when whoever served a container has closed it: then the lock of its upper is free. Or at once, where it is
 * served on for another mount namespace. @throws PLY_ABORTED
 */
async function isLetGo(
  store: Store,
  ground: MountGround,
  { subject, server, mount }: RecordedMount,
  { signal }: Operation,
): Promise<void> {
  if (subject.kind !== 'container') return
  const disk = nodeDisk()
  for (let pause = 2; ; pause = Math.min(50, pause * 2)) {
    if (server === undefined || startOf(server.pid) !== server.started) return
    checkAborted(signal)
    if (pause > 40 && mountedElsewhere(({ source }) => source === mount?.source).length > 0) return
    const container = (await store.containers.list()).find(({ name }) => name === subject.name)
    const path = container && join(ground.layout.locks, `upper-${container.upper}`)
    if (path === undefined || !existsSync(path)) return
    using held = await disk.lock(path)
    // Somebody else may have been faster: it is theirs now.
    if (held || ground.records.list().some((one) => subjectName(one) === subject.name)) return
    await sleep(pause)
  }
}
