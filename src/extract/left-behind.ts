import { closeSync, constants, fstatSync, lstatSync, mkdtempSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../model/errors.ts'
import { tryFlock } from '../sys/flock.ts'
import { removeWhole } from './remove-whole.ts'

const prefix = '.ply-extract-'
const names = /^\.ply-extract-[A-Za-z0-9]{6}$/

/** A private directory that is being filled, and is known to be for as long as it is held: it ends with the process, too. */
export interface Private {
  readonly path: string
  /** Safe to call twice. */
  letGo(): void
}

/** Makes a private directory in another one. @throws EACCES, EPERM, EROFS, ENOSPC … */
export function makePrivate(directory: string): Private {
  for (;;) {
    const path = mkdtempSync(join(directory, prefix))
    const fd = locked(path)
    // Somebody took it for one that was left behind, in between.
    if (fd === 'taken') continue
    let open = fd !== 'without locks'
    return {
      path,
      letGo() {
        if (open) closeSync(fd as number)
        open = false
      },
    }
  }
}

/** Removes from a directory what of this user was left behind there by processes that were killed while they filled it. */
export async function sweepLeftBehind(directory: string): Promise<void> {
  for (const name of namesIn(directory)) {
    if (!names.test(name)) continue
    const path = join(directory, name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found?.isDirectory() || found.uid !== process.geteuid?.()) continue
    const fd = locked(path)
    if (typeof fd === 'string') continue
    try {
      await removeWhole(path)
    } finally {
      closeSync(fd)
    }
  }
}

/** A descriptor of a directory, locked: `taken` if somebody else has, or it has lost its name; or a file system has no locks. */
function locked(path: string): number | 'taken' | 'without locks' {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return 'taken'
  }
  try {
    if (tryFlock(fd, { shared: false }) && lstatSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino)
      return fd
    closeSync(fd)
    return 'taken'
  } catch (error) {
    closeSync(fd)
    if (codeOf(error) === undefined) throw error
    return 'without locks'
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    // Nothing is there, or it is not ours to see.
    if (codeOf(error) === undefined) throw error
    return []
  }
}
