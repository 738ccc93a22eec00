import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../model/errors.ts'
import { NewFileSystem } from '../sys/new-mount.ts'

/**
 * Whether the kernel mounts a file that lies in a directory as EROFS, asked with the smallest one: its answer is `undefined`, or the
 * errno. Needs CAP_SYS_ADMIN on the host.
 */
export function kernelReadsFiles(directory: string): string | undefined {
  const path = join(existsSync(directory) ? directory : tmpdir(), `probe-${randomBytes(8).toString('hex')}.erofs`)
  try {
    writeFileSync(path, smallest(), { mode: 0o600 })
    using made = new NewFileSystem('erofs')
    closeSync(made.set('source', path).flag('ro').mount(0))
    return undefined
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    return code
  } finally {
    rmSync(path, { force: true })
  }
}

/** An EROFS of one empty directory, in blocks of 4096 bytes. */
function smallest(): Buffer {
  const image = Buffer.alloc(4096)
  const superblock = image.subarray(1024)
  superblock.writeUInt32LE(0xe0f5e1e2, 0)
  superblock[12] = 12
  superblock.writeUInt16LE(48, 14)
  superblock.writeBigUInt64LE(1n, 16)
  superblock.writeUInt32LE(1, 36)
  // A compact inode with its entries behind it.
  const inode = image.subarray(48 * 32)
  inode.writeUInt16LE(2 << 1, 0)
  inode.writeUInt16LE(0o040755, 4)
  inode.writeUInt16LE(2, 6)
  inode.writeUInt32LE(27, 8)
  for (const [at, name] of [
    [0, 24],
    [12, 25],
  ] as const) {
    inode.writeBigUInt64LE(48n, 32 + at)
    inode.writeUInt16LE(name, 32 + at + 8)
    inode[32 + at + 10] = 2
  }
  inode.write('...', 32 + 24)
  return image
}
