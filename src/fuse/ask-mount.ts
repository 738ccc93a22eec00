import { closeSync, constants, openSync } from 'node:fs'
import { ioctl } from '../sys/ioctl.ts'
import { type Path, pathBytes, shown } from '../sys/path.ts'
import { controlAnswer, controlCommand, controlText } from './control.ts'

/**
 * Asks the program that serves a mount something (`Control`), and returns its answer. This thread waits for it. `target` is the root
 * of the mount.
 *
 * @throws ENOTTY where nobody answers such questions, EPERM for who is neither root nor the user who serves, ENOTCONN (as EIO) for a
 * dead mount, EOVERFLOW for a question or an answer that is too long; whatever the answering side throws
 */
export function askMount(target: Path, question: unknown): unknown {
  const memory = controlText(question)
  const bytes = pathBytes(target)
  const fd = openSync(bytes.subarray(0, bytes.length - 1), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    ioctl(fd, controlCommand, memory, shown(target))
  } finally {
    closeSync(fd)
  }
  return controlAnswer(memory)
}
