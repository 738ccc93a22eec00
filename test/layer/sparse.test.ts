import { execFileSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diff, packTree } from '../../src/diff/index.ts'
import { Index } from '../../src/erofs/index.ts'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import { extractTree } from '../../src/extract/extract-tree.ts'
import { type IndexedView, type LayerWarning, layerView, packLayer, spillBytes } from '../../src/layer/index.ts'
import { LayerIndexer } from '../../src/layer/index-tar.ts'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { type FoldedTree, foldedTree, stackedTree, type Tree, writeTree } from '../../src/stack/index.ts'
import { type Bytes, dataRuns, memoryBytes } from '../../src/stream/bytes.ts'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { kernelMount } from '../erofs/kernel-mount.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { temporary } from '../support/temporary.ts'
import { archive, member } from '../tar/raw.ts'
import { expanded, forms, type SparseSpec, shapes } from '../tar/sparse-forms.ts'
import { layerOf } from './layer.ts'

const named = (spec: SparseSpec, name: string): SparseSpec => ({ ...spec, name })

/** Every shape as a file of its own, with an ordinary file on each side. */
function tarOf(form: keyof typeof forms, step = 1000): Buffer {
  const sparse = shapes(step).map((spec, i) => forms[form](named(spec, `f${i}`)))
  return archive(member({ name: 'a' }, 'before'), ...sparse, member({ name: 'z' }, 'after'))
}

function contents(view: { open(ino: number): Bytes } & Pick<IndexedView, 'list' | 'root'>): Record<string, string> {
  const all: Record<string, string> = {}
  for (const { name, verdict } of view.list(view.root.ino)) {
    if (verdict.says !== 'entry') throw new Error(`${name} is no entry`)
    all[name] = read(view.open(verdict.ino)).toString('latin1')
  }
  return all
}

/** All content, in pieces of an odd length, so that reads begin and end anywhere. */
function read(content: Bytes, step = 777): Buffer {
  const whole = Buffer.alloc(content.size, 0xee)
  for (let at = 0; at < whole.length; at += step) {
    const part = whole.subarray(at, at + step)
    expect(content.read(part, at)).toBe(part.length)
  }
  expect(content.read(Buffer.alloc(1), content.size)).toBe(0)
  content.close()
  return whole
}

const expectedContents = (step = 1000) => ({
  a: 'before',
  ...Object.fromEntries(shapes(step).map((spec, i) => [`f${i}`, expanded(spec).toString('latin1')])),
  z: 'after',
})

const at = (tree: Tree, name: string) => tree.lookup(tree.root, name)!

