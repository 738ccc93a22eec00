import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { codeOf, PlyError } from '../model/errors.ts'
import { Pace } from '../model/pace.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
const openPath = 0o10000000
const openFiles = '/proc/self/fd'

/**
 * Empties a directory of all that is in it, however deep, also where directories are closed to their own owner. Others may own what is in
 * it and change it meanwhile: nothing outside is ever touched, and neither is what is mounted in it.
 *
 * @param path text; a symlink is not followed
 * @throws EBUSY for what is mounted in it; ENOTDIR, EACCES, EPERM …
 */
export async function emptyWhole(path: string): Promise<void> {
  // Where a directory cannot be named by its descriptor, its names have to do.
  if (!existsSync(openFiles)) {
    for (const name of readdirSync(path)) await rm(`${path}/${name}`, { recursive: true, force: true })
    return
  }
  const pace = new Pace(undefined)
  const root = opened(path)
  try {
    await emptied(root, mountOf(root), pace)
  } finally {
    closeSync(root)
  }
}

/** As `emptyWhole`, and the directory itself. What is not there is no error. */
export async function removeWhole(path: string): Promise<void> {
  try {
    await emptyWhole(path)
    rmdirSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

async function emptied(directory: number, mount: string, pace: Pace): Promise<void> {
  openUp(directory)
  const at = (name: Buffer) => Buffer.concat([Buffer.from(`${openFiles}/${directory}/`), name])
  for (const entry of readdirSync(`${openFiles}/${directory}`, { encoding: 'buffer', withFileTypes: true })) {
    const path = at(entry.name)
    if (!entry.isDirectory()) unlinkSync(path)
    else {
      const child = opened(path)
      try {
        if (mountOf(child) !== mount) throw new PlyError('EBUSY', { syscall: 'unlink' })
        await emptied(child, mount, pace)
      } finally {
        closeSync(child)
      }
      rmdirSync(path)
    }
    if (pace.due()) await pace.rest()
  }
}

function opened(path: string | Buffer): number {
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
  }
  // It is closed to its own owner.
  const found = openSync(path, openPath | O_DIRECTORY | O_NOFOLLOW)
  try {
    chmodSync(`${openFiles}/${found}`, 0o700)
    return openSync(`${openFiles}/${found}`, O_RDONLY | O_DIRECTORY)
  } finally {
    closeSync(found)
  }
}

/** Where it is somebody else's, removing says whether that can be done. */
function openUp(directory: number): void {
  try {
    fchmodSync(directory, 0o700)
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error
  }
}

function mountOf(fd: number): string {
  return /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? ''
}
