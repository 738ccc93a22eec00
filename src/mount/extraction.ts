import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { bringBack } from '../extract/bring-back.ts'
import { type DirectoryTree, realTree } from '../extract/directory-tree.ts'
import { extractTree } from '../extract/extract-tree.ts'
import { Origins } from '../extract/origins.ts'
import { emptyWhole } from '../extract/remove-whole.ts'
import { restoredByInode } from '../extract/restored-tree.ts'
import type { Written } from '../extract/written.ts'
import { type ByteString, decodeText, displayText, encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { mappedTree, type OwnerShift } from '../stack/mapped-tree.ts'
import type { Tree } from '../stack/tree.ts'
import { mountGround } from '../store/mounts/ground.ts'
import type { MountSubject } from '../store/mounts/standing.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { ExtractionRecords } from './extraction-record.ts'
import { busyMount, mountsIn, usersOf } from './in-use.ts'
import type { Attached, MountOptions, UnmountOptions } from './mounted.ts'
import { rangesOf, shiftOf } from './owner-ranges.ts'
import type { Standing } from './standing.ts'
import { UnshiftedTree } from './unshifted-tree.ts'

/** An extraction, by what its record says. */
export interface Extracted {
  readonly subject: MountSubject
  /** The upper that changes go to; `null` where none do. */
  readonly upper: string | null
  /** The directory from the root: bytes. */
  readonly target: ByteString
  readonly readOnly: boolean
}

/**
 * Writes a container, a snapshot or an image to a directory that is new or empty, as a mount that needs nothing of the machine. For a
 * container it is noted what every file was made of, so that unmounting brings back what was changed; then the directory is removed. Set-id
 * bits, capabilities and devices are written only if they are asked for, and come back as they were all the same; so do owners that nobody
 * else than root could give.
 *
 * @param target the directory from the root, resolved: bytes; its parent exists
 * @throws PLY_EXISTS, PLY_UNREPRESENTABLE, PLY_ABORTED; what opening the container throws, and what the disk answers
 */
export async function mountByExtraction(
  standing: Standing,
  target: ByteString,
  options: MountOptions = {},
): Promise<Attached> {
  const { subject, upper } = standing
  const { readOnly = subject.kind !== 'container', suid = false, devices = false, signal, onProgress } = options
  const owners = options.owners && feasible(options.owners)
  checkText(target)
  await using store = await openStore(standing.store.root, standing.store.options)
  const { tree, close } = await openSubject(store, standing, { signal, onProgress })
  try {
    const written: Written[] = []
    const onWritten = (one: Written) => written.push(one)
    const xattrs = 'all'
    const asked = { shift: owners, suid, devices, xattrs, reachable: true } as const
    await extractTree(tree, decodeText(target), { ...asked, onWritten, signal, onProgress })
    if (upper !== undefined && !readOnly) {
      const disk = realTree(decodeText(target))
      const numbered = written.map((one) => ({ ino: numberAt(tree, one.path), written: one }))
      recordsOf(store, upper.id).write(owners && rangesOf(owners), Origins.of(disk, tree), numbered)
      disk.close()
    }
  } finally {
    await close()
  }
  const extracted: Extracted = { subject, upper: upper?.id ?? null, target, readOnly }
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    ended,
    async unmount(how) {
      await using store = await openStore(standing.store.root, standing.store.options)
      await unmountExtraction(store, extracted, how)
      end()
    },
    // Nobody was told of it, so nobody has changed anything; and who mounts it holds the container.
    async abandon() {
      await emptyDirectory(decodeText(target))
      if (extracted.upper !== null && !readOnly) recordsOf(store, extracted.upper).remove()
      end()
    },
  }
}

/**
 * Ends an extraction, in whichever process: what was changed in the directory is brought back into the container, then the directory is
 * empty, as one is on which nothing is mounted. Whoever dies in between loses nothing: done again, it goes on. Safe to call when the
 * directory is gone.
 *
 * @throws PLY_MOUNT_BUSY, with who is in it, unless `detach` or `force` is set; PLY_CHANGED if somebody writes in it; PLY_UNREPRESENTABLE for an
 * owner that the container cannot have; PLY_CONTAINER_BUSY
 */
export async function unmountExtraction(
  store: Store,
  { subject, upper, target, readOnly }: Extracted,
  { detach = false, force = false, ...operation }: UnmountOptions & Operation = {},
): Promise<void> {
  const path = decodeText(target)
  const records = upper === null || readOnly ? undefined : recordsOf(store, upper)
  const isOver = records !== undefined && !records.exists() && isEmpty(path)
  if (!isOver && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    // Never, whatever is asked for: what is mounted there would be emptied, too.
    checkNothingOn(target)
    if (!detach && !force) checkUnused(target)
    if (records && subject.kind === 'container')
      await changesBack(store, records, subject.name, upper!, path, operation)
    await emptyDirectory(path)
  }
  records?.remove()
}

