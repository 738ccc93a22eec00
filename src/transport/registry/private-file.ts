import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { codeOf } from '../../model/errors.ts'
import { onDisk } from '../disk-errors.ts'

/** Writes a file that nobody but its owner may read, whole, in place of one that is there; a symlink is followed. */
export async function writePrivate(path: string, content: string): Promise<void> {
  const target = await realPath(path)
  const own = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await onDisk(target, async () => {
      const file = await fs.promises.open(own, 'wx', 0o600)
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
      await fs.promises.rename(own, target)
    })
  } finally {
    await fs.promises.rm(own, { force: true })
  }
}

async function realPath(path: string): Promise<string> {
  try {
    return await fs.promises.realpath(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return path
    throw error
  }
}
