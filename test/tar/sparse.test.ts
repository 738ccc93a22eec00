import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { type Member, scanTar, TarReader } from '../../src/tar/index.ts'
import { archive, base256, content, gnu, header, long, member, pax, posix, record } from './raw.ts'
import { readAll, refusal } from './read.ts'
import {
  expanded,
  form00,
  form01,
  form10,
  forms,
  oldEntries,
  oldForm,
  type SparseSpec,
  shapes,
  sparseArchive,
} from './sparse-forms.ts'

/** The content of a member, put together from its map. */
function contentOf({ sparse, size }: Member, bytes: Buffer): Buffer {
  const whole = Buffer.alloc(size)
  for (let i = 0; i < sparse!.count; i++) {
    const from = sparse!.stored[i]!
    bytes.copy(whole, sparse!.logical[i]!, from, from + sparse!.length[i]!)
  }
  return whole
}

const next = member({ name: 'next' }, 'after it')

describe.each(Object.keys(forms) as (keyof typeof forms)[])('the sparse form %s', (form) => {
  test.each(shapes())('S-01: $is', (spec) => {
    const bytes = archive(forms[form](spec), next)
    const { members, warnings } = readAll(bytes)
    expect(warnings).toEqual([])
    const [found, after] = members
    expect(found).toMatchObject({ type: '0', name: 'f', size: spec.size, header: 0, warnings: [] })
    expect(found!.sparse!.count).toBe(spec.runs.length)
    expect(contentOf(found!, bytes).equals(expanded(spec))).toBe(true)
    expect(found!.data % 512).toBe(0)
    expect(after).toMatchObject({ name: 'next', size: 8 })
    expect([...scanTar(memoryBytes(bytes))]).toEqual(members)
  })

  test('S-01: chunks may cut map and content anywhere', () => {
    for (const spec of shapes(100)) {
      const bytes = archive(forms[form](spec), next)
      const whole = readAll(bytes).members
      for (const size of [1, 7, 511, 512, 513, 1000]) expect(readAll(bytes, size).members).toEqual(whole)
    }
  })

  test('S-01: runs that touch are one, and empty ones none, as at the end that writers mark so', () => {
    const bytes = Buffer.alloc(30, 'x')
    const spec: SparseSpec = {
      name: 'f',
      size: 100,
      runs: [[10, bytes]],
      map: [
        [0, 0],
        [10, 10],
        [20, 5],
        [25, 15],
        [60, 0],
        [100, 0],
      ],
    }
    const [found] = readAll(sparseArchive(form, spec)).members
    expect(found!.sparse!.count).toBe(1)
    expect([...found!.sparse!.logical, ...found!.sparse!.length]).toEqual([10, 30])
  })

  test('S-02: sizes above 8 GiB are read', () => {
    const far = 2 ** 39
    const bytes = sparseArchive(form, { name: 'f', size: far + 3, runs: [[far, Buffer.from('end')]] })
    const [found] = readAll(bytes).members
    expect(found).toMatchObject({ size: far + 3 })
    expect(found!.sparse!.logical[0]).toBe(far)
  })

  test.each<[string, Partial<SparseSpec>]>([
    [
      'disorder',
      {
        map: [
          [50, 10],
          [0, 10],
        ],
      },
    ],
    [
      'overlap',
      {
        map: [
          [0, 11],
          [10, 9],
        ],
      },
    ],
    [
      'a run beyond the size',
      {
        map: [
          [0, 10],
          [91, 10],
        ],
      },
    ],
    [
      'an empty run beyond the size',
      {
        map: [
          [0, 20],
          [101, 0],
        ],
      },
    ],
    [
      'less than what is stored',
      {
        map: [
          [0, 10],
          [50, 9],
        ],
      },
    ],
    [
      'more than what is stored',
      {
        map: [
          [0, 10],
          [50, 11],
        ],
      },
    ],
    ['sums beyond 2^53', { size: Number.MAX_SAFE_INTEGER, map: [[Number.MAX_SAFE_INTEGER, 20]] }],
  ])('S-03: %s in a map is refused', (_, wrong) => {
    const spec = {
      name: 'f',
      size: 100,
      runs: [
        [0, Buffer.alloc(10)],
        [50, Buffer.alloc(10)],
      ] as const,
      ...wrong,
    }
    expect(refusal(sparseArchive(form, spec))).toBe('S-03')
  })

  test('section 17: a map longer than its budget is refused, and the option that raises it is named', () => {
    const spec = shapes(10).find(({ is }) => is === '26 runs')!
    const bytes = sparseArchive(form, spec)
    const read = (sparseEntries: number) => {
      const members: Member[] = []
      const reader = new TarReader({ member: (one) => members.push(one) }, { sparseEntries })
      reader.push(bytes)
      reader.end()
      return members
    }
    expect(read(26)).toHaveLength(1)
    for (const attempt of [() => read(25), () => [...scanTar(memoryBytes(bytes), { sparseEntries: 25 })]]) {
      expect(attempt).toThrow(
        expect.objectContaining({
          code: 'PLY_BUDGET',
          details: expect.objectContaining({ limit: 25, option: 'limits.sparseEntries' }),
        }),
      )
    }
  })

  test('Z-04: an archive that ends inside the map or the content is refused', () => {
    const spec = shapes(30).find(({ is }) => is === '26 runs')!
    const whole = forms[form](spec)
    // What is missing of the padding does not count.
    for (let size = whole.length - 300; size > 0; size -= 97) {
      // Cut inside a header that is complete otherwise, or right behind an extended one: other rules name that.
      expect(['Z-04', 'P-10', 'P-02']).toContain(refusal(whole.subarray(0, size)))
    }
  })
})

