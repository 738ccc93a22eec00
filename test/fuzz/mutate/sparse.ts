import type { Random } from '../random.ts'
import { mutatePax, paxRecord } from './pax.ts'
import { withPayload, writeNumber } from './tar-edit.ts'
import { repairChecksum, type Span } from './tar-members.ts'

/** Numbers of a map, as texts: offsets and lengths that touch, overlap, are out of order, or are too large. */
const maps = [
  '0',
  '1',
  '2',
  '3',
  '4',
  '511',
  '512',
  '513',
  '1024',
  '2048',
  '4096',
  '8192',
  '1048576',
  '1000001',
  '-1',
  '',
].concat([
  '8589934592',
  '1099511627776',
  '9007199254740992',
  '9223372036854775807',
  '18446744073709551616',
  '0x1',
  ' 1',
])

const recordTwice = ['GNU.sparse.offset', 'GNU.sparse.numbytes'] as const

/** Changes the map of a sparse member, in whichever of the four forms it stands. Without one, a member becomes one. */
export function mutateSparse(bytes: Buffer, spans: readonly Span[], random: Random): Buffer {
  const old = spans.filter(({ type }) => type === 'S')
  const extended = spans.filter(({ at, type, end }) => type === 'x' && bytes.subarray(at, end).includes('GNU.sparse.'))
  const span = random.pick([...old, ...extended, random.pick(spans)])
  if (span.type === 'S') return oldMap(bytes, span, random)
  if (span.type !== 'x') {
    if (random.chance(0.5)) bytes.write('S', span.at + 156, 'latin1')
    else return frontMap(bytes, span, random)
    repairChecksum(bytes, span.at)
    return bytes
  }
  const start = span.at + 512
  const payload = bytes.subarray(start, start + span.payload)
  const text = payload.toString('latin1')
  const map = /GNU\.sparse\.map=([^\n]*)\n/.exec(text)
  if (map !== null && random.chance(0.7)) {
    const parts = map[1]!.split(',')
    changeList(parts, random)
    return withPayload(bytes, span, Buffer.from(relength(text, 'GNU.sparse.map', parts.join(',')), 'latin1'))
  }
  if (random.chance(0.3)) {
    const pair = recordTwice.map((key) => paxRecord({ key, value: random.pick(maps) })).join('')
    const at = random.chance(0.5) ? text.length : text.indexOf('\n') + 1
    return withPayload(bytes, span, Buffer.from(text.slice(0, at) + pair + text.slice(at), 'latin1'))
  }
  if (/GNU\.sparse\.major=1/.test(text) && random.chance(0.6)) {
    const next = spans[spans.indexOf(span) + 1]
    if (next !== undefined) return frontMap(bytes, next, random)
  }
  return withPayload(bytes, span, mutatePax(payload, Buffer.alloc(0), random))
}

/** The form 1.0: decimal numbers, a line each, before the content. */
function frontMap(bytes: Buffer, span: Span, random: Random): Buffer {
  const start = span.end - Math.ceil(span.payload / 512) * 512
  const payload = bytes.subarray(start, start + span.payload)
  const head = /^[0-9\n-]*/.exec(payload.toString('latin1'))![0]
  const lines = head.split('\n')
  lines.pop()
  changeList(lines, random)
  const text = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
  const padding = Buffer.alloc(random.chance(0.9) ? (512 - (text.length % 512)) % 512 : random.below(512))
  return withPayload(bytes, span, Buffer.concat([text, padding, payload.subarray(Math.ceil(head.length / 512) * 512)]))
}

/** The old form: four pairs in the header from 386, a flag for blocks of 21 more at 482, the real size at 483. */
function oldMap(bytes: Buffer, { at, end }: Span, random: Random): Buffer {
  const blocks = [at]
  for (
    let next = at + 512;
    next + 512 <= end && bytes[blocks.at(-1)! + (next === at + 512 ? 482 : 504)] === 1;
    next += 512
  )
    blocks.push(next)
  const block = random.pick(blocks)
  const [first, pairs, flag] = block === at ? [386, 4, 482] : [0, 21, 504]
  switch (random.below(6)) {
    case 0:
      bytes[block + flag] = random.pick([0, 1, 1, 2, 0x31])
      break
    case 1:
      if (block === at) writeNumber(bytes, at + 483, 12, random)
      break
    case 2: {
      const extension = Buffer.alloc(512)
      for (let i = 0; i < random.below(22); i++) writeNumber(extension, i * 12, 12, random)
      bytes[at + 482] = 1
      repairChecksum(bytes, at)
      return Buffer.concat([bytes.subarray(0, at + 512), extension, bytes.subarray(at + 512)])
    }
    default:
      writeNumber(bytes, block + first + random.below(pairs * 2) * 12, 12, random)
  }
  repairChecksum(bytes, at)
  return bytes
}

function changeList(parts: string[], random: Random): void {
  const at = random.below(parts.length)
  switch (random.below(5)) {
    case 0:
      parts.splice(at, 1)
      break
    case 1:
      parts.splice(at, 0, random.pick(maps))
      break
    case 2:
      parts.splice(at, 0, ...parts.slice(at, at + 2))
      break
    case 3:
      parts[at] = String(Number(parts[at]) + random.pick([-512, -1, 1, 512]))
      break
    default:
      parts[at] = random.pick(maps)
  }
}

/** Replaces the value of a record, its length set right. */
function relength(text: string, key: string, value: string): string {
  return text.replace(new RegExp(`\\d+ ${key.replaceAll('.', '\\.')}=[^\\n]*\\n`), () => paxRecord({ key, value }))
}
