import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import { damaged } from './record-bytes.ts'

const magic = 'plyupper'
const version = 1

/** Bytes. */
export const headerSize = 32

/** Bits of the word of incompatible features. Records of code 13, access times: */
export const extendedFeature = 1
/** Files that have blocks of their own over the content below: */
export const blocksFeature = 2
const knownFeatures = extendedFeature | blocksFeature

/** Magic, version, three feature words (compatible, read-only compatible, incompatible), checksum. */
export function logHeader(features: number): Buffer {
  const head = Buffer.alloc(headerSize)
  head.write(magic, 'latin1')
  head.writeUInt32LE(version, 8)
  head.writeUInt32LE(features, 20)
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28)
  return head
}

/**
 * The incompatible features of a log.
 *
 * @throws PLY_BAD_DOCUMENT if these are not its first bytes; PLY_UNSUPPORTED if a later version wrote them.
 */
export function readHeader(head: Buffer): number {
  if (head.toString('latin1', 0, 8) !== magic) throw damaged('it does not begin with "plyupper"')
  if (head.readUInt32LE(28) !== crc32(head.subarray(0, 28))) throw damaged('its header does not match its checksum')
  const found = head.readUInt32LE(8)
  const [readOnly, incompatible] = [head.readUInt32LE(16), head.readUInt32LE(20)]
  if (found !== version || readOnly !== 0 || (incompatible & ~knownFeatures) !== 0) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `upper format ${found}, features ${readOnly}/${incompatible}`,
      reason: `this version knows format ${version} with features 0/${knownFeatures}; use a later ply`,
    })
  }
  return incompatible
}
