import { archive, base256, content, gnu, header, pax, record } from './raw.ts'

/** Runs of stored content: offset in the file and bytes. */
export type Runs = readonly (readonly [offset: number, bytes: Buffer])[]

export interface SparseSpec {
  readonly name: string
  readonly size: number
  readonly runs: Runs
  /** The map as it is written, where it shall not be that of the runs. */
  readonly map?: readonly (readonly [offset: number, length: number])[]
}

const mapOf = ({ runs, map }: SparseSpec) => map ?? runs.map(([offset, bytes]) => [offset, bytes.length] as const)
const stored = ({ runs }: SparseSpec) => Buffer.concat(runs.map(([, bytes]) => bytes))

/** What a file of these runs holds. */
export function expanded({ size, runs }: SparseSpec): Buffer {
  const whole = Buffer.alloc(size)
  for (const [offset, bytes] of runs) bytes.copy(whole, offset)
  return whole
}

function number(value: number): string {
  if (value >= 8 ** 11) return base256(BigInt(value), 12)
  return `${value.toString(8).padStart(11, '0')}\0`
}

/** Map entries as the old GNU form has them. */
export function oldEntries(map: readonly (readonly [number, number])[], slots: number, extended: boolean): string {
  const entries = map.map(([offset, length]) => number(offset) + number(length)).join('')
  return entries.padEnd(slots * 24, '\0') + (extended ? '\x01' : '\0')
}

/** The old GNU form: the type `S`, four entries in the header, the rest in blocks of 21. */
export function oldForm(spec: SparseSpec): Buffer {
  const map = mapOf(spec)
  const rest = map.slice(4)
  const blocks: Buffer[] = []
  for (let at = 0; at < rest.length; at += 21) {
    const block = Buffer.alloc(512)
    block.write(oldEntries(rest.slice(at, at + 21), 21, at + 21 < rest.length), 0, 'latin1')
    blocks.push(block)
  }
  const data = stored(spec)
  // Bytes 345 to 385: atime, ctime, offset, longnames and an unused byte.
  const tail = '\0'.repeat(41) + oldEntries(map.slice(0, 4), 4, rest.length > 0) + number(spec.size)
  const head = header({ name: spec.name, type: 'S', magic: gnu, size: data.length, tail })
  return Buffer.concat([head, ...blocks, content(data)])
}

/** GNU.sparse 0.0: a record for each number. */
export function form00(spec: SparseSpec): Buffer {
  const map = mapOf(spec)
  const data = stored(spec)
  const records = [
    record('GNU.sparse.size', String(spec.size)),
    record('GNU.sparse.numblocks', String(map.length)),
    ...map.map(
      ([offset, length]) => record('GNU.sparse.offset', String(offset)) + record('GNU.sparse.numbytes', String(length)),
    ),
  ]
  return Buffer.concat([pax(records.join('')), header({ name: spec.name, size: data.length }), content(data)])
}

/** GNU.sparse 0.1: one record for the map, and the name. */
export function form01(spec: SparseSpec): Buffer {
  const map = mapOf(spec)
  const data = stored(spec)
  const records = {
    'GNU.sparse.size': String(spec.size),
    'GNU.sparse.numblocks': String(map.length),
    'GNU.sparse.name': spec.name,
    'GNU.sparse.map': map.flat().join(','),
  }
  return Buffer.concat([pax(records), header({ name: 'GNUSparseFile.1/x', size: data.length }), content(data)])
}

/** GNU.sparse 1.0: the map stands before the content. */
export function form10(spec: SparseSpec, text?: string): Buffer {
  const map = mapOf(spec)
  const lines = text ?? [map.length, ...map.flat()].map((value) => `${value}\n`).join('')
  const payload = Buffer.concat([content(lines), stored(spec)])
  const records = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': spec.name,
    'GNU.sparse.realsize': String(spec.size),
  }
  return Buffer.concat([pax(records), header({ name: 'GNUSparseFile.1/x', size: payload.length }), content(payload)])
}

export const forms = { 'old GNU': oldForm, '0.0': form00, '0.1': form01, '1.0': form10 } as const

/** Content with holes wherever there can be one. `step` sets how long runs and holes are. */
export function shapes(step = 1000): readonly (SparseSpec & { readonly is: string })[] {
  const bytes = (length: number, seed: number) => Buffer.alloc(length, seed + 1)
  const many = (count: number): Runs => Array.from({ length: count }, (_, i) => [(2 * i + 1) * step, bytes(step, i)])
  const of = (is: string, size: number, runs: Runs) => ({ is, name: 'f', size, runs })
  return [
    of('a hole at the start', 2 * step, [[step, bytes(step, 1)]]),
    of('a hole at the end', 3 * step, [[0, bytes(step, 2)]]),
    of('a hole in the middle', 3 * step + 7, [
      [0, bytes(step, 3)],
      [2 * step + 7, bytes(step, 4)],
    ]),
    of('nothing but a hole', 5 * step, []),
    of('no hole', step, [[0, bytes(step, 5)]]),
    of('nothing at all', 0, []),
    of('four runs', 9 * step, many(4)),
    of('five runs', 12 * step, many(5)),
    of('26 runs', 53 * step + 1, many(26)),
    of('a hundred runs', 201 * step, many(100)),
  ]
}

/** An archive of one sparse member. */
export function sparseArchive(form: keyof typeof forms, spec: SparseSpec): Buffer {
  return archive(forms[form](spec))
}