const spec: SparseSpec = { name: 'real', size: 5000, runs: [[4000, Buffer.from('some bytes')]] }
const file = () => header({ name: 'f', size: 10 })
const data = content('some bytes')
const sized = { 'GNU.sparse.size': '5000' }
const map = { ...sized, 'GNU.sparse.map': '4000,10' }
const version1 = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5000' }

describe('names and sizes of sparse members', () => {
  test('S-02: GNU.sparse.name wins over path and header; without one, path does', () => {
    const named = { 'GNU.sparse.name': 'real', path: 'path', ...map }
    const { 'GNU.sparse.name': _, ...unnamed } = named
    expect(readAll(archive(pax(named), file(), data)).members[0]!.name).toBe('real')
    expect(readAll(archive(pax(unnamed), file(), data)).members[0]!.name).toBe('path')
    expect(readAll(archive(pax(map), file(), data)).members[0]!.name).toBe('f')
  })

  test('F-06: a GNU long name wins over all of them', () => {
    const records = { 'GNU.sparse.name': 'real', path: 'path', ...map }
    expect(readAll(archive(long('L', 'long'), pax(records), file(), data)).members[0]!.name).toBe('long')
    const old = archive(long('L', 'long'), oldForm(spec))
    expect(readAll(old).members[0]!).toMatchObject({ name: 'long', size: 5000, header: 0 })
  })

  test('S-02: the size of the header, and of the size record, is that of what is stored', () => {
    const [found] = readAll(archive(pax({ ...map, size: '10' }), header({ name: 'f', size: 3 }), data, next)).members
    expect(found).toMatchObject({ size: 5000 })
  })

  test.each(['0', '\0', '7'])('S-01: an extended header makes a file of type %j sparse', (type) => {
    const [found] = readAll(archive(pax(map), header({ name: 'f', size: 10, type }), data)).members
    expect(found).toMatchObject({ type: '0', size: 5000 })
  })

  test('N-06: a NUL inside the sparse name is refused', () => {
    expect(refusal(archive(pax({ ...map, 'GNU.sparse.name': 'a\0b' }), file(), data))).toBe('N-06')
  })

  test('P-03: empty records say nothing', () => {
    const { members } = readAll(
      archive(pax({ 'GNU.sparse.major': '', 'GNU.sparse.name': '' }), member({ name: 'f' }, 'x')),
    )
    expect(members[0]!).toMatchObject({ name: 'f', size: 1 })
    expect(members[0]!.sparse).toBeUndefined()
  })

  test('P-08: a map in a global header has no effect', () => {
    const { members, warnings } = readAll(archive(pax(map, 'g'), member({ name: 'f' }, 'x')))
    expect(members[0]!.sparse).toBeUndefined()
    expect(warnings.map(({ rule }) => rule)).toEqual(['P-08'])
  })
})

