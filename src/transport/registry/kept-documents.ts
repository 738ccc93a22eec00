import fs from 'node:fs'
import { join } from 'node:path'
import { digestOf, hexOf } from '../../model/digest.ts'
import { type Descriptor, mediaTypes } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { configLimit } from '../../model/parse-documents.ts'
import { type ByteStream, memoryBytes, streamOf } from '../../stream/bytes.ts'
import { collect } from '../../stream/collect.ts'
import { verified } from '../../stream/verify.ts'
import type { Lock } from '../../sys/disk.ts'
import { nodeDisk } from '../../sys/node-disk.ts'

/** Where no documents can be kept, they are fetched each time. */
const impossible = [
  ...['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EEXIST', 'ENOSPC', 'EDQUOT'],
  'PLY_NO_NATIVE',
]

export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig
}

/**
 * Configs of images, each fetched once however many processes want it: whoever is first fetches, the others wait and read what has
 * come. They are kept in a directory as half blobs are, checked whenever they are read, and go when nobody has wanted them for a while.
 *
 * @throws from the stream: what `fetch` throws, PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH, PLY_ABORTED
 */
export async function* keptDocument(
  directory: string | undefined,
  descriptor: Descriptor,
  fetch: () => ByteStream,
  operation: Operation,
): ByteStream {
  const { digest, size } = descriptor
  if (directory === undefined || size > configLimit) {
    yield* verified(fetch(), { digest, size, what: `blob ${digest}` })
    return
  }
  const path = join(directory, `${hexOf(digest)}.json`)
  let found = kept(path, descriptor)
  if (found === undefined) {
    using lock = await locked(directory, path, operation)
    found = lock && kept(path, descriptor)
    if (found === undefined) {
      found = await collect(verified(fetch(), { digest, size, what: `blob ${digest}` }), configLimit)
      if (lock !== undefined) keep(path, found)
    }
  }
  yield* streamOf(memoryBytes(found))
}

function kept(path: string, { digest, size }: Descriptor): Buffer | undefined {
  try {
    if (fs.statSync(path, { throwIfNoEntry: false })?.size !== size) return undefined
    const content = fs.readFileSync(path)
    return digestOf(content) === digest ? content : undefined
  } catch (error) {
    if (impossible.includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

async function locked(directory: string, path: string, { signal }: Operation): Promise<Lock | undefined> {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    return await nodeDisk().lock(path, { wait: true, signal })
  } catch (error) {
    if (impossible.includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** The file is there: it is the lock. */
function keep(path: string, content: Buffer): void {
  try {
    const fd = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_TRUNC | fs.constants.O_NOFOLLOW, 0o600)
    try {
      fs.fchmodSync(fd, 0o600)
      fs.writeFileSync(fd, content)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    if (!impossible.includes(codeOf(error) ?? '')) throw error
  }
}