/** Who is not root gives nothing away: whatever has no owner there belongs to who extracts, and comes back as whose it was. */
function feasible(owners: OwnerShift): OwnerShift {
  const [uid, gid] = [process.geteuid!(), process.getegid!()]
  return uid === 0 || owners.outside !== undefined ? owners : { ...owners, outside: { uid, gid } }
}

async function changesBack(
  store: Store,
  records: ExtractionRecords,
  name: string,
  upper: string,
  path: string,
  operation: Operation,
): Promise<void> {
  const record = records.read()
  if (record.broughtBack) return
  const container = await store[mountGround].write(name, upper, operation)
  try {
    const { origins, owners, written } = record
    for (let before: string | undefined; ; ) {
      const disk = realTree(path)
      const now = lookOf(disk)
      // What was written while it was read is there by now.
      if (now === before) break
      before = now
      const originOf = (ino: number) => origins.originOf(disk.seen(ino))
      const shift = owners && shiftOf(owners)
      const shown = shift ? mappedTree(container.tree, shift) : container.tree
      const restored = restoredByInode(disk, shown, (ino) => {
        const origin = originOf(ino)
        const less = origin === undefined ? undefined : written.get(origin)
        return less && container.tree.has?.(origin!) ? { written: less, ino: origin! } : undefined
      })
      const changed = shift ? new UnshiftedTree(restored, container.tree, { shift, originOf }) : restored
      await bringBack(changed, container.tree, {
        originOf,
        isUntouched: (ino) => origins.isUntouched(disk.seen(ino)),
        pathOf: (ino) => disk.pathOf(ino),
        ...operation,
      })
    }
    container.tree.sync()
  } finally {
    await container.close()
  }
  records.broughtBack()
}

async function openSubject(
  store: Store,
  { subject, manifest }: Standing,
  operation: Operation,
): Promise<{ readonly tree: Tree; close(): Promise<void> }> {
  if (subject.kind === 'image') {
    const tree = await store.tree(manifest, operation)
    return { tree, close: async () => tree.close() }
  }
  const name = subject.kind === 'container' ? subject.name : `${subject.container}@${subject.snapshot}`
  const container = await store.containers.open(name, { readOnly: true, ...operation })
  return { tree: container.tree, close: () => container.close() }
}

function recordsOf(store: Store, upper: string): ExtractionRecords {
  const { layout } = store[mountGround]
  return new ExtractionRecords(join(layout.uppers, upper), layout.tmp)
}

function checkNothingOn(target: ByteString): void {
  if (mountsIn(target).length > 0) throw busyMount(target, undefined)
}

function checkUnused(target: ByteString): void {
  if (usersOf(target).length > 0) throw busyMount(target, undefined)
}

/** What takes a path as text could be led elsewhere by bytes that are none. */
function checkText(target: ByteString): void {
  if (encodeText(decodeText(target)) === target) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: `extracting to ${displayText(target)}`,
    reason: 'its name is not UTF-8; choose another directory',
  })
}

function numberAt(tree: Tree, path: ByteString): number {
  let ino = tree.root
  for (const name of path === '' ? [] : path.split('/')) ino = tree.lookup(ino, name)!
  return ino
}

/** Reads all names, and answers with what changes when anything in the directory does. */
function lookOf(disk: DirectoryTree): string {
  const hash = createHash('sha256')
  const waiting = [disk.root]
  const note = (ino: number) => {
    const { number, changed } = disk.seen(ino)
    hash.update(`${number} ${changed}\n`)
  }
  note(disk.root)
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of disk.list(directory)) {
      hash.update(name)
      note(ino)
      if (kind === 'directory') waiting.push(ino)
    }
  }
  return hash.digest('hex')
}

function isEmpty(path: string): boolean {
  return !existsSync(path) || readdirSync(path).length === 0
}

/** Leaves a new directory that is empty. One that cannot be removed, as a mount point, only loses what is in it. */
async function emptyDirectory(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return
  // Others may have been allowed to change what is in it: from here on they do not even get there.
  await emptyWhole(path)
  removeIfPossible(path)
  makeIfPossible(path)
}

function makeIfPossible(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (!['EEXIST', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
  }
}

function removeIfPossible(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if (!['EBUSY', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
  }
}
