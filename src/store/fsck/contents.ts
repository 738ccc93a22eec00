import { join } from 'node:path'
import type { Index } from '../../erofs/index.ts'
import { codeOf } from '../../model/errors.ts'
import { readLog } from '../../overlay/log-reader.ts'
import { openPortableUpper } from '../../overlay/portable-upper.ts'
import { drain } from '../../stream/hash.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { findIndex } from '../layers/cached-index.ts'
import type { LayerId } from '../layers/layer-files.ts'
import { badPages, pathsIn } from './affected-paths.ts'
import type { AffectedPaths } from './findings.ts'
import type { Survey } from './survey.ts'

/** Whether every blob is what its name says, and every log of a portable upper what its checksums say. */
export async function checkContents(survey: Survey): Promise<void> {
  const { blobs } = survey.store
  const { signal } = survey.operation
  const layers = new Map([...survey.layers()].map((id) => [id.descriptor.digest, id]))
  for (const [digest, { as }] of survey.marked.blobs) {
    const file = `blobs/sha256/${digest.slice(7)}`
    survey.counted.blobs++
    survey.counted.bytes += (await blobs.stat(digest))?.size ?? 0
    // The others have been read and hashed to be understood.
    if (as !== 'layer' || survey.bad.has(digest) || !survey.reads(file)) continue
    try {
      await drain(blobs.stream(digest, survey.operation), { write() {} })
      continue
    } catch (error) {
      if (!['PLY_DIGEST_MISMATCH', 'PLY_BLOB_NOT_FOUND', 'EIO'].includes(codeOf(error) ?? '')) throw error
    }
    const id = layers.get(digest)
    const paths = id && (await damagedPaths(survey, id, signal))
    const cached =
      id !== undefined && id.diffId !== digest && survey.store.disk.fs.existsSync(survey.store.layout.tarOf(id.diffId))
    survey.add(
      {
        kind: 'damage',
        code: 'bad-blob',
        file,
        problem: `its bytes do not hash to its name${cached ? '; what it holds is still in the cache, but it cannot be exported as it was' : ''}${survey.where(digest)}`,
        advice: survey.heal(digest),
        ...(paths && { paths }),
      },
      digest,
    )
    survey.bad.add(digest)
  }
  for (const { id, form } of survey.roots.uppers.values()) if (form === 'portable') checkLog(survey, id)
}

/** Which files of a layer lie in damaged pages. Of a compressed layer nobody can say. */
async function damagedPaths(
  { store: { disk, layout, below, homeOf } }: Survey,
  { diffId, descriptor }: LayerId,
  signal: AbortSignal | undefined,
): Promise<AffectedPaths | undefined> {
  if (descriptor.digest !== diffId) return undefined
  let index: Index | undefined
  for (const one of [layout, ...below])
    index ??= findIndex(disk, { path: one.indexOf(diffId), of: diffId, what: 'a layer', writable: false })
  if (index === undefined) return undefined
  try {
    const tar = fileBytes(disk, homeOf(diffId).blobOf(diffId))
    try {
      const pages = await badPages(tar, index, signal)
      return pages && (await pathsIn(index, diffId, pages, signal))
    } finally {
      tar.close()
    }
  } catch (error) {
    if (!['PLY_BAD_INDEX', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
    return undefined
  } finally {
    index.close()
  }
}

function checkLog(survey: Survey, id: string): void {
  const { disk, layout } = survey.store
  const root = join(layout.uppers, id, 'upper')
  if (!disk.fs.existsSync(root)) return
  try {
    openPortableUpper({ disk, root, readOnly: true }).close()
    const rest = tailOf(disk, join(root, 'log'))
    if (rest === 0) return
    survey.add(
      {
        kind: 'cosmetics',
        code: 'bad-log',
        file: `uppers/${id}/upper/log`,
        problem: `its last ${rest} bytes are no whole record; nothing says that they were on the disk`,
        advice: 'the next opening cuts them off',
      },
      `upper ${id}`,
    )
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
    survey.add(
      {
        kind: 'damage',
        code: 'bad-log',
        file: `uppers/${id}/upper/log`,
        problem: (error as Error).message,
        advice: 'restore it from a backup; what stands before the damage can be told from docs/upper-format.md',
      },
      `upper ${id}`,
    )
  }
}

/** Bytes behind the last whole record: a process that dies while it writes leaves such. */
function tailOf(disk: Disk, path: string): number {
  const fd = disk.fs.openSync(path, 'r')
  try {
    return disk.fs.fstatSync(fd).size - readLog(disk, fd, () => {}).end
  } finally {
    disk.fs.closeSync(fd)
  }
}
