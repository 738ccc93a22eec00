import * as nodeFs from 'node:fs'
import { createFsFromVolume, Volume } from 'memfs'
import type { Disk, Files } from '../../src/sys/disk.ts'

/** A disk over any `node:fs`, without kernel copies: what the portable form must be content with. */
export function plainDisk(fs: Files, kind: Disk['kind']): Disk {
  return {
    kind,
    fs,
    async lock() {
      return { release() {}, [Symbol.dispose]() {} }
    },
    syncDirectory(path) {
      if (kind === 'memory') return
      const fd = fs.openSync(path, 'r')
      fs.fsyncSync(fd)
      fs.closeSync(fd)
    },
    copy(source, target, size) {
      const chunk = Buffer.alloc(1 << 16)
      for (let done = 0; done < size; ) {
        const got = fs.readSync(source.fd, chunk, 0, Math.min(chunk.length, size - done), source.offset + done)
        if (got === 0) throw new Error('the source is shorter than it said')
        fs.writeSync(target.fd, chunk, 0, got, target.offset + done)
        done += got
      }
    },
  }
}

export const onDisk = (): Disk => plainDisk(nodeFs, 'disk')

export const inMemory = (): Disk => plainDisk(createFsFromVolume(new Volume()) as unknown as Files, 'memory')
