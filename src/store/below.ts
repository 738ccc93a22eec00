import type { BlobStore } from '../blob/blob-store.ts'
import type { Digest } from '../model/digest.ts'
import { inByteOrder, type NameRecord } from './images/name-records.ts'
import type { Names } from './images/names.ts'
import type { Layout } from './layout.ts'

/** A store below another one, of which it is only read. */
export interface LowerStore {
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly names: Names
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
