import { createHash, randomBytes } from 'node:crypto'
import { statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type DiffId, hexOf } from '../../model/digest.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { copyThroughMemory } from '../../sys/copy.ts'
import type { Disk } from '../../sys/disk.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { Layout } from '../layout.ts'

/** A part of a file, in whole blocks. */
export interface Run {
  readonly offset: number
  readonly length: number
}

const btrfs = 0x9123683e
const step = 8 << 20

/**
 * Whether the disk frees a run of blocks only when all of it is unused that was once written together: Btrfs. There, sharing a part of
 * a tar frees nothing as long as the rest of it lies around that part.
 */
export function keepsWholeExtents({ root }: Layout): boolean {
  return statfsSync(root).type === btrfs
}

/** The tar of a layer: its blob, where it travels as it is, else a cache. */
export function tarOf(layout: Layout, { diffId, descriptor }: LayerId): string {
  return descriptor.digest === diffId ? layout.blobOf(diffId) : layout.tarOf(diffId)
}

/**
 * Writes a layer's tar anew: the runs stay in the blocks that they lie in, shared with others, and the rest goes to blocks of its
 * own, so that those it lay in are free. The new file is hashed before it takes the place of the old one, in one step; whoever has
 * that open goes on reading it. One that is damaged is left as it is.
 */
export async function repack(
  { disk, layout }: { readonly disk: Disk; readonly layout: Layout },
  id: LayerId,
  runs: readonly Run[],
  { signal }: Operation = {},
): Promise<void> {
  const { fs } = disk
  const path = tarOf(layout, id)
  const draft = join(layout.tmp, `repack-${randomBytes(8).toString('hex')}`)
  using _ = (await disk.lock(join(layout.locks, `layer-${hexOf(id.diffId)}`), { wait: true, signal }))!
  let source: number | undefined
  let target: number | undefined
  try {
    source = fs.openSync(path, 'r')
    target = fs.openSync(draft, 'wx+', 0o600)
    const { size, mode, atimeMs, mtimeMs } = fs.fstatSync(source)
    let done = 0
    const rest = async (end: number) => {
      for (; done < end; done += Math.min(step, end - done)) {
        const part = Math.min(step, end - done)
        copyThroughMemory(fs, { fd: source!, offset: done }, { fd: target!, offset: done }, part)
        await breathe(signal)
      }
    }
    for (const { offset, length } of [...runs].sort((a, b) => a.offset - b.offset)) {
      // Two names of one content.
      if (offset < done) continue
      await rest(offset)
      disk.copy({ fd: source, offset }, { fd: target, offset }, length)
      done = offset + length
    }
    await rest(size)
    fs.fsyncSync(target)
    if ((await hashOf(disk, target, size, signal)) !== id.diffId) return
    fs.fchmodSync(target, mode & 0o7777)
    fs.utimesSync(draft, atimeMs / 1000, mtimeMs / 1000)
    fs.renameSync(draft, path)
    disk.syncDirectory(dirname(path))
  } finally {
    for (const fd of [source, target]) if (fd !== undefined) fs.closeSync(fd)
    fs.rmSync(draft, { force: true })
  }
}

async function hashOf(disk: Disk, fd: number, size: number, signal: AbortSignal | undefined): Promise<DiffId> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (let at = 0; at < size; ) {
    const got = disk.fs.readSync(fd, buffer, 0, Math.min(buffer.length, size - at), at)
    if (got === 0) break
    hash.update(buffer.subarray(0, got))
    at += got
    if (at % step === 0) await breathe(signal)
  }
  return `sha256:${hash.digest('hex')}` as DiffId
}

async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  checkAborted(signal)
}
