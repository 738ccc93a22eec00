import { file, link } from '../layer/parts.ts'
import { content, gnu, header, member, pax, record } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'
import { told } from './lines.ts'

/** A file with holes: where its data is, in order, and how long it is. */
export interface Sparse {
  readonly size: number
  readonly data: readonly (readonly [at: number, text: string])[]
}

type Map = readonly (readonly [offset: number | string, length: number | string])[]

/** Its map; a hole at the end is said with an entry of length zero, as GNU tar does. */
function mapOf({ size, data }: Sparse): Map {
  const map = data.map(([at, text]) => [at, text.length] as const)
  const [at, text] = data.at(-1) ?? [0, '']
  return at + text.length < size || data.length === 0 ? [...map, [size, 0]] : map
}

const stored = ({ data }: Sparse) => data.map(([, text]) => text).join('')

export function logical({ size, data }: Sparse): Buffer {
  const whole = Buffer.alloc(size)
  for (const [at, text] of data) whole.write(text, at, 'latin1')
  return whole
}

const octal = (value: number | string) =>
  typeof value === 'string' ? value.padEnd(12, '\0') : `${value.toString(8).padStart(11, '0')}\0`
const pairs = (map: Map) => map.map(([offset, length]) => octal(offset) + octal(length)).join('')

/** The old GNU form: four entries of the map in the header, 21 in each block behind it. */
export function oldGnu(name: string, file: Sparse, map = mapOf(file), data = stored(file)): Buffer {
  const inHeader = pairs(map.slice(0, 4)).padEnd(96, '\0')
  const rest = map.slice(4)
  const tail = `${'\0'.repeat(41)}${inHeader}${rest.length > 0 ? '\x01' : '\0'}${octal(file.size)}`
  const blocks = [header({ name, type: 'S', magic: gnu, size: data.length, tail })]
  for (let at = 0; at < rest.length; at += 21) {
    const block = Buffer.alloc(512)
    block.write(pairs(rest.slice(at, at + 21)), 0, 'latin1')
    block[504] = at + 21 < rest.length ? 1 : 0
    blocks.push(block)
  }
  return Buffer.concat([...blocks, content(data)])
}

/** GNU.sparse 0.0: a record for each number. */
export function gnu00(name: string, file: Sparse, map = mapOf(file), data = stored(file)): Buffer {
  const records = map.map(
    ([offset, length]) => record('GNU.sparse.offset', String(offset)) + record('GNU.sparse.numbytes', String(length)),
  )
  const counted = record('GNU.sparse.size', String(file.size)) + record('GNU.sparse.numblocks', String(map.length))
  return Buffer.concat([pax(counted + records.join('')), member({ name }, data)])
}

/** GNU.sparse 0.1: one record for the map; the header has a name nobody should see. */
export function gnu01(name: string, file: Sparse, map = mapOf(file), data = stored(file)): Buffer {
  const records = {
    'GNU.sparse.name': name,
    'GNU.sparse.size': String(file.size),
    'GNU.sparse.numblocks': String(map.length),
    'GNU.sparse.map': map.flat().join(','),
  }
  return Buffer.concat([pax(records), member({ name: `GNUSparseFile.1/${name}` }, data)])
}

/** GNU.sparse 1.0: the map stands before the data. */
export function gnu10(name: string, file: Sparse, map = mapOf(file), data = stored(file), count = map.length): Buffer {
  const records = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': name,
    'GNU.sparse.realsize': String(file.size),
  }
  const front = content([count, ...map.flat()].map((number) => `${number}\n`).join(''))
  const payload = Buffer.concat([front, Buffer.from(data, 'latin1')])
  return Buffer.concat([pax(records), member({ name: `GNUSparseFile.1/${name}` }, payload)])
}

const forms = [
  ['the old GNU form', oldGnu],
  ['GNU.sparse 0.0', gnu00],
  ['GNU.sparse 0.1', gnu01],
  ['GNU.sparse 1.0', gnu10],
] as const

export const many = (segments: number): Sparse => ({
  size: segments * 1024,
  data: Array.from({ length: segments }, (_, i) => [i * 1024 + 512, `${i}`.padEnd(512, 's')] as const),
})

const files: readonly (readonly [string, Sparse])[] = [
  ['a hole at the start', { size: 10_000, data: [[8192, 'e'.repeat(1808)]] }],
  [
    'a hole in the middle',
    {
      size: 9000,
      data: [
        [0, 'a'.repeat(700)],
        [8192, 'b'.repeat(808)],
      ],
    },
  ],
  ['a hole at the end', { size: 70_000, data: [[0, 'a'.repeat(700)]] }],
  [
    'holes everywhere',
    {
      size: 80_000,
      data: [
        [512, 'a'.repeat(512)],
        [4096, 'bc'],
        [66_000, 'd'.repeat(5)],
      ],
    },
  ],
  ['nothing but a hole', { size: 70_000, data: [] }],
  ['no hole', { size: 1000, data: [[0, 'f'.repeat(1000)]] }],
  ['neither holes nor content', { size: 0, data: [] }],
  [
    'data where a block begins and ends',
    {
      size: 2048,
      data: [
        [512, 's'.repeat(512)],
        [1536, 't'.repeat(512)],
      ],
    },
  ],
  [
    'data that touches the data before it',
    {
      size: 30,
      data: [
        [10, 'abc'],
        [13, 'def'],
      ],
    },
  ],
  ['4 runs of data', many(4)],
  ['5 runs of data', many(5)],
  ['25 runs of data', many(25)],
  ['26 runs of data', many(26)],
  ['100 runs of data', many(100)],
]

