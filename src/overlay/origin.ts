import type { FileHandle } from '../sys/file-handle.ts'

/** How the kernel names a lower inode in `overlay.origin` and in the index directory: `struct ovl_fb` (fs/overlayfs/overlayfs.h). */
const version = 0
const magic = 0xfb
const headerSize = 21
/** `FILEID_INO64_GEN`: what EROFS encodes. */
const handleType = 0x81
const handleSize = 12

/** Of which flags we know what they mean: 1 is big endian, 2 any endian, 4 names an upper inode. */
const knownFlags = 0

const originSize = headerSize + handleSize

/** The origin of what was copied up from a file system that names its inodes by such handles. */
export function encodeHandle(uuid: Uint8Array, { type, id }: FileHandle): Buffer {
  const origin = Buffer.alloc(headerSize + id.length)
  origin[0] = version
  origin[1] = magic
  origin[2] = origin.length
  origin[4] = type
  origin.set(uuid, 5)
  origin.set(id, headerSize)
  return origin
}

/** The handle in an origin, if it is one of the file system with this uuid. */
export function decodeHandle(origin: Uint8Array, uuid: Uint8Array): FileHandle | undefined {
  if (origin.length <= headerSize || origin[0] !== version || origin[1] !== magic || origin[2] !== origin.length)
    return undefined
  const bytes = Buffer.from(origin.buffer, origin.byteOffset, origin.byteLength)
  if (origin[3] !== knownFlags || !bytes.subarray(5, headerSize).equals(uuid)) return undefined
  return { type: bytes[4]!, id: bytes.subarray(headerSize) }
}

/**
 * The origin of what was copied up from an EROFS image: its uuid and the nid.
 *
 * Bytes: version 0, magic 0xfb, length 33, flags 0, type 0x81, uuid (16), then EROFS's file handle: the upper half of
 * the nid, the lower half, generation 0, each 32 bits little endian. Seen on Linux 6.18 (docs/upper-format.md).
 */
export function encodeOrigin(uuid: Uint8Array, nid: number): Buffer {
  const origin = Buffer.alloc(originSize)
  origin[0] = version
  origin[1] = magic
  origin[2] = originSize
  origin[4] = handleType
  origin.set(uuid, 5)
  origin.writeUInt32LE(Math.floor(nid / 2 ** 32), headerSize)
  origin.writeUInt32LE(nid % 2 ** 32, headerSize + 4)
  return origin
}

/** The nid in an origin, if it is one of the image with this uuid; `undefined` for any other lower file system. */
export function decodeOrigin(origin: Uint8Array, uuid: Uint8Array): number | undefined {
  if (origin.length !== originSize || origin[0] !== version || origin[1] !== magic || origin[2] !== originSize)
    return undefined
  if (origin[3] !== knownFlags || origin[4] !== handleType) return undefined
  const bytes = Buffer.from(origin.buffer, origin.byteOffset, origin.byteLength)
  if (!bytes.subarray(5, headerSize).equals(uuid)) return undefined
  const nid = bytes.readUInt32LE(headerSize) * 2 ** 32 + bytes.readUInt32LE(headerSize + 4)
  return nid > 0 && Number.isSafeInteger(nid) ? nid : undefined
}
