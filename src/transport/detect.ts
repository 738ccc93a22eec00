import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PlyError } from '../model/errors.ts'
import { colonAfterPath } from '../model/host-path.ts'
import { splitReference } from '../model/reference.ts'
import { kindAt } from './file.ts'
import { openArchive } from './open-archive.ts'
import type { TransportOptions } from './options.ts'

/**
 * What a path holds, as a reference: `docker-archive:PATH`, `oci-archive:PATH`, `oci:PATH`, `dir:PATH`. For commands that
 * take a bare path, as `docker load` does.
 *
 * @throws PLY_UNKNOWN_TRANSPORT, PLY_BAD_REFERENCE for a path with a colon; PLY_BAD_ARCHIVE if it is none of them; ENOENT, EACCES … with the path
 */
export async function detectReference(path: string, options: TransportOptions = {}): Promise<string> {
  if (colonAfterPath(path) >= 0) {
    // Rather a reference that is misspelt than a file.
    if (!existsSync(path)) splitReference(path)
    throw new PlyError('PLY_BAD_REFERENCE', {
      text: JSON.stringify(path),
      reason: 'a path with a colon would be cut there; rename it or link to it',
    })
  }
  const kind = kindAt(path)
  if (kind === 'none') throw new PlyError('ENOENT', { syscall: 'open', path })
  if (kind === 'directory') {
    if (kindAt(join(path, 'index.json')) === 'file') return `oci:${path}`
    if (kindAt(join(path, 'manifest.json')) === 'file') return `dir:${path}`
    throw new PlyError('PLY_BAD_ARCHIVE', {
      reason: `${path} is a directory, but no OCI layout; for a directory tree write rootfs:${path}`,
    })
  }
  using archive = await openArchive(path, options)
  // The newer `docker save` writes both; its tags are only in manifest.json.
  if (archive.names.has('manifest.json')) return `docker-archive:${path}`
  if (archive.names.has('index.json')) return `oci-archive:${path}`
  if (archive.names.has('repositories')) return `docker-archive:${path}`
  throw new PlyError('PLY_BAD_ARCHIVE', {
    reason: `${path} has neither manifest.json nor index.json; for a tar of a file system write tar:${path}`,
  })
}
