import fs from 'node:fs'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { type ByteStream, type Bytes, streamOf } from '../stream/bytes.ts'
import { fileBytes } from '../sys/file-bytes.ts'
import { withPath } from '../sys/system-error.ts'

/** What stands at a path, symlinks followed. `other`: a pipe, a device. */
export type FileKind = 'none' | 'file' | 'directory' | 'other'

/** @throws EACCES and the like, with the path; ENOTDIR where a file stands on the way */
export function kindAt(path: string): FileKind {
  try {
    const stat = fs.statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'none'
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
  } catch (error) {
    throw withPath(error, path)
  }
}

/** The names in a directory. @throws EACCES and the like, with the path */
export function readNames(path: string): string[] {
  try {
    return fs.readdirSync(path)
  } catch (error) {
    throw withPath(error, path)
  }
}

/** A regular file, for random access. The caller closes it. @throws ENOENT, EACCES, EISDIR … with the path */
export function openFile(path: string): Bytes {
  // Opening a pipe would wait for its writer.
  if (kindAt(path) === 'other')
    throw new PlyError('PLY_BAD_ARCHIVE', { reason: `${path} is no regular file; write - and redirect it` })
  return fileBytes({ fs }, path)
}

/** Bytes at rest, set in motion so that other work runs in between; they are closed at the end. */
export async function* pacedStream(open: () => Bytes, { signal }: Operation = {}): ByteStream {
  const pace = new Pace(signal)
  const bytes = open()
  try {
    for await (const chunk of streamOf(bytes)) {
      // A chunk of 256 KiB is worth the clock.
      if (pace.due(64)) await pace.rest()
      yield chunk
    }
  } finally {
    bytes.close()
  }
}
