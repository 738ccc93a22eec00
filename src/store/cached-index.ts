import { Index } from '../erofs/index.ts'
import { codeOf } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import { fileBytes } from '../sys/file-bytes.ts'

/**
 * An index in a cache; `undefined` if there is none, or a damaged one. Damage that is only found later throws
 * PLY_BAD_INDEX then. Where the cache is `writable` a damaged file is removed as soon as that is known, so that whoever
 * opens it next builds it anew.
 */
export function openIndex(disk: Disk, path: string, what: string, writable: boolean): Index | undefined {
  let bytes: ReturnType<typeof fileBytes>
  try {
    bytes = fileBytes(disk, path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    return Index.open(bytes, { what, ...(writable && { onDamage: () => disk.fs.rmSync(path, { force: true }) }) })
  } catch (error) {
    bytes.close()
    if (codeOf(error) !== 'PLY_BAD_INDEX') throw error
    return undefined
  }
}
