import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import { damaged } from './record-bytes.ts'

const magic = 'plyupper'
const version = 1

/** Bytes. */
export const headerSize = 32

/** Bits of the word of incompatible features: records of code 13, access times. */
const extendedFeature = 1

/** Magic, version, three feature words (compatible, read-only compatible, incompatible), checksum. */
export function logHeader({ extended }: { readonly extended: boolean }): Buffer {
  const head = Buffer.alloc(headerSize)
  head.write(magic, 'latin1')
  head.writeUInt32LE(version, 8)
  head.writeUInt32LE(extended ? extendedFeature : 0, 20)
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28)
  return head
}

/**
 * The features of a log.
 *
 * @throws PLY_BAD_DOCUMENT if these are not its first bytes; PLY_UNSUPPORTED if a later version wrote them.
 */
export function readHeader(head: Buffer): { readonly extended: boolean } {
  if (head.toString('latin1', 0, 8) !== magic) throw damaged('it does not begin with "plyupper"')
  if (head.readUInt32LE(28) !== crc32(head.subarray(0, 28))) throw damaged('its header does not match its checksum')
  const found = head.readUInt32LE(8)
  const [readOnly, incompatible] = [head.readUInt32LE(16), head.readUInt32LE(20)]
  if (found !== version || readOnly !== 0 || (incompatible & ~extendedFeature) !== 0) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `upper format ${found}, features ${readOnly}/${incompatible}`,
      reason: `this version knows format ${version} with features 0/${extendedFeature}; use a later ply`,
    })
  }
  return { extended: (incompatible & extendedFeature) !== 0 }
}
