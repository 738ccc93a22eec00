import { file } from '../../layer/parts.ts'
import { archive, gnu, header, member, pax, record } from '../../tar/raw.ts'

/** Where there is data in a file: offset and length. */
type Map = readonly (readonly [offset: number, length: number])[]

interface Sparse {
  readonly name: string
  readonly size: number
  readonly map: Map
}

const files: readonly Sparse[] = [
  {
    name: 'middle',
    size: 8192,
    map: [
      [0, 512],
      [4096, 512],
      [8192, 0],
    ],
  },
  { name: 'start', size: 5000, map: [[4096, 904]] },
  {
    name: 'end',
    size: 1_000_000,
    map: [
      [0, 10],
      [1_000_000, 0],
    ],
  },
  { name: 'all a hole', size: 65_536, map: [[65_536, 0]] },
  { name: 'no hole', size: 700, map: [[0, 700]] },
  { name: 'empty', size: 0, map: [] },
  { name: 'many', size: 60_000, map: Array.from({ length: 30 }, (_, i) => [i * 2000, 100 + i] as const) },
]

const dataOf = ({ map }: Sparse) => Buffer.concat(map.map(([offset, length]) => Buffer.alloc(length, `${offset}`)))

/** Members of all four sparse forms. */
export function sparseSeeds(): readonly Buffer[] {
  const forms = [oldForm, form00, form01, form10]
  return [
    ...files.flatMap((one) => forms.map((form) => archive(form(one)))),
    ...forms.map((form) => archive(file('before', 'x'), ...files.slice(0, 3).map(form), file('after', 'y'))),
    archive(oldForm(files[6]!), form10(files[6]!)),
  ]
}

const octal = (value: number) => `${value.toString(8).padStart(11, '0')}\0`

/** GNU's own: four pairs in the header, 21 in each block that follows. */
function oldForm(one: Sparse): Buffer {
  const pairs = one.map.map(([offset, length]) => octal(offset) + octal(length))
  const inHeader = pairs.slice(0, 4).join('').padEnd(96, '\0')
  const more = pairs.slice(4)
  const data = dataOf(one)
  const tail = '\0'.repeat(41) + inHeader + (more.length > 0 ? '\x01' : '\0') + octal(one.size)
  const blocks: Buffer[] = [header({ name: one.name, type: 'S', magic: gnu, size: data.length, tail })]
  for (let at = 0; at < more.length; at += 21) {
    const block = Buffer.alloc(512)
    block.write(more.slice(at, at + 21).join(''), 0, 'latin1')
    block[504] = at + 21 < more.length ? 1 : 0
    blocks.push(block)
  }
  return Buffer.concat([...blocks, data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

function form00(one: Sparse): Buffer {
  const head = { 'GNU.sparse.size': String(one.size), 'GNU.sparse.numblocks': String(one.map.length) }
  const records = Object.entries(head).map(([key, value]) => record(key, value))
  for (const [offset, length] of one.map) {
    records.push(record('GNU.sparse.offset', String(offset)), record('GNU.sparse.numbytes', String(length)))
  }
  return Buffer.concat([pax(records.join('')), member({ name: one.name }, dataOf(one))])
}

function form01(one: Sparse): Buffer {
  const records = {
    'GNU.sparse.size': String(one.size),
    'GNU.sparse.numblocks': String(one.map.length),
    'GNU.sparse.name': one.name,
    'GNU.sparse.map': one.map.flat().join(','),
  }
  return Buffer.concat([pax(records), member({ name: `GNUSparseFile.0/${one.name}` }, dataOf(one))])
}

function form10(one: Sparse): Buffer {
  const records = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': one.name,
    'GNU.sparse.realsize': String(one.size),
  }
  const map = Buffer.from(`${[one.map.length, ...one.map.flat()].join('\n')}\n`)
  const padded = Buffer.concat([map, Buffer.alloc((512 - (map.length % 512)) % 512)])
  return Buffer.concat([
    pax(records),
    member({ name: `GNUSparseFile.0/${one.name}` }, Buffer.concat([padded, dataOf(one)])),
  ])
}
