import { fstatSync } from 'node:fs'
import { codeOf } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

/**
 * Copies from other content inside the kernel. Answers with how many bytes that were: 0 where it cannot be done, and something else
 * has to read and write.
 */
export function copyBetween(
  disk: Disk,
  from: Bytes,
  fromPosition: number,
  target: { readonly fd: number; readonly offset: number },
  length: number,
): number {
  const { extent } = from
  const size = Math.min(length, from.size - fromPosition)
  // A descriptor does not say which disk it is of: one in memory is never asked for.
  if (disk.kind !== 'disk' || !extent || size <= 0) return 0
  const source = { fd: extent.fd, offset: extent.offset + fromPosition }
  try {
    if (Math.abs(source.offset - target.offset) < size && isSameFile(source.fd, target.fd)) return 0
    disk.copy(source, target, size)
    return size
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error
    return 0
  }
}

function isSameFile(a: number, b: number): boolean {
  const [one, other] = [fstatSync(a, { bigint: true }), fstatSync(b, { bigint: true })]
  return one.ino === other.ino && one.dev === other.dev
}
