import type { FileDigests } from '../../extract/file-digests.ts'
import { fileFormat, fileKey } from '../../layer/content-sums.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { SumsFile } from './sums-file.ts'

/** Bytes; about 900,000 files. */
const most = 64 << 20

/** Digests of files outside the store (`cache/files.sums`), read by whichever process. */
export function storedFileDigests({
  disk,
  layout,
  writable,
}: {
  readonly disk: Disk
  readonly layout: Layout
  readonly writable: boolean
}): FileDigests {
  const file = new SumsFile({ disk, path: layout.fileSums, tmp: layout.tmp, format: fileFormat, writable, most })
  const key = Buffer.allocUnsafeSlow(fileFormat.keySize)
  return {
    lasting: writable,
    known: (identity) => file.get(fileKey(key, identity)),
    remember: (identity, digest) => file.set(fileKey(key, identity), digest),
    flush: () => file.flush(),
  }
}