describe('sparse members that make no sense', () => {
  const cases: readonly (readonly [is: string, rule: string, parts: readonly Buffer[]])[] = [
    ['an unknown version', 'S-01', [pax({ ...version1, 'GNU.sparse.major': '2' }), file(), data]],
    ['half a version', 'S-01', [pax({ ...sized, 'GNU.sparse.major': '1' }), file(), data]],
    ['a version in the header and a map of another', 'S-01', [pax({ ...version1, ...map }), file(), data]],
    [
      'two maps',
      'S-01',
      [
        pax(
          `${record('GNU.sparse.offset', '0')}${record('GNU.sparse.numbytes', '10')}${record('GNU.sparse.map', '0,10')}${record('GNU.sparse.size', '99')}`,
        ),
        file(),
        data,
      ],
    ],
    ['a name and no map', 'S-01', [pax({ 'GNU.sparse.name': 'x' }), file(), data]],
    ['a size and no map', 'S-01', [pax(sized), file(), data]],
    ...['1', '2', '3', '4', '5', '6'].map(
      (type) =>
        [
          `a map on type ${type}`,
          'S-01',
          [pax(map), header({ name: 'f', type, linkName: 'x', size: 10 }), data],
        ] as const,
    ),
    ['a map on an old directory', 'S-01', [pax(map), header({ name: 'f/', type: '\0', size: 10 }), data]],
    ['the old type with a new map', 'S-01', [pax(map), oldForm(spec)]],
    ['the old type in a POSIX header', 'S-01', [member({ type: 'S', magic: posix })]],
    ['the old type in a header without magic', 'S-01', [member({ type: 'S', magic: '' })]],
    ['no real size', 'S-03', [pax({ 'GNU.sparse.map': '0,10' }), file(), data]],
    ['two real sizes', 'S-03', [pax({ ...map, 'GNU.sparse.realsize': '5001' }), file(), data]],
    ['a negative real size', 'S-03', [pax({ ...map, 'GNU.sparse.size': '-1' }), file(), data]],
    ['a real size beyond 2^53', 'S-03', [pax({ ...map, 'GNU.sparse.size': '9007199254740993' }), file(), data]],
    ['a real size that is no number', 'S-03', [pax({ ...map, 'GNU.sparse.size': '5e3' }), file(), data]],
    ['a negative number in a map', 'S-03', [pax({ ...map, 'GNU.sparse.map': '-1,10' }), file(), data]],
    ['a negative length in a map', 'S-03', [pax({ ...map, 'GNU.sparse.map': '0,20,20,-10' }), file(), data]],
    [
      'a number beyond 64 bits in a map',
      'S-03',
      [pax({ ...map, 'GNU.sparse.map': '99999999999999999999,10' }), file(), data],
    ],
    ['text in a map', 'S-03', [pax({ ...map, 'GNU.sparse.map': '0,ten' }), file(), data]],
    ['an odd count in a map', 'S-03', [pax({ ...map, 'GNU.sparse.map': '0,10,20' }), file(), data]],
    ['an empty place in a map', 'S-03', [pax({ ...map, 'GNU.sparse.map': '0,10,,' }), file(), data]],
    ['another number of blocks', 'S-03', [pax({ ...map, 'GNU.sparse.numblocks': '2' }), file(), data]],
    [
      'an offset without a length',
      'S-03',
      [pax(record('GNU.sparse.size', '99') + record('GNU.sparse.offset', '0')), file(), data],
    ],
    [
      'a length before its offset',
      'S-03',
      [
        pax(record('GNU.sparse.size', '99') + record('GNU.sparse.numbytes', '10') + record('GNU.sparse.offset', '0')),
        file(),
        data,
      ],
    ],
    [
      'an empty offset',
      'S-03',
      [
        pax(record('GNU.sparse.size', '99') + record('GNU.sparse.offset', '') + record('GNU.sparse.numbytes', '10')),
        file(),
        data,
      ],
    ],
    [
      'a map longer than the content',
      'S-03',
      [pax(version1), header({ name: 'f', size: 512 }), content('70\n'.padEnd(512, '1\n'))],
    ],
    ['content too short for any map', 'S-03', [pax(version1), header({ name: 'f', size: 511 }), content('0\n')]],
    ['a line that is no number', 'S-03', [form10(spec, '1\n4000\n+10\n')]],
    ['an empty line', 'S-03', [form10(spec, '1\n\n4000\n10\n')]],
    ['zeros in place of lines', 'S-03', [form10(spec, '1\n4000\n')]],
    ['a line of too many digits', 'S-03', [form10(spec, `1\n${'0'.repeat(40)}4000\n10\n`)]],
    ['a line beyond 2^53', 'S-03', [form10(spec, '1\n9007199254740993\n10\n')]],
  ]
  test.each(cases)('S-03: %s is refused', (_, rule, parts) => {
    expect(refusal(archive(...parts))).toBe(rule)
  })

  const old = (entries: string, size: string | number = 10, blocks: readonly Buffer[] = []) =>
    archive(
      header({
        name: 'f',
        type: 'S',
        magic: gnu,
        size,
        tail: `${'\0'.repeat(41)}${entries}${'5000'.padStart(11, '0')}\0`,
      }),
      ...blocks,
      data,
    )
  const block = (text: string) => {
    const bytes = Buffer.alloc(512)
    bytes.write(text, 0, 'latin1')
    return bytes
  }
  const negative = base256(-1n, 12)
  const ten = '00000000012\0'
  test.each<[string, Buffer]>([
    ['a negative offset', old((negative + ten).padEnd(97, '\0'))],
    ['a negative length', old((ten + negative).padEnd(97, '\0'))],
    ['an offset beyond 64 bits', old((base256(2n ** 80n, 12) + ten).padEnd(97, '\0'))],
    ['text', old(`ten         ${ten}`.padEnd(97, '\0'))],
    ['an entry without a length', old(ten.padEnd(97, '\0'))],
    ['an entry without an offset', old(`${'\0'.repeat(12)}${ten}`.padEnd(97, '\0'))],
    ['an entry after the end', old(`${'\0'.repeat(24)}${ten}${ten}`.padEnd(97, '\0'))],
    ['a block after the end', old(oldEntries([[0, 10]], 4, true), 10, [block(oldEntries([], 21, false))])],
    [
      'an entry in a block after the end',
      old(
        oldEntries(
          [
            [0, 1],
            [1, 1],
            [2, 1],
            [3, 1],
          ],
          4,
          true,
        ),
        10,
        [block(`${'\0'.repeat(24)}${ten}${ten}`)],
      ),
    ],
    [
      'blocks that say nothing',
      old(
        oldEntries(
          [
            [0, 1],
            [1, 1],
            [2, 1],
            [3, 1],
          ],
          4,
          true,
        ),
        10,
        [block(oldEntries([], 21, true)), block(oldEntries([], 21, true))],
      ),
    ],
  ])('S-03: %s in an old map is refused', (_, bytes) => {
    expect(refusal(bytes)).toBe('S-03')
  })

  test('section 17: a map that says it is too long is refused before it is read', () => {
    const text = '1000001\n'
    expect(() => readAll(archive(form10(spec, text)))).toThrow(expect.objectContaining({ code: 'PLY_BUDGET' }))
  })
})

