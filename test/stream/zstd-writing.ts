import { Xxh64 } from '../../src/stream/xxh64.ts'

/** A frame of raw blocks (RFC 8878): enough to say anything about framing without an encoder. */
export function rawFrame(
  content: Uint8Array,
  {
    checksum = true,
    windowDescriptor = 0x38,
    dictionary = 0,
    size = false,
    block = 1000,
  }: {
    checksum?: boolean
    windowDescriptor?: number
    dictionary?: number
    size?: boolean | number
    block?: number
  } = {},
): Buffer {
  const flags = (size === false ? 0 : 0x80) | (checksum ? 4 : 0) | (dictionary ? 1 : 0)
  const header = [0x28, 0xb5, 0x2f, 0xfd, flags, windowDescriptor]
  if (dictionary) header.push(dictionary)
  const parts: Uint8Array[] = [Buffer.from(header)]
  if (size !== false) {
    const field = Buffer.alloc(4)
    field.writeUInt32LE(size === true ? content.length : size)
    parts.push(field)
  }
  for (let at = 0; at === 0 || at < content.length; at += block) {
    const part = content.subarray(at, at + block)
    parts.push(blockHeader(at + block >= content.length, 0, part.length), Buffer.from(part))
  }
  if (checksum) parts.push(checksumOf(content))
  return Buffer.concat(parts)
}

/** A frame that says one byte many times: `blocks` blocks of 128 KiB from four bytes each. */
export function bomb(blocks: number): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38])]
  for (let i = 0; i < blocks; i++) parts.push(blockHeader(i === blocks - 1, 1, 128 << 10), Buffer.from([0x61]))
  return Buffer.concat(parts)
}

export function skippable(content: Uint8Array, kind = 0): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(0x184d2a50 + kind, 0)
  header.writeUInt32LE(content.length, 4)
  return Buffer.concat([header, content])
}

export function blockHeader(last: boolean, type: number, size: number): Buffer {
  const header = Buffer.alloc(3)
  header.writeUIntLE((last ? 1 : 0) | (type << 1) | (size << 3), 0, 3)
  return header
}

function checksumOf(content: Uint8Array): Buffer {
  const hash = new Xxh64()
  hash.update(content)
  const field = Buffer.alloc(4)
  field.writeUInt32LE(Number(hash.digest() & 0xffffffffn))
  return field
}
