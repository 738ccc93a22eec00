import { mkdtemp, rm } from 'node:fs/promises'
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