describe('a layer with sparse files', () => {
  test.each(Object.keys(forms) as (keyof typeof forms)[])(
    'S-01: of form %s reads as the files it was made of',
    async (form) => {
      for (const step of [512, 1000, 4096, 5000]) {
        const { view, report } = await layerOf(tarOf(form, step))
        expect(report.warnings).toEqual([])
        expect(contents(view)).toEqual(expectedContents(step))
      }
    },
  )

  test('S-04: content is the same whether it is sparse, and in which form, or not', async () => {
    const full = archive(
      member({ name: 'a' }, 'before'),
      ...shapes().map((spec, i) => member({ name: `f${i}` }, expanded(spec))),
      member({ name: 'z' }, 'after'),
    )
    const digests = async (tar: Buffer) => {
      const tree = stackedTree([(await layerOf(tar)).view])
      return [...tree.list(tree.root)].map(({ name, ino }) => [
        name,
        tree.stat(ino).size,
        digestOf(read(tree.open(ino))),
      ])
    }
    const expected = await digests(full)
    for (const form of Object.keys(forms) as (keyof typeof forms)[])
      expect(await digests(tarOf(form))).toEqual(expected)
  })

  test('S-04, E-02: a diff finds no difference between sparse and full copies, nor between holes', async () => {
    const huge: SparseSpec = { name: 'huge', size: 2 ** 39, runs: [[2 ** 38, Buffer.from('far')]] }
    const trees = await Promise.all(
      [forms['1.0'], forms['old GNU']].map(async (form) => {
        const parts = shapes().map((spec, i) => form(named(spec, `f${i}`)))
        return stackedTree([(await layerOf(archive(form(huge), ...parts))).view])
      }),
    )
    expect(await valuesOf(diff(trees[0]!, trees[1]!))).toEqual([])
  })

  test('S-05: its spill is one more device, in which each sparse file is one run at a multiple of 4096', async () => {
    const tar = tarOf('1.0')
    const { view, index } = await layerOf(tar)
    const [own, spill] = view.devices
    expect(view.devices).toHaveLength(2)
    expect(spill).toEqual({ diffId: own!.diffId, size: expect.any(Number), spill: true })
    const opened = Index.open(memoryBytes(index))
    const content = spillBytes(opened, () => memoryBytes(tar))!
    expect(content.size).toBe(spill!.size)
    expect(content.size % 4096).toBe(0)
    const whole = read(content, 1 << 16)
    let end = 0
    for (const [i, spec] of shapes().entries()) {
      const { ino } = view.lookup(view.root.ino, `f${i}`) as { ino: number }
      const place = view.place(ino)
      const expected = expanded(spec)
      if (spec.runs.length === 0) expect(place, spec.is).toBeUndefined()
      else if (spec.is === 'no hole') {
        expect(place!.spill).toBeUndefined()
        expect(tar.subarray(place!.offset, place!.offset + spec.size).equals(expected)).toBe(true)
      } else {
        expect(place).toEqual({ layer: own!.diffId, offset: end, spill: true })
        expect(whole.subarray(end, end + spec.size).equals(expected)).toBe(true)
        end = Math.ceil((end + spec.size) / 4096) * 4096
      }
    }
    expect(end).toBe(spill!.size)
  })

  test('S-05: nothing is spilled of files that are one run or nothing but a hole', async () => {
    const specs = shapes().filter(({ is }) => ['nothing but a hole', 'no hole', 'nothing at all'].includes(is))
    const { view } = await layerOf(archive(...specs.map((spec, i) => forms['0.1'](named(spec, `f${i}`)))))
    expect(view.devices).toHaveLength(1)
    expect(Object.values(contents(view)).map((text) => text.length)).toEqual([5000, 1000, 0])
  })

  test('S-05: contents say where their holes are', async () => {
    const { view } = await layerOf(tarOf('old GNU'))
    for (const [i, { runs, size, is }] of shapes().entries()) {
      const { ino } = view.lookup(view.root.ino, `f${i}`) as { ino: number }
      const content = view.open(ino)
      if (is === 'no hole' || size === 0) continue
      const found = [...dataRuns(content, 1)]
      expect(found, is).toEqual(runs.map(([start, bytes]) => ({ start, end: start + bytes.length })))
      expect(content.nextData!(size)).toBeUndefined()
    }
  })

  test('H-04, R-05: hardlinks share sparse content, and what replaces a file leaves it to them', async () => {
    const spec = named(shapes()[0]!, 'f')
    const { view } = await layerOf(
      archive(forms['1.0'](spec), member({ name: 'l', type: '1', linkName: 'f' }), member({ name: 'f' }, 'new')),
    )
    expect(contents(view)).toEqual({ f: 'new', l: expanded(spec).toString('latin1') })
  })

  test('section 17: logical sizes count, and all runs of a layer together', async () => {
    const spec = shapes().find(({ is }) => is === '26 runs')!
    const tar = archive(...['f', 'g', 'h'].map((name) => forms['1.0'](named(spec, name))))
    const limited = (limits: object) =>
      layerOf(tar, { limits }).then(
        () => 'read',
        (error) => error.details.option,
      )
    expect(await limited({ logicalSize: 3 * spec.size })).toBe('read')
    expect(await limited({ logicalSize: 3 * spec.size - 1 })).toBe('limits.logicalSize')
    expect(await limited({ sparseEntries: 26 })).toBe('read')
    expect(await limited({ sparseEntries: 25 })).toBe('limits.sparseEntries')
    expect(await limited({ entries: 78 })).toBe('read')
    expect(await limited({ entries: 77 })).toBe('limits.entries')
  })

  test('B-01: a million runs take 24 bytes each, and reading them is quick', async () => {
    const count = 1_000_000
    const indexer = new LayerIndexer()
    const lines = [count, ...Array.from({ length: count }, (_, i) => `${i * 1000}\n1`)].join('\n')
    const payload = Buffer.concat([
      Buffer.from(`${lines}\n`.padEnd(Math.ceil((lines.length + 1) / 512) * 512, '\0')),
      Buffer.alloc(count, 'x'),
    ])
    const form = forms['1.0']({ name: 'f', size: count * 1000, runs: [] })
    // The extended header is that of an empty map; header and payload are those of a million runs.
    const tar = archive(form.subarray(0, 1024), member({ name: 'f' }, payload))
    indexer.push(tar)
    const layer = indexer.finish()
    const chunks: Uint8Array[] = []
    await layer.writeIndex({ write: (chunk) => void chunks.push(chunk) })
    const bytes = Buffer.concat(chunks)
    expect(bytes.length).toBeLessThan(count * 24 + (1 << 17))
    const view = layerView(Index.open(memoryBytes(bytes)), () => memoryBytes(tar))
    const { ino } = view.lookup(view.root.ino, 'f') as { ino: number }
    const content = view.open(ino)
    const part = Buffer.alloc(1 << 20)
    let found = 0
    for (let position = 0; position < 100 << 20; position += part.length) {
      content.read(part, position)
      for (let i = part.indexOf('x'); i >= 0; i = part.indexOf('x', i + 1)) {
        expect((position + i) % 1000).toBe(0)
        found++
      }
    }
    expect(found).toBe(Math.ceil((100 << 20) / 1000))
    const last = Buffer.alloc(1000)
    content.read(last, (count - 1) * 1000)
    expect(last.toString('latin1')).toBe(`x${'\0'.repeat(999)}`)
  })

  test('a damaged index is refused or reads as before, wherever a byte was turned over', async () => {
    const tar = tarOf('0.0', 300)
    const { index, view } = await layerOf(tar)
    const expected = contents(view)
    for (let position = 0; position < index.length; position += 61) {
      const bytes = Buffer.from(index)
      bytes[position] = bytes[position]! ^ 0x10
      try {
        expect(contents(layerView(Index.open(memoryBytes(bytes)), () => memoryBytes(tar)))).toEqual(expected)
      } catch (error) {
        expect(codeOf(error)).toBe('PLY_BAD_INDEX')
      }
    }
  })
})

