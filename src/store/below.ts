import { resolve } from 'node:path'
import type { BlobStore } from '../blob/blob-store.ts'
import { diskBlobStore } from '../blob/disk-blob-store.ts'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import { inByteOrder, type NameRecord } from './images/name-records.ts'
import { Names } from './images/names.ts'
import { LayerFiles } from './layers/layer-files.ts'
import { type Layout, openLayout } from './layout.ts'

/** A store below another one, of which it is only read. */
export interface LowerStore {
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly names: Names
  readonly layers: LayerFiles
}

/** A store below: nothing of it is made, locked or changed. @throws PLY_STORE_FORMAT, PLY_STORE_OWNER; PLY_USAGE in memory */
export function openLowerStore(
  disk: Disk,
  path: string,
  { anyOwner }: { readonly anyOwner?: boolean | undefined },
): LowerStore {
  if (disk.kind === 'memory') throw new PlyError('PLY_USAGE', { reason: 'a store in memory has no stores below it' })
  const { layout } = openLayout(disk, resolve(path), { readOnly: true, ...(anyOwner !== undefined && { anyOwner }) })
  const blobs = diskBlobStore({ disk, root: layout.root, tmp: layout.tmp })
  const layers = new LayerFiles({ disk, layout, writable: false })
  return { layout, blobs, layers, names: new Names(disk, layout) }
}

/** Blobs of a store and of those below it; what is written, listed and deleted is the store's own. */
export function blobsOver(own: BlobStore, below: readonly LowerStore[]): BlobStore {
  if (below.length === 0) return own
  const all = [own, ...below.map(({ blobs }) => blobs)]
  /** Who has a blob; the store itself, if nobody has, for its message. */
  const holder = async (digest: Digest): Promise<BlobStore> => {
    for (const blobs of all) if ((await blobs.stat(digest)) !== undefined) return blobs
    return own
  }
  return {
    stat: async (digest) => (await holder(digest)).stat(digest),
    async *stream(digest, operation) {
      yield* (await holder(digest)).stream(digest, operation)
    },
    open: async (digest) => (await holder(digest)).open(digest),
    write: (content, expected, operation) => own.write(content, expected, operation),
    draft: () => own.draft(),
    delete: (digest) => own.delete(digest),
    list: () => own.list(),
  }
}

/** Names of a store and of those below it: of equal ones the upper one counts. */
export function namesOver(own: Names, below: readonly LowerStore[]): Pick<Names, 'get' | 'list'> {
  if (below.length === 0) return own
  const all = [own, ...below.map(({ names }) => names)]
  return {
    get(name) {
      for (const names of all) {
        const found = names.get(name)
        if (found !== undefined) return found
      }
      return undefined
    },
    list() {
      const found = new Map<string, NameRecord>()
      for (const names of all)
        for (const record of names.list()) if (!found.has(record.name)) found.set(record.name, record)
      return inByteOrder([...found.values()])
    },
  }
}
