import { hash } from 'node:crypto'
import { type Digest, hexOf } from '../model/digest.ts'
import { crc32c } from './crc32c.ts'
import type { Device } from './format.ts'
import { type Fail, unrepresentable } from './refusal.ts'

export const blockSize = 512
export const nidSize = 32
export const superblockAt = 1024
export const deviceTableAt = 1152
export const deviceSlotSize = 128

const magic = 0xe0f5e1e2
const compatible = 0x1 | 0x2
/** Chunked files and the device table: always set, so that every index has one form. */
const incompatible = 0x4 | 0x8

export interface Superblock {
  readonly rootNid: number
  readonly inodes: number
  /** Blocks of the image, the trailer not counted. */
  readonly blocks: number
  readonly uuid: Uint8Array
  readonly devices: readonly Device[]
}

/** A device as its slot has it: blocks say the size only roughly, bytes stand in the trailer. */
export interface DeviceSlot {
  readonly diffId: Digest
  readonly blocks: number
  readonly spill: boolean
}

/** In a slot behind the diffID, where a tar has zeros. */
const spillTag = Buffer.from('spill'.padEnd(32, '\0'), 'latin1')
const spillHex = spillTag.toString('hex')
const tarHex = '0'.repeat(64)

/** The file system's uuid: kernel overlays name lower inodes by it, so it must differ from index to index. */
export function indexUuid(seed: Digest): Buffer {
  return hash('sha256', `plyfs-erofs-v1${seed}`, 'buffer').subarray(0, 16)
}

/** Where inodes start: the block after the device table. */
export function inodesStart(devices: number): number {
  return Math.ceil((deviceTableAt + deviceSlotSize * devices) / blockSize) * blockSize
}

/** The first bytes of the image, up to where inodes start. */
export function encodeSuperblock({ rootNid, inodes, blocks, uuid, devices }: Superblock): Buffer {
  const head = Buffer.alloc(inodesStart(devices.length))
  head.writeUInt32LE(magic, superblockAt)
  head.writeUInt32LE(compatible, superblockAt + 8)
  head[superblockAt + 12] = 9
  head.writeUInt16LE(rootNid, superblockAt + 14)
  head.writeBigUInt64LE(BigInt(inodes), superblockAt + 16)
  head.writeUInt32LE(blocks, superblockAt + 36)
  head.set(uuid, superblockAt + 48)
  head.writeUInt32LE(incompatible, superblockAt + 80)
  head.writeUInt16LE(devices.length, superblockAt + 86)
  head.writeUInt16LE(deviceTableAt / deviceSlotSize, superblockAt + 88)
  let address = blocks
  devices.forEach(({ diffId, size, spill }, number) => {
    const at = deviceTableAt + deviceSlotSize * number
    const length = Math.ceil(size / blockSize)
    head.write(hexOf(diffId), at, 'hex')
    if (spill) {
      if (length >= 2 ** 32) throw unrepresentable(diffId, 'the sparse files of a layer have at most 2 TiB together')
      spillTag.copy(head, at + 32)
      head.writeUInt32LE(length, at + 64)
      // No place in the address space: a spill is mostly holes, and would use it up.
      return
    }
    if (address + length >= 2 ** 32) throw unrepresentable(diffId, 'an index and its tars have at most 2 TiB together')
    // Where the tar stands in one address space of blocks behind the image: what mounts of image and tars in one file use.
    head.writeUInt32LE(length, at + 64)
    head.writeUInt32LE(address, at + 68)
    address += length
  })
  // The sum covers the first device slots too, so it comes last.
  head.writeUInt32LE(crc32c(head.subarray(superblockAt, superblockAt + blockSize)), superblockAt + 4)
  return head
}

/** The reverse of `encodeSuperblock`, from the first bytes of a file. */
export function decodeSuperblock(
  head: Buffer,
  fail: Fail,
): Omit<Superblock, 'devices'> & { readonly slots: readonly DeviceSlot[] } {
  const field = head.subarray(superblockAt, superblockAt + 128)
  if (field.length < 128 || field.readUInt32LE(0) !== magic) fail('it is not an EROFS image')
  const summed = Buffer.from(head.subarray(superblockAt, superblockAt + blockSize))
  summed.writeUInt32LE(0, 4)
  if (summed.length < blockSize || crc32c(summed) !== field.readUInt32LE(4))
    fail('the checksum of its superblock is wrong')
  if (field[12] !== 9 || field.readUInt32LE(80) !== incompatible || field.readUInt32LE(40) !== 0) {
    fail('it is an EROFS image that plyfs did not write')
  }
  const count = field.readUInt16LE(86)
  if (deviceTableAt + deviceSlotSize * count > head.length) fail('its device table is cut off')
  const slots: DeviceSlot[] = []
  for (let number = 0, at = deviceTableAt; number < count; number++, at += deviceSlotSize) {
    // In one text: of hundreds of slots each call counts.
    const text = head.toString('hex', at, at + 64)
    const spill = text.endsWith(spillHex)
    if (!spill && !text.endsWith(tarHex)) fail(`device ${number} is of an unknown kind`)
    slots.push({ diffId: `sha256:${text.slice(0, 64)}` as Digest, blocks: head.readUInt32LE(at + 64), spill })
  }
  return {
    rootNid: field.readUInt16LE(14),
    inodes: Number(field.readBigUInt64LE(16)),
    blocks: field.readUInt32LE(36),
    uuid: Uint8Array.from(field.subarray(48, 64)),
    slots,
  }
}
