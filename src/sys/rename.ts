import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

const currentDirectory = -100
const slots = { from: new PathSlot(), to: new PathSlot() }
const renameat2 = libc('int renameat2(int, uintptr_t, int, uintptr_t, unsigned int)')

/** Renames unless the new name is taken. @throws EEXIST; EINVAL where the file system cannot; PLY_NO_NATIVE. Paths are byte strings, see `path.ts`. */
export function renameNoReplace(from: Path, to: Path): void {
  rename(from, to, 1)
}

/** Swaps two names in one step; both must be there. @throws ENOENT, EINVAL, PLY_NO_NATIVE. */
export function renameExchange(a: Path, b: Path): void {
  rename(a, b, 2)
}

/** Renames and leaves a whiteout (character device 0/0) at the old name, in one step. @throws EINVAL where the file system cannot; EPERM. */
export function renameWhiteout(from: Path, to: Path): void {
  rename(from, to, 4)
}

function rename(from: Path, to: Path, flags: number): void {
  if (renameat2(currentDirectory, slots.from.put(from), currentDirectory, slots.to.put(to), flags) !== 0) {
    throw systemError('renameat2', lastErrno(), shown(from), shown(to))
  }
}
