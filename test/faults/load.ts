/**
 * A program that works in a directory of a mount until the mount is dead, or itself killed: it tells in a file, before each step, what
 * it does, and after it, how that went. Arguments: the directory, the file, a seed.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { constants as numbers } from 'node:os'
import { join } from 'node:path'
import { setXattr } from '../../src/sys/xattr.ts'
import { Choosing } from './choosing.ts'
import { apply, bytesOf, type Step } from './model.ts'
import { modelAt, noteName } from './reading.ts'

const [root, journal, seed] = process.argv.slice(2) as [string, string, string]
process.umask(0o022)
const log = openSync(journal, 'a')
try {
  const model = modelAt(root)
  const choosing = new Choosing(model, Number(seed))
  for (;;) {
    const step = choosing.next()
    writeSync(log, `${JSON.stringify(step)}\n`)
    try {
      take(step)
    } catch (error) {
      const { code } = error as { readonly code?: string }
      if (code === undefined || isDead(error)) throw error
      writeSync(log, `${code}\n`)
      continue
    }
    apply(model, step)
    writeSync(log, 'done\n')
  }
} catch (error) {
  if (!isDead(error)) throw error
}

/** Whether it says that nobody serves the mount any more; system calls of our own know these as numbers alone. */
function isDead(error: unknown): boolean {
  const { code = '', details } = error as { readonly code?: string; readonly details?: { readonly errno?: number } }
  return (
    ['ENOTCONN', 'ECONNABORTED'].includes(code) ||
    [numbers.errno.ENOTCONN, numbers.errno.ECONNABORTED].includes(details?.errno ?? 0)
  )
}

function take(step: Step): void {
  switch (step.does) {
    case 'write':
      write(step)
      return
    case 'truncate':
      truncateSync(join(root, step.path), step.size)
      return
    case 'mkdir':
      mkdirSync(join(root, step.path))
      return
    case 'rmdir':
      rmdirSync(join(root, step.path))
      return
    case 'unlink':
      unlinkSync(join(root, step.path))
      return
    case 'symlink':
      symlinkSync(step.target, join(root, step.path))
      return
    case 'link':
      linkSync(join(root, step.path), join(root, step.to))
      return
    case 'rename':
      renameSync(join(root, step.path), join(root, step.to))
      return
    case 'chmod':
      chmodSync(join(root, step.path), step.mode)
      return
    case 'note':
      setXattr(join(root, step.path), noteName, Buffer.from(step.value))
      return
    case 'sync': {
      const fd = openSync(root, 'r')
      try {
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      return
    }
    default:
      step satisfies never
  }
}

function write({ path, at, size, seed, truncate, sync }: Step & { readonly does: 'write' }): void {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_TRUNC } = constants
  const fd = openSync(join(root, path), O_WRONLY | O_CREAT | O_NOFOLLOW | (truncate ? O_TRUNC : 0), 0o644)
  try {
    const bytes = bytesOf(seed, size)
    for (let done = 0; done < size; ) done += writeSync(fd, bytes, done, size - done, at + done)
    if (sync) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