test('S-01: a map of a hundred thousand runs is read in every form that can hold one', () => {
  const count = 100_000
  const one = Buffer.from('x')
  const many: SparseSpec = {
    name: 'f',
    size: 8 * count,
    runs: Array.from({ length: count }, (_, i) => [8 * i, one] as const),
  }
  for (const form of [oldForm, form10]) {
    const [found] = readAll(archive(form(many)), 4099).members
    expect(found!.sparse!.count).toBe(count)
    expect(found!.sparse!.logical[count - 1]).toBe(8 * (count - 1))
    expect(found!.sparse!.stored[count - 1]).toBe(found!.data + count - 1)
  }
  // An extended header of a mebibyte holds no more than this.
  const fewer = { ...many, runs: many.runs.slice(0, 15_000) }
  for (const form of [form00, form01]) expect(readAll(archive(form(fewer))).members[0]!.sparse!.count).toBe(15_000)
})

test('S-01, S-03: any map is read alike in every form, or refused with S-03 in each', () => {
  const number = fc.nat({ max: 60 })
  const property = fc.property(
    fc.array(fc.tuple(number, number), { maxLength: 8 }),
    fc.nat({ max: 300 }),
    (entries, size) => {
      const runs = entries.map(([, length], i) => [0, Buffer.alloc(length, i + 1)] as const)
      const drawn: SparseSpec = { name: 'f', size, runs, map: entries }
      let end = 0
      let sound = true
      for (const [offset, length] of entries) {
        sound &&= offset >= end && offset + length <= size
        end = offset + length
      }
      const contents = Object.values(forms).map((form) => {
        const bytes = archive(form(drawn), next)
        if (!sound) return refusal(bytes)
        const { members } = readAll(bytes, 100)
        expect(members).toHaveLength(2)
        return contentOf(members[0]!, bytes).toString('latin1')
      })
      expect(new Set(contents).size).toBe(1)
      if (!sound) expect(contents[0]).toBe('S-03')
    },
  )
  fc.assert(property, { numRuns: 300, verbose: 1 })
})

test('S-03: hostile sparse archives are refused with a coded error or read, by both readers alike', () => {
  const seeds = Object.values(forms).map((form) => archive(form(shapes(40).find(({ is }) => is === '26 runs')!), next))
  const property = fc.property(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }),
    (seed, flips) => {
      const bytes = Buffer.from(seed)
      for (const [at, value] of flips) bytes[at % bytes.length] = value
      const outcome = (read: () => readonly Member[]) => {
        try {
          return read().map(({ name, size, data }) => [name, size, data])
        } catch (error) {
          expect(codeOf(error)).toMatch(/^PLY_(BAD_LAYER|BUDGET)$/)
          return String((error as Error).message)
        }
      }
      expect(outcome(() => [...scanTar(memoryBytes(bytes))])).toEqual(outcome(() => readAll(bytes, 700).members))
    },
  )
  fc.assert(property, { numRuns: 1000, verbose: 1 })
})
