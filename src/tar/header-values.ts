import type { ByteString } from '../model/bytes.ts'
import type { Blocks } from './blocks.ts'
import { fields, type Layout } from './header.ts'
import { badLayer } from './member.ts'
import { parseDecimal } from './numbers.ts'

const largestId = 4294967294

const what = { uid: 'owner', gid: 'group' } as const
const largestDevice = { major: 4095, minor: 1048575 } as const

/**
 * Bytes of content. As with every number here, `text` is what an extended header says instead, `name` is for errors,
 * and the bounds are those of layers (layer-semantics F-01, F-02, T-07).
 *
 * @throws PLY_BAD_LAYER
 */
export function sizeOf(blocks: Blocks, at: number, name: ByteString, text: string | undefined): number {
  const size = text === undefined ? blocks.number(at + fields.size.at, fields.size.size) : parseDecimal(text)
  if (size === undefined) throw badLayer(name, 'F-01', 'the size is not a number of 64 bits')
  if (size < 0) throw badLayer(name, 'F-02', 'negative size')
  // Above 2^53 it is not exact, and need not be: no archive can be this long, and no budget is.
  return Number(size)
}

export function ownerOf(
  blocks: Blocks,
  at: number,
  name: ByteString,
  field: 'uid' | 'gid',
  text: string | undefined,
): number {
  const start = at + (field === 'uid' ? fields.uid.at : fields.gid.at)
  const id = text === undefined ? blocks.number(start, fields.uid.size) : parseDecimal(text)
  if (id === undefined) throw badLayer(name, 'F-01', `the ${what[field]} is not a number of 64 bits`)
  if (id < 0 || id > largestId) throw badLayer(name, 'F-02', `${what[field]} ${id} is outside 0 to ${largestId}`)
  return Number(id)
}

export function deviceOf(
  blocks: Blocks,
  at: number,
  name: ByteString,
  layout: Layout,
  field: 'major' | 'minor',
): number {
  if (layout === 'v7') return 0
  const number = blocks.number(at + fields[field].at, fields[field].size)
  if (number === undefined || number < 0 || number > largestDevice[field]) {
    const found = number ?? 'that is no number'
    throw badLayer(name, 'T-07', `${field} device number ${found} is outside 0 to ${largestDevice[field]}`)
  }
  return Number(number)
}

/** The low 12 bits. */
export function modeOf(blocks: Blocks, at: number, name: ByteString): number {
  const mode = blocks.number(at + fields.mode.at, fields.mode.size)
  if (mode === undefined) throw badLayer(name, 'F-01', 'the mode is not a number')
  return typeof mode === 'number' && mode >= 0 ? mode & 0o7777 : Number(BigInt.asUintN(12, BigInt(mode)))
}
