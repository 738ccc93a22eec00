import type { ByteStream } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

const chunkSize = 512 << 10
/** What is read to see that nothing more comes. */
const leastSize = 4096

/** What is read at once: nobody waits for so little, and Node needs 3 ms to load what reads in the background. Bytes. */
const smallSize = 64 << 10

/**
 * A file from its start to its end. The next chunk is being read while the reader works on this one. Each chunk is a buffer of its
 * own.
 */
export async function* fileStream({ fs }: Pick<Disk, 'fs'>, path: string): ByteStream {
  const small = wholeIfSmall(fs, path)
  if (small !== undefined) {
    if (small.length > 0) yield small
    return
  }
  const handle = await fs.promises.open(path, 'r')
  let ahead: Promise<Buffer> | undefined
  let size = 0
  const readAt = async (position: number) => {
    // A manifest is small, and memory that is never touched is paid for at the next garbage collection.
    const wanted = Math.min(chunkSize, Math.max(leastSize, size - position))
    const buffer = Buffer.allocUnsafeSlow(wanted)
    const { bytesRead } = await handle.read(buffer, 0, wanted, position)
    return buffer.subarray(0, bytesRead)
  }
  try {
    size = fs.fstatSync(handle.fd).size
    ahead = readAt(0)
    for (let position = 0; ; ) {
      const chunk = await ahead
      if (chunk.length === 0) return
      position += chunk.length
      ahead = readAt(position)
      // It may fail before anybody waits for it.
      ahead.catch(() => {})
      yield chunk
    }
  } finally {
    await ahead?.catch(() => {})
    await handle.close()
  }
}

function wholeIfSmall(fs: Disk['fs'], path: string): Buffer | undefined {
  const stat = fs.statSync(path)
  // Opening what is no file may wait.
  if (!stat.isFile() || stat.size > smallSize) return undefined
  const fd = fs.openSync(path, 'r')
  try {
    const buffer = Buffer.allocUnsafeSlow(stat.size)
    let read = 0
    for (let got = 1; got > 0 && read < buffer.length; read += got)
      got = fs.readSync(fd, buffer, read, buffer.length - read, read)
    return buffer.subarray(0, read)
  } finally {
    fs.closeSync(fd)
  }
}
