import { crc32 } from 'node:zlib'
import type { Change } from './change.ts'
import { encodeChange } from './change-codec.ts'
import type { FieldWriter } from './record-bytes.ts'

/** Bytes before each record: its length, and its CRC-32. */
export const frameSize = 8

/** Writes a change with its frame. */
export function encodeRecord(fields: FieldWriter, change: Change): void {
  const start = fields.length
  const length = fields.hole()
  const sum = fields.hole()
  encodeChange(fields, change)
  const record = fields.bytes.subarray(start + frameSize)
  fields.fill(length, record.length)
  fields.fill(sum, crc32(record))
}
