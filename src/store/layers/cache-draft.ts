import { dirname } from 'node:path'
import type { WritableFile } from '../../blob/blob-store.ts'
import { DiskDraft } from '../../blob/disk-draft.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteSink, Bytes } from '../../stream/bytes.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'

/** A file on its way into a cache. Nothing is visible before `commit`; disposal leaves nothing behind. */
export interface CacheDraft extends AsyncDisposable {
  /** Starts the file. Not called twice. */
  open(): Promise<ByteSink & WritableFile>
  /** Syncs it; nothing can be written after it. */
  finish(operation?: Operation): Promise<void>
  /** What was written, after `finish`. The caller closes it. */
  bytes(): Bytes
  /** Gives it its name, in place of what had it, syncing it first where that was not done. */
  commit(path: string, operation?: Operation): Promise<void>
}

export function cacheDraft(disk: Disk, directory: string): CacheDraft {
  let draft: DiskDraft | undefined
  let opening: Promise<DiskDraft> | undefined
  return {
    async open() {
      opening = DiskDraft.open(disk, directory)
      draft = await opening
      return draft
    },
    async finish(operation = {}) {
      await draft!.finish({ durable: true, ...operation })
    },
    bytes: () => fileBytes(disk, draft!.path),
    async commit(path, operation = {}) {
      await draft!.finish({ durable: true, ...operation })
      // The caches may have been deleted with their directory.
      disk.fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      disk.fs.renameSync(draft!.path, path)
      disk.syncDirectory(dirname(path))
    },
    async [Symbol.asyncDispose]() {
      // Whoever was aborted while it was being opened does not wait for it: it is there a moment later.
      await (await opening?.catch(() => undefined))?.discard()
    },
  }
}
