import type { ByteStream } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

const chunkSize = 512 << 10
/** What is read to see that nothing more comes. */
const leastSize = 4096

/**
 * A file from its start to its end. The next chunk is being read while the reader works on this one. Each chunk is a buffer of its
 * own.
 */
export async function* fileStream({ fs }: Pick<Disk, 'fs'>, path: string): ByteStream {
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
