import type { IndexBuilder, WriteOptions } from '../../src/erofs/index.ts'
import { Index } from '../../src/erofs/reader.ts'
import { digestOf } from '../../src/model/digest.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'

export const seed = digestOf(Buffer.from('seed'))

/** The bytes of an index. */
export async function written(builder: IndexBuilder, options: Partial<WriteOptions> = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  await builder.write({ write: (chunk) => void chunks.push(chunk) }, { uuidSeed: seed, devices: [], ...options })
  return Buffer.concat(chunks)
}

/** An index as it is read after writing. */
export async function reopened(builder: IndexBuilder, options: Partial<WriteOptions> = {}): Promise<Index> {
  return Index.open(memoryBytes(await written(builder, options)), { what: 'the test' })
}

export const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 0n }
export const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0n } as const
