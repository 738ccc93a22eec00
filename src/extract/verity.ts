import { createHash } from 'node:crypto'
import type { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'

const block = 4096

/** `struct ovl_metacopy`: version, length, flags, algorithm (1: SHA-256, 2: SHA-512), digest. */
const headerSize = 4
const algorithms = new Map([
  [1, { name: 'sha256', size: 32 }],
  [2, { name: 'sha512', size: 64 }],
])

/**
 * Compares content with the fs-verity digest that a copy of attributes alone has recorded (layer-semantics U-02); most have none.
 * @throws what `refuse` makes of a reason
 */
export function checkVerity(metacopy: Uint8Array, content: Bytes, refuse: (reason: string) => PlyError): void {
  if (metacopy.length === 0) return
  const [version, length, , number] = metacopy
  const algorithm = algorithms.get(number ?? 0)
  if (version !== 0 || length !== metacopy.length) throw refuse('the mark metacopy is of a kind that nobody knows')
  if (metacopy.length === headerSize) return
  if (algorithm === undefined || metacopy.length !== headerSize + algorithm.size)
    throw refuse('the digest in the mark metacopy is of a kind that nobody knows')
  const recorded = Buffer.from(metacopy.subarray(headerSize))
  if (!recorded.equals(verityDigest(content, algorithm.name, number!)))
    throw refuse('the content below is not the one whose digest was recorded')
}

/** The digest that `FS_IOC_MEASURE_VERITY` gives of a file with blocks of 4 KiB and no salt. */
export function verityDigest(content: Bytes, algorithm: string, number: number): Buffer {
  const descriptor = Buffer.alloc(256)
  descriptor[0] = 1
  descriptor[1] = number
  descriptor[2] = Math.log2(block)
  descriptor.writeBigUInt64LE(BigInt(content.size), 8)
  rootHash(content, algorithm).copy(descriptor, 16)
  return createHash(algorithm).update(descriptor).digest()
}

function rootHash(content: Bytes, algorithm: string): Buffer {
  if (content.size === 0) return Buffer.alloc(0)
  const hashOf = (bytes: Uint8Array) => createHash(algorithm).update(bytes).digest()
  let hashes: Buffer[] = []
  const buffer = Buffer.alloc(block)
  for (let position = 0; position < content.size; position += block) {
    buffer.fill(0)
    content.read(buffer.subarray(0, Math.min(block, content.size - position)), position)
    hashes.push(hashOf(buffer))
  }
  const together = block / hashes[0]!.length
  while (hashes.length > 1) {
    const above: Buffer[] = []
    for (let at = 0; at < hashes.length; at += together) {
      buffer.fill(0)
      Buffer.concat(hashes.slice(at, at + together)).copy(buffer)
      above.push(hashOf(buffer))
    }
    hashes = above
  }
  return hashes[0]!
}