const good: Sparse = {
  size: 3000,
  data: [
    [0, 'a'.repeat(512)],
    [1024, 'b'.repeat(512)],
  ],
}

/** Maps that are wrong for the good one's size and data. */
const wrong: readonly (readonly [string, Map])[] = [
  [
    'out of order',
    [
      [1024, 512],
      [0, 512],
    ],
  ],
  [
    'that overlaps',
    [
      [0, 512],
      [511, 512],
    ],
  ],
  [
    'that goes beyond the size',
    [
      [0, 512],
      [2999, 512],
    ],
  ],
  [
    'that begins beyond the size',
    [
      [0, 512],
      [4000, 512],
    ],
  ],
  [
    'that asks for more data than there is',
    [
      [0, 512],
      [1024, 513],
    ],
  ],
  [
    'that leaves data over',
    [
      [0, 512],
      [1024, 511],
    ],
  ],
  ['that is empty, with data', []],
]
const noNumbers: readonly (readonly [string, Map])[] = [
  [
    'with a negative offset',
    [
      [0, 512],
      ['-1024', 512],
    ],
  ],
  [
    'with a negative length',
    [
      [0, 1024],
      [1024, '-512'],
      [2048, 512],
    ],
  ],
  [
    'with a word in it',
    [
      [0, 512],
      ['x', 512],
    ],
  ],
  [
    'with a number of more than 64 bits',
    [
      [0, 512],
      ['99999999999999999999', 512],
    ],
  ],
]

/** Section 8. */
export const sparse: readonly Case[] = [
  ...files.map(([what, sparseFile]) =>
    says(
      `T-04, S-01, S-02, S-04, S-05: ${what}, in all four forms`,
      forms.map(([, make], i) => make(`f${i}`, sparseFile)).concat(file('last', 'x')),
      [...forms.map((_, i) => `f${i} file 644 ${told(logical(sparseFile))}`), 'last file 644 "x"'],
    ),
  ),
  ...forms.flatMap(([form, make]) => [
    ...[...wrong, ...(make === oldGnu ? noNumbers.slice(2, 3) : noNumbers)].map(([what, map]) =>
      refuses(`S-03: a map ${what}, in ${form}`, [make('f', good, map)]),
    ),
    says(
      `S-01: a hole at the end that the map does not mention, in ${form}`,
      [
        make('f', good, [
          [0, 512],
          [1024, 512],
        ]),
      ],
      `f file 644 ${told(logical(good))}`,
    ),
    says(
      `H-02, S-05: two names for a sparse file, in ${form}`,
      [make('d/f', good), link('d/g', 'd/f'), link('e', 'd/f')],
      `d/ implied
       d/f file 644 ${told(logical(good))}
       d/g = d/f
       e = d/f`,
    ),
    says(
      `N-12, S-05: a sparse file that a later one replaces, in ${form}`,
      [make('f', { size: 5000, data: [[4000, 'old']] }), make('f', good)],
      `f file 644 ${told(logical(good))}`,
      { warnings: ['N-12'] },
    ),
    refuses(`Z-04, S-03: an archive that ends inside the data, in ${form}`, make('f', good).subarray(0, -1)),
  ]),
  refuses('S-03: GNU.sparse 0.1 with half a pair', [
    pax({ 'GNU.sparse.size': '3000', 'GNU.sparse.numblocks': '1', 'GNU.sparse.map': '0,512,1024' }),
    member({ name: 'f' }, 'a'.repeat(512)),
  ]),
  refuses('S-03: GNU.sparse 1.0 with a map that is longer than the payload', [
    gnu10('f', { size: 3000, data: [] }, [[0, 0]], '', 1000),
  ]),
  refuses('S-03: GNU.sparse 1.0 without a map', [
    pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '0' }),
    member({ name: 'f' }),
  ]),
  says(
    'S-02, F-06: the name in the sparse records is the name, long as it may be',
    [gnu10('n'.repeat(150), good), gnu01(`d/${'m'.repeat(200)}`, good)],
    [
      'd/ implied',
      `d/${'m'.repeat(200)} file 644 ${told(logical(good))}`,
      `${'n'.repeat(150)} file 644 ${told(logical(good))}`,
    ],
  ),
]
