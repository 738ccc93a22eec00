import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeWhole } from './host-files.ts'
import type { Library } from './library.ts'

/** A file on this machine that goes away again. */
export interface Spooled extends AsyncDisposable {
  readonly path: string
}

/** Keeps a stream in a file under TMPDIR, since archives are read at more than one place. */
export async function spool(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  library: Library,
): Promise<Spooled> {
  const directory = await mkdtemp(join(tmpdir(), 'ply-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    const path = join(directory, 'archive.tar')
    await writeWhole(path, content, signal, library)
    return { path, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/**
 * What an archive or a layout may be by its content, the likeliest first, as references: a directory is an OCI layout; a tar
 * with `manifest.json` is a docker-archive, one with `oci-layout` alone an oci-archive. What is compressed as a whole may be
 * either; what is neither is left to the docker-archive reader to refuse.
 */
export async function archiveReferences(path: string): Promise<readonly string[]> {
  if ((await stat(path)).isDirectory()) return [`oci:${path}`]
  const names = await memberNames(path)
  if (names.size === 0) return [`docker-archive:${path}`, `oci-archive:${path}`]
  return [`${names.has('oci-layout') && !names.has('manifest.json') ? 'oci-archive' : 'docker-archive'}:${path}`]
}

/** The names at the top of a tar, as far as its headers can be followed. Decides nothing but which reader is asked. */
async function memberNames(path: string): Promise<Set<string>> {
  const names = new Set<string>()
  const file = await open(path, 'r')
  try {
    const header = Buffer.alloc(512)
    for (let position = 0; names.size < 10_000; ) {
      const { bytesRead } = await file.read(header, 0, 512, position)
      if (bytesRead < 512 || header.toString('latin1', 257, 262) !== 'ustar') break
      const size = Number.parseInt(header.toString('latin1', 124, 136).replace(/[^0-7]/g, ''), 8) || 0
      names.add(header.toString('latin1', 0, 100).replace(/\0.*$/s, '').replace(/^\.\//, ''))
      position += 512 + Math.ceil(size / 512) * 512
    }
  } finally {
    await file.close()
  }
  return names
}
