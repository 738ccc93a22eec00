import { koffi, lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

const currentDirectory = -100
const noFollow = 0x100
const nanoseconds = 1_000_000_000n
const omitted = 0x3ffffffen
const current = 0x3fffffffn

const slot = new PathSlot()
/** Two `struct timespec`: access, modify; seconds and nanoseconds each. */
const times = new BigInt64Array(4)
let timesAt: bigint | undefined
const utimensat = libc('int utimensat(int, uintptr_t, uintptr_t, int)')
const futimens = libc('int futimens(int, uintptr_t)')

/**
 * Sets times to the nanosecond, which `node:fs` cannot. Nanoseconds since the epoch, also before it; `now` is the moment as the disk's
 * clock has it; what is absent stays. A symlink gets its own times. What the file system cannot keep it rounds down or clamps.
 *
 * @param target a path (a byte string, see `path.ts`) or a descriptor.
 * @throws ENOENT, EACCES, EPERM, EROFS; PLY_NO_NATIVE.
 */
export function setTimes(
  target: Path | number,
  { atime, mtime }: { readonly atime?: bigint | 'now' | undefined; readonly mtime?: bigint | 'now' | undefined },
): void {
  put(0, atime)
  put(2, mtime)
  timesAt ??= koffi('setting exact times').address(times)
  const result =
    typeof target === 'number'
      ? futimens(target, timesAt)
      : utimensat(currentDirectory, slot.put(target), timesAt, noFollow)
  if (result !== 0) throw systemError('utimensat', lastErrno(), typeof target === 'number' ? undefined : shown(target))
}

function put(at: number, time: bigint | 'now' | undefined): void {
  if (time === undefined || time === 'now') {
    times[at] = 0n
    times[at + 1] = time === 'now' ? current : omitted
    return
  }
  // Nanoseconds count forward from the second, also before the epoch.
  const rest = ((time % nanoseconds) + nanoseconds) % nanoseconds
  times[at] = (time - rest) / nanoseconds
  times[at + 1] = rest
}
