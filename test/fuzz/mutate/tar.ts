import type { Random } from '../random.ts'
import { inserted, mutateBytes } from './bytes.ts'
import { mutatePax } from './pax.ts'
import { mutateSparse } from './sparse.ts'
import { withPayload, writeNumber } from './tar-edit.ts'
import { repairChecksum, repairChecksums, type Span, spansOf } from './tar-members.ts'

const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  linkName: [157, 100],
  magic: [257, 8],
  userName: [265, 32],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [at: number, size: number]>
type Field = keyof typeof fields

const texts: readonly Field[] = ['name', 'linkName', 'prefix']
const numbers: readonly Field[] = ['mode', 'uid', 'gid', 'size', 'mtime', 'major', 'minor']
const types = ['0', '\0', '7', '1', '2', '3', '4', '5', '6', 'x', 'g', 'L', 'K', 'S', 'V', 'D', 'M', 'A', '\xff']
const magics = ['ustar\x0000', 'ustar  \0', '\0'.repeat(8), 'ustar\0  ', 'ustar', 'USTAR\x0000']
const paths = [
  '',
  '/',
  '.',
  './',
  '..',
  '../x',
  'a/../b',
  'a//b/',
  'a/./b',
  '/a',
  'a',
  'a/b',
  'a/b/c',
  'd',
  'd/',
  'd/f',
  'l',
  'l/x',
]
  .concat([
    '.wh.a',
    '.wh.d',
    'd/.wh.f',
    'd/.wh..wh..opq',
    '.wh..wh..opq',
    '.wh.',
    '.wh..',
    '.wh...',
    'd/.wh..wh.x',
    '.wh..wh.x',
  ])
  .concat([
    '.wh..wh.plnk/1.2',
    '.wh.a/b',
    '.wh.__dir_opaque',
    'Files/a',
    'Hives/a',
    'UtilityVM/x',
    '\xff\xfe',
    '\xc3\xa9',
    'a\x01b',
  ])
  .concat([
    'x'.repeat(100),
    `${'y/'.repeat(49)}z`,
    'n'.repeat(255),
    'n'.repeat(256),
    'p/'.repeat(1100),
    '..wh.a',
    ' a',
    'a\\b',
  ])
/** Changes an archive: its bytes, its fields, its members. Checksums are right afterwards, mostly. */
export function mutateTar(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input)
  const changes = 1 + random.small(4)
  for (let i = 0; i < changes; i++) bytes = changed(bytes, other, random)
  if (random.chance(0.9)) repairChecksums(bytes)
  return bytes
}

function changed(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const spans = spansOf(bytes)
  const choice = random.below(100)
  if (spans.length === 0 || choice < 15) return mutateBytes(bytes, other, random, { block: 512, words: paths })
  const span = random.pick(spans)
  if (choice < 50) return fielded(bytes, span, spans, random)
  if (choice < 75) return moved(bytes, span, spans, other, random)
  const extended = spans.filter(({ type }) => type === 'x' || type === 'g')
  if (choice < 90 && extended.length > 0) {
    const one = random.pick(extended)
    return withPayload(bytes, one, mutatePax(payloadOf(bytes, one), Buffer.alloc(0), random))
  }
  if (choice < 95) return mutateSparse(bytes, spans, random)
  return withPayload(bytes, span, mutateBytes(payloadOf(bytes, span), other, random, { words: paths }))
}

function fielded(bytes: Buffer, { at }: Span, spans: readonly Span[], random: Random): Buffer {
  const choice = random.below(10)
  if (choice === 0) bytes.write(random.pick(types), at + 156, 'latin1')
  else if (choice === 1) bytes.write(random.pick(magics), at + fields.magic[0], 'latin1')
  else if (choice === 2) bytes.write(random.pick(['tar\0', '\0\0\0\0', '\x01\x01\x01\x01']), at + 508, 'latin1')
  else if (choice < 6) {
    const [from, size] = fields[random.pick(texts)]
    // Names that stand elsewhere in the archive are what links and markers are about.
    const near = bytes.toString('latin1', random.pick(spans).at).slice(0, 100).replace(/\0.*/s, '')
    const text = random.chance(0.5) ? near : random.pick(paths)
    const shape = random.pick(['', '', '/', '.wh.', '/x', './', '/..', '/.wh..wh..opq'])
    const put = shape === '.wh.' ? text.replace(/[^/]*$/, '.wh.$&') : text + shape
    bytes.fill(0, at + from, at + from + size)
    bytes.write(put.slice(0, size), at + from, 'latin1')
  } else {
    const [from, size] = fields[random.pick(numbers)]
    writeNumber(bytes, at + from, size, random)
  }
  if (random.chance(0.8)) repairChecksum(bytes, at)
  return bytes
}

/** Members go, come twice, change places, or come from elsewhere; so do blocks of zeros. */
function moved(bytes: Buffer, span: Span, spans: readonly Span[], other: Buffer, random: Random): Buffer {
  const target = random.pick(spans).at
  const whole = bytes.subarray(span.at, span.end)
  switch (random.below(7)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, span.at), bytes.subarray(span.end)])
    case 1:
      return inserted(bytes, target, whole)
    case 2: {
      const without = Buffer.concat([bytes.subarray(0, span.at), bytes.subarray(span.end)])
      return inserted(without, Math.min(without.length, target), whole)
    }
    case 3:
    case 4: {
      const theirs = spansOf(other)
      if (theirs.length === 0) return bytes
      const first = random.below(theirs.length)
      const last = Math.min(theirs.length - 1, first + random.small(4))
      return inserted(bytes, target, other.subarray(theirs[first]!.at, theirs[last]!.end))
    }
    case 5:
      return inserted(bytes, target, Buffer.alloc(512 * (1 + random.below(2))))
    default:
      return Buffer.from(bytes.subarray(0, span.end - random.small(1024)))
  }
}

function payloadOf(bytes: Buffer, { payload, end }: Span): Buffer {
  const start = end - Math.ceil(payload / 512) * 512
  return bytes.subarray(start, start + payload)
}
