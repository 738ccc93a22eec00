import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import { damaged } from './record-bytes.ts'

const magic = 'plyupper'
const version = 1

/** Bytes. */
export const headerSize = 32

/** Magic, version, three feature words (compatible, read-only compatible, incompatible), checksum. */
export function logHeader(): Buffer {
  const head = Buffer.alloc(headerSize)
  head.write(magic, 'latin1')
  head.writeUInt32LE(version, 8)
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28)
  return head
}

/** @throws PLY_BAD_DOCUMENT if these are not the first bytes of a log; PLY_UNSUPPORTED if a later version wrote them. */
export function checkHeader(head: Buffer): void {
  if (head.toString('latin1', 0, 8) !== magic) throw damaged('it does not begin with "plyupper"')
  if (head.readUInt32LE(28) !== crc32(head.subarray(0, 28))) throw damaged('its header does not match its checksum')
  const found = head.readUInt32LE(8)
  const features = [head.readUInt32LE(16), head.readUInt32LE(20)]
  if (found !== version || features.some((word) => word !== 0)) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `upper format ${found}, features ${features.join('/')}`,
      reason: `this version knows format ${version} without features; use a later ply`,
    })
  }
}