describe('a folded tree over sparse layers', () => {
  const chainId = digestOf(Buffer.from('any'))

  async function layers() {
    const tars = [
      tarOf('1.0'),
      archive(member({ name: 'a' }, 'second'), member({ name: '.wh.f0' }), forms['0.0'](named(shapes()[9]!, 'more'))),
      archive(member({ name: 'l', type: '1', linkName: 'f2' }), member({ name: 'plain' }, 'x')),
      archive(forms['old GNU'](named(shapes()[2]!, 'f3'))),
    ]
    return Promise.all(tars.map(async (tar) => ({ ...(await layerOf(tar)), tar })))
  }

  async function folded(own: Awaited<ReturnType<typeof layers>>, base?: FoldedTree, all = own) {
    const chunks: Uint8Array[] = []
    const views = own.map(({ view }) => view)
    await writeTree({ write: (chunk) => void chunks.push(chunk) }, { chainId, views, base })
    const bytes = Buffer.concat(chunks)
    const tree = foldedTree(Index.open(memoryBytes(bytes)), (device) => {
      const { tar, index } = all.find(({ view }) => view.devices[0]!.diffId === device.diffId)!
      return device.spill ? spillBytes(Index.open(memoryBytes(index)), () => memoryBytes(tar))! : memoryBytes(tar)
    })
    return { bytes, tree }
  }

  test('A-02: it is the same bytes folded at once and one by one, and reads as the stack does', async () => {
    const all = await layers()
    const { bytes, tree } = await folded(all)
    let step = await folded(all.slice(0, 1))
    for (let i = 1; i < all.length; i++) step = await folded(all.slice(i, i + 1), step.tree, all)
    expect(step.bytes.equals(bytes)).toBe(true)
    const stack = stackedTree(all.map(({ view }) => view))
    const text = (of: Tree) =>
      [...of.list(of.root)].map(({ name, ino }) => [name, read(of.open(ino)).toString('latin1')])
    expect(text(tree)).toEqual(text(stack))
    expect(
      tree.devices.map(({ diffId, spill }) => [all.findIndex(({ view }) => view.devices[0]!.diffId === diffId), spill]),
    ).toEqual([
      [0, undefined],
      [0, true],
      [1, undefined],
      [1, true],
      [2, undefined],
      [3, undefined],
      [3, true],
    ])
    expect(tree.place(at(tree, 'l'))).toEqual(
      all[0]!.view.place((all[0]!.view.lookup(all[0]!.view.root.ino, 'f2') as { ino: number }).ino),
    )
    expect(tree.provenance(at(tree, 'f3')).layer).toBe(all[3]!.view.devices[0]!.diffId)
    tree.close()
    tree.close()
  })

  test('S-06: what is extracted, and what is copied up, keeps its holes', async () => {
    const big: SparseSpec = {
      name: 'big',
      size: 5 * 2 ** 30 + 7,
      runs: [
        [4096, Buffer.alloc(5000, 'x')],
        [2 ** 32, Buffer.from('far')],
      ],
    }
    const hole: SparseSpec = { name: 'hole', size: 5 * 2 ** 30, runs: [] }
    const { view } = await layerOf(archive(forms['1.0'](big), forms['1.0'](hole)))
    const tree = stackedTree([view])
    const target = join(temporary(), 'out')
    await extractTree(tree, target)
    const stat = statSync(join(target, 'big'))
    expect(stat.size).toBe(big.size)
    expect(stat.blocks * 512).toBeLessThanOrEqual(64 << 10)
    expect(statSync(join(target, 'hole'))).toMatchObject({ size: hole.size, blocks: 0 })
    const file = fileBytes(nodeDisk(), join(target, 'big'))
    const ours = tree.open(at(tree, 'big'))
    for (const position of [0, 4000, 9000, 2 ** 32 - 10, big.size - 100]) {
      const [theirs, own] = [Buffer.alloc(2000), Buffer.alloc(2000)]
      expect(file.read(theirs, position)).toBe(ours.read(own, position))
      expect(theirs.equals(own)).toBe(true)
    }
    file.close()

    const upper = union(tree, memoryUpper())
    const started = process.memoryUsage().arrayBuffers
    const handle = upper.writer(at(tree, 'big'))
    handle.write(Buffer.from('y'), 4096)
    const back = Buffer.alloc(3)
    handle.read(back, 4096)
    expect(back.toString()).toBe('yxx')
    handle.read(back, 2 ** 32)
    expect(back.toString()).toBe('far')
    expect(handle.size).toBe(big.size)
    handle.close()
    expect(process.memoryUsage().arrayBuffers - started).toBeLessThan(16 << 20)
  })

  test('S-07: a file that packing makes much larger is warned of', async () => {
    const mebibyte = 1 << 20
    const runs = (stored: number) => [[0, Buffer.alloc(stored, 'x')]] as const
    const specs: SparseSpec[] = [
      { name: 'holes', size: 65 * mebibyte, runs: runs(4 * mebibyte) },
      { name: 'nothing', size: 65 * mebibyte, runs: [] },
      { name: 'small', size: 64 * mebibyte, runs: runs(1) },
      { name: 'full enough', size: 65 * mebibyte, runs: runs(5 * mebibyte) },
    ]
    const { view } = await layerOf(archive(...specs.map((spec) => forms['1.0'](spec))))
    const tree = stackedTree([view])
    const warnings: LayerWarning[] = []
    let size = 0
    const items = [...tree.list(tree.root)]
      .map(({ name, ino }) => ({
        says: 'entry' as const,
        path: name,
        stat: tree.stat(ino),
        xattrs: tree.xattrs(ino),
        open: () => tree.open(ino),
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1))
    for await (const chunk of packLayer(items, { onWarning: (warning) => warnings.push(warning) })) size += chunk.length
    expect(size).toBeGreaterThan(258 * mebibyte)
    expect(warnings.map(({ rule, entry }) => [rule, entry])).toEqual([
      ['S-07', 'holes'],
      ['S-07', 'nothing'],
    ])
  })
})

test('S-07, E-12: a directory says where the holes of its files are, and notices changes behind them', async (context) => {
  const directory = temporary()
  const path = join(directory, 'f')
  const size = 70 << 20
  const fd = openSync(path, 'w')
  writeSync(fd, Buffer.alloc(100_000, 'x'), 0, 100_000, 1 << 20)
  ftruncateSync(fd, size)
  closeSync(fd)
  const tree = directoryTree(directory)
  const content = tree.open(at(tree, 'f'))
  const runs = [...dataRuns(content, 4096)]
  content.close()
  if (runs.length === 1 && runs[0]!.end === size) return context.skip('this disk does not tell where holes are')
  expect(runs).toEqual([{ start: 1 << 20, end: (1 << 20) + Math.ceil(100_000 / 4096) * 4096 }])
  const warnings: LayerWarning[] = []
  const tar = packLayer(packTree(tree), { onWarning: (warning) => warnings.push(warning) })
  for await (const _ of tar);
  expect(warnings.map(({ rule, entry }) => [rule, entry])).toEqual([['S-07', 'f']])

  const changed = tree.open(at(tree, 'f'))
  const again = openSync(path, 'r+')
  writeSync(again, 'y', 1 << 20)
  closeSync(again)
  expect(() => [...dataRuns(changed, 4096)]).toThrow(expect.objectContaining({ code: 'PLY_CHANGED' }))
  changed.close()
})

describe('archives of GNU tar', () => {
  const versions = [
    ['gnu', []],
    ['posix', ['--sparse-version=0.0']],
    ['posix', ['--sparse-version=0.1']],
    ['posix', ['--sparse-version=1.0']],
  ] as const

  function sample(): string {
    const directory = temporary()
    const file = (name: string, size: number, runs: readonly (readonly [number, number])[]) => {
      const fd = openSync(join(directory, name), 'w')
      for (const [i, [offset, length]] of runs.entries()) writeSync(fd, Buffer.alloc(length, i + 1), 0, length, offset)
      ftruncateSync(fd, size)
      closeSync(fd)
    }
    const every = (count: number) => Array.from({ length: count }, (_, i) => [i * 16384 + 8192, 4096] as const)
    file('start', 20_000, [[12288, 5000]])
    file('middle', 40_000, [
      [0, 5000],
      [32768, 7232],
    ])
    file('end', 50_000, [[0, 5000]])
    file('only', 100_000, [])
    file('six', 6 * 16384, every(6))
    file('thirty', 30 * 16384 + 1, every(30))
    file('large', 5 * 2 ** 30, [
      [0, 10],
      [3 * 2 ** 30, 4096],
      [5 * 2 ** 30 - 4096, 4096],
    ])
    file('empty', 0, [])
    writeFileSync(join(directory, 'n'.repeat(130)), Buffer.concat([Buffer.alloc(8192), Buffer.from('long name')]))
    mkdirSync(join(directory, 'sub'))
    writeFileSync(join(directory, 'sub', 'plain'), 'plain')
    return directory
  }

  for (const [format, more] of versions)
    testIf(hasProgram('tar'), 'there is no tar program')(
      `S-01, S-02: --format=${format} ${more}: the layer holds what the disk holds`,
      async () => {
        const directory = sample()
        const path = join(temporary(), 'made.tar')
        execFileSync('tar', [`--format=${format}`, ...more, '--sparse', '-C', directory, '-cf', path, '.'])
        const tar = readFileSync(path)
        expect(tar.length).toBeLessThan(1 << 20)
        const { view, report } = await layerOf(tar)
        expect(report.warnings).toEqual([])
        const tree = stackedTree([view])
        let compared = 0
        for (const { name, ino, kind } of tree.list(tree.root)) {
          if (kind !== 'file') continue
          const { size } = statSync(join(directory, name))
          expect(tree.stat(ino).size, name).toBe(size)
          const fd = openSync(join(directory, name), 'r')
          const content = tree.open(ino)
          const ends = [0, size / 2, 3 * 2 ** 30 - 5000, Math.max(0, size - 60_000)]
          for (const position of size > 1 << 24 ? ends : [0]) {
            const [theirs, ours] = [Buffer.alloc(600_000), Buffer.alloc(600_000)]
            expect(content.read(ours, position)).toBe(readSync(fd, theirs, 0, theirs.length, position))
            expect(ours.equals(theirs), name).toBe(true)
          }
          closeSync(fd)
          compared++
        }
        expect(compared).toBe(9)
      },
      60_000,
    )
})

test('S-05: Linux reads sparse files through a mount with the spill as second device', async (context) => {
  const place = temporary()
  const huge: SparseSpec = {
    name: 'huge',
    size: 5 * 2 ** 30,
    runs: [
      [0, Buffer.from('start')],
      [5 * 2 ** 30 - 7, Buffer.from('the end')],
    ],
  }
  const tar = archive(
    forms['1.0'](huge),
    ...shapes(5000).map((spec, i) => forms['old GNU'](named(spec, `f${i}`))),
    member({ name: 'z' }, 'plain'),
  )
  const { view, index } = await layerOf(tar)
  const [indexPath, tarPath, spillPath, target] = ['index', 'tar', 'spill', 'mounted'].map((name) => join(place, name))
  writeFileSync(indexPath!, index)
  writeFileSync(tarPath!, tar)
  const spill = spillBytes(Index.open(memoryBytes(index)), () => memoryBytes(tar))!
  const fd = openSync(spillPath!, 'w')
  for (const { start, end } of dataRuns(spill, 4096)) {
    const part = Buffer.alloc(end - start)
    spill.read(part, start)
    writeSync(fd, part, 0, part.length, start)
  }
  ftruncateSync(fd, spill.size)
  closeSync(fd)
  mkdirSync(target!)
  const unmount = kernelMount(indexPath!, [tarPath!, spillPath!], target!)
  if (typeof unmount === 'string') {
    console.warn(`not compared with Linux: ${unmount}`)
    return context.skip(unmount)
  }
  try {
    for (const [name, text] of Object.entries(await limitedContents(view))) {
      expect(readFileSync(join(target!, name)).toString('latin1') === text, name).toBe(true)
    }
    const file = openSync(join(target!, 'huge'), 'r')
    const theirs = Buffer.alloc(5000, 0xee)
    for (const position of [0, 2 ** 32 + 1, huge.size - 4999]) {
      const ours = Buffer.alloc(5000, 0xee)
      const content = view.open((view.lookup(view.root.ino, 'huge') as { ino: number }).ino)
      expect(readSync(file, theirs, 0, 5000, position)).toBe(content.read(ours, position))
      expect(theirs.subarray(0, 4999).equals(ours.subarray(0, 4999))).toBe(true)
    }
    closeSync(file)
  } finally {
    unmount()
  }
})

async function limitedContents(view: IndexedView): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const { name, verdict } of view.list(view.root.ino)) {
    if (verdict.says === 'entry' && view.stat(verdict.ino).size < 1 << 24)
      all[name] = read(view.open(verdict.ino)).toString('latin1')
  }
  return all
}
