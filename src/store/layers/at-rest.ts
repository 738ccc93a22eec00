import type { CheckedTar } from '../../image/image.ts'
import type { DiffId, Digest } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Bytes } from '../../stream/bytes.ts'
import { checkedBytes } from '../../stream/checked-bytes.ts'
import { crc32 } from '../../sys/crc32.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import type { Layout } from '../layout.ts'
import { findIndex } from './cached-index.ts'

export interface FilesOfStore {
  readonly disk: Disk
  readonly layout: Layout
  /** Whether a damaged tar may be removed. */
  readonly writable: boolean
}

/**
 * The tar of a compressed layer from the cache, each page compared with the checksum that was taken while the tar was hashed.
 * `undefined` where tar or index are missing or do not fit together: nothing is built here, since the blob gives the same bytes.
 * Damage that shows later is a PLY_DAMAGED and removes the tar, so that the next export reads the blob. The caller closes it.
 */
export function cachedTar({ disk, layout, writable }: FilesOfStore, diffId: DiffId): CheckedTar | undefined {
  const cached = { path: layout.indexOf(diffId), of: diffId, what: `layer ${diffId}`, writable }
  const index = findIndex(disk, cached)
  if (index === undefined) return undefined
  let bytes: Bytes | undefined
  let answer: CheckedTar | undefined
  try {
    const pages = index.tarPages()
    const path = layout.tarOf(diffId)
    bytes = fileBytes(disk, path)
    if (pages === undefined || bytes.size !== index.devices[0]?.size) return undefined
    const checked = checkedBytes(bytes, pages, {
      crc32,
      what: `the cached tar of layer ${diffId}`,
      advice: writable ? 'do it again, and the blob is read instead' : `remove ${path}, and the blob is read instead`,
      ...(writable && { onDamage: () => disk.fs.rmSync(path, { force: true }) }),
    })
    return (answer = { ...checked, diffId })
  } catch (error) {
    if (!['ENOENT', 'PLY_BAD_INDEX', 'PLY_SIZE_MISMATCH'].includes(codeOf(error) ?? '')) throw error
    return undefined
  } finally {
    index.close()
    if (answer === undefined) bytes?.close()
  }
}

/** A blob where it lies, as nobody has checked it on this occasion. The caller closes it. @throws PLY_BLOB_NOT_FOUND */
export function blobAtRest({ disk, layout }: Pick<FilesOfStore, 'disk' | 'layout'>, digest: Digest): Bytes {
  try {
    return fileBytes(disk, layout.blobOf(digest))
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    throw new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: layout.root }, { cause: error })
  }
}
