import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { directoryTree, extractLayers, upperTree } from '../../src/extract/index.ts'
import { unescapes } from '../../src/extract/overlay-form.ts'
import type { LayerView } from '../../src/layer/view.ts'
import { stackedTree } from '../../src/stack/stacked-tree.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { listXattrs, readXattrs } from '../../src/sys/xattr.ts'
import { plainLayer } from '../../src/union/plain-layer.ts'
import { modelView } from '../stack/layers.ts'
import { models, layers as randomLayers } from '../stack/random-layers.ts'
import { becomeNobody, becomeRoot, hasProgram, root, testIf } from '../support/ability.ts'
import { type DumpedEntry, plainTree, treeEntries } from '../support/plain-tree.ts'
import { scratchDirectory } from './scratch.ts'

const asRoot = testIf(root, 'it mounts')
const owner = { uid: process.geteuid!(), gid: process.getegid!() }
const d = { directory: true, ...owner } as const
const f = (content: string) => ({ content, ...owner })

/** All that a layer can say of what is below. */
const layers = (): LayerView[] => [
  plainLayer({
    '/': d,
    a: f('a'),
    'gone/': d,
    'gone/x': f('x'),
    'opaque/': { ...d, mode: 0o750 },
    'opaque/hidden': f('h'),
    'opaque/deep/': d,
    'opaque/deep/hidden': f('h'),
    'implied/': { ...d, mode: 0o700, mtime: 7_000_000_000n },
    'implied/kept': f('k'),
    'etc/': d,
    'etc/one': f('1'),
    'etc/two': f('2'),
    'file-to-dir': f('f'),
    'dir-to-file/x': f('x'),
  }),
  plainLayer({
    gone: { whiteout: true },
    'opaque/': { ...d, opaque: true, mode: 0o755 },
    'opaque/seen': f('s'),
    'opaque/deep/': d,
    'opaque/deep/seen': f('s'),
    'implied/more': f('m'),
    'etc/one': { whiteout: true },
    'file-to-dir/': d,
    'file-to-dir/x': f('x'),
    'dir-to-file': f('f'),
    'nothing/below': { whiteout: true },
  }),
  plainLayer({ 'etc/two': { whiteout: true }, 'etc/three': f('3'), 'implied/sub/': d, 'implied/sub/x': f('x') }),
]

/** What is mounted of folders, base first. */
function shown(folders: readonly string[], options: string, program?: string): DumpedEntry[] {
  const base = scratchDirectory()
  const [empty, merged] = [join(base, 'empty'), join(base, 'merged')]
  for (const path of [empty, merged]) mkdirSync(path)
  const lower = `lowerdir=${[...folders].reverse().concat(empty).join(':')}`
  if (program) execFileSync(program, ['-o', `${lower}${options}`, merged])
  else execFileSync('mount', ['-t', 'overlay', '-o', `ro,${lower}${options}`, 'overlay', merged])
  try {
    return treeEntries(directoryTree(merged))
  } finally {
    execFileSync('umount', [merged])
  }
}

/** Names of one file in different layers are copies there, and what a mount says of links of directories is its own affair. */
const comparable = (entries: readonly DumpedEntry[]) => entries.map(({ links: _, linkedTo: __, ...rest }) => rest)

const forms = [
  { whiteouts: 'device', xattr: 'trusted', options: ',redirect_dir=off' },
  { whiteouts: 'xattr', xattr: 'trusted', options: '' },
  { whiteouts: 'device', xattr: 'user', options: ',userxattr' },
  { whiteouts: 'xattr', xattr: 'user', options: ',userxattr' },
] as const

describe('a folder for each layer', () => {
  for (const { options, ...form } of forms)
    asRoot(
      `D-07, D-11, D-12: whiteouts as ${form.whiteouts}, marks in ${form.xattr}.*: the kernel shows what the stack shows`,
      async () => {
        const target = join(scratchDirectory(), 'out')
        const own = layers()
        const report = await extractLayers(own, target, { form })
        expect(report.form).toMatchObject(form)
        const folders = report.layers.map((layer) => layer.target)
        expect(folders).toEqual(['0', '1', '2'].map((name) => join(target, name)))
        expect(shown(folders, options)).toEqual(treeEntries(stackedTree(own)))
        const marks = marksIn(target)
        expect(marks.every((mark) => mark.startsWith(`${form.xattr}.overlay.`))).toBe(true)
        expect(marks.length).toBeGreaterThan(0)
      },
    )

  asRoot('D-07, D-12: whatever the layers say, the kernel shows what the stack shows, and so do we', async () => {
    await fc.assert(
      fc.asyncProperty(randomLayers, fc.constantFrom(...forms), async (lines, { options, ...form }) => {
        const views = models(lines).models.map((model, layer) => readable(modelView(model, layer)))
        const expected = comparable(treeEntries(stackedTree(views)))
        const report = await extractLayers(views, join(scratchDirectory(), 'out'), { form })
        const folders = report.layers.map(({ target }) => target)
        expect(comparable(shown(folders, options))).toEqual(expected)
        expect(comparable(treeEntries(upperTree(plainTree(), folders)))).toEqual(expected)
      }),
      { numRuns: 25 },
    )
  })

  testIf(root && hasProgram('fuse-overlayfs'), 'it needs root and fuse-overlayfs')(
    'D-07: whiteouts as .wh. files: fuse-overlayfs shows what the stack shows',
    async () => {
      const target = join(scratchDirectory(), 'out')
      const own = layers()
      const report = await extractLayers(own, target, { form: { whiteouts: 'file' } })
      const folders = report.layers.map((layer) => layer.target)
      expect(readdirSync(join(target, '1')).filter((name) => name.startsWith('.wh.'))).toEqual(['.wh.gone'])
      expect(comparable(shown(folders, '', 'fuse-overlayfs'))).toEqual(comparable(treeEntries(stackedTree(own))))
      expect(treeEntries(upperTree(plainTree(), folders))).toEqual(treeEntries(stackedTree(own)))
    },
  )

  test('D-07, D-11: by whoever it is: what the place can do is found out, and what is written is read back', async () => {
    const target = join(scratchDirectory(), 'out')
    const own = layers()
    const { form, layers: reports } = await extractLayers(own, target)
    expect(form).toMatchObject({ xattr: root ? 'trusted' : 'user' })
    expect(
      treeEntries(
        upperTree(
          plainTree(),
          reports.map((layer) => layer.target),
        ),
      ),
    ).toEqual(treeEntries(stackedTree(own)))
  })

  testIf(root, 'it becomes an ordinary user')('D-07, D-11: an ordinary user gets the marks of that user', async () => {
    becomeNobody()
    try {
      const target = join(scratchDirectory(), 'out')
      const own = [
        plainLayer({ 'd/x': 'x', 'e/y': 'y' }),
        plainLayer({ d: { whiteout: true }, 'e/': { directory: true, opaque: true } }),
      ]
      const { form, layers: reports } = await extractLayers(own, target)
      expect(form.xattr).toBe('user')
      const paths = treeEntries(
        upperTree(
          plainTree(),
          reports.map((layer) => layer.target),
        ),
      ).map(({ path }) => path)
      expect(paths).toEqual(['', 'e'])
    } finally {
      becomeRoot()
    }
  })

  test('D-08: no whiteouts in opaque directories, and none of what is not there', async () => {
    const target = join(scratchDirectory(), 'out')
    const below = plainLayer({ 'd/x': 'x', 'd/sub/y': 'y' })
    const above = plainLayer({
      'd/': { directory: true, opaque: true },
      'd/x': { whiteout: true },
      'd/sub/y': { whiteout: true },
      'no/z': { whiteout: true },
    })
    await extractLayers([below, above], target, { form: { whiteouts: 'file' } })
    expect(readdirSync(join(target, '1'), { recursive: true })).toEqual(['d', 'd/.wh..wh..opq'])
  })

  asRoot('D-07: an opaque root, which overlayfs does not know, hides everything all the same', async () => {
    const own = [
      plainLayer({ 'a/x': 'x', 'b/y': 'y', c: 'c' }),
      plainLayer({ '/': { directory: true, opaque: true }, 'a/z': 'z' }),
    ]
    const { layers: reports } = await extractLayers(own, join(scratchDirectory(), 'out'), {
      form: { xattr: 'trusted' },
    })
    const entries = shown(
      reports.map(({ target }) => target),
      '',
    )
    expect(entries.map(({ path }) => path)).toEqual(['', 'a', 'a/z'])
  })

  test('D-09: a device 0:0 that is data is refused before anything is written, unless whiteouts are attributes and escaped', async () => {
    const base = scratchDirectory()
    const own = deviceLayer()
    for (const form of [
      { whiteouts: 'device' },
      { whiteouts: 'file' },
      { whiteouts: 'xattr', escapes: false },
    ] as const)
      await expect(extractLayers([own], join(base, 'out'), { form })).rejects.toThrow(
        expect.objectContaining({ code: 'PLY_UNREPRESENTABLE', message: expect.stringContaining('D-09') }),
      )
    expect(readdirSync(base)).toEqual([])
    const { layers: reports } = await extractLayers([own], join(base, 'out'), {
      form: { whiteouts: 'xattr', xattr: 'user', escapes: true },
    })
    expect(reports[0]!.compromises.device).toEqual({ count: 1, examples: ['/d/zero'] })
    expect(lstatSync(join(base, 'out/0/d/zero')).isFile()).toBe(true)
    // Who is not root has to be allowed to read a file, to read what is said of it.
    chmodSync(join(base, 'out/0/d/zero'), 0o600)
    expect([...readXattrs(join(base, 'out/0/d/zero')).keys()]).toContain('user.overlay.overlay.whiteout')
    expect([...readXattrs(join(base, 'out/0/d')).keys()]).toContain('user.overlay.overlay.opaque')
  })

  asRoot('D-09: such a device is a whiteout for overlayfs in the mount, as it was', async () => {
    const { layers: reports } = await extractLayers([deviceLayer()], join(scratchDirectory(), 'out'), {
      form: { whiteouts: 'xattr', xattr: 'trusted', escapes: true },
    })
    const entries = shown(
      reports.map(({ target }) => target),
      '',
    )
    expect(entries.map(({ path, xattrs }) => [path, Object.keys(xattrs)])).toEqual([
      ['', []],
      ['d', ['trusted.overlay.opaque']],
      ['d/zero', ['trusted.overlay.whiteout']],
    ])
  })

  asRoot(
    'D-10: attributes that look like marks are escaped, and shown as they were; those of the other namespace are left out',
    async () => {
      const xattrs = {
        'trusted.overlay.opaque': 'y',
        'user.overlay.metacopy': 'm',
        'user.own': '1',
        'trusted.own': '2',
      }
      const own = [plainLayer({ 'd/': { ...d, xattrs }, 'd/f': { content: 'x', ...owner, xattrs } })]
      const { layers: reports } = await extractLayers(own, join(scratchDirectory(), 'out'), {
        form: { xattr: 'trusted' },
      })
      const folder = reports[0]!.target
      expect(listXattrs(join(folder, 'd/f')).toSorted()).toEqual([
        'trusted.overlay.overlay.opaque',
        'trusted.own',
        'user.own',
      ])
      expect(reports[0]!.compromises.xattr).toMatchObject({ count: 2 })
      const entry = shown([folder], '').find(({ path }) => path === 'd/f')!
      expect(Object.keys(entry.xattrs)).toEqual(['trusted.overlay.opaque', 'trusted.own', 'user.own'])
    },
  )

  asRoot('D-10, X-05: where the kernel would not unescape them, they are left out and reported', async () => {
    const own = [plainLayer({ f: { content: 'x', xattrs: { 'trusted.overlay.opaque': 'y', 'user.own': '1' } } })]
    const { layers: reports } = await extractLayers(own, join(scratchDirectory(), 'out'), { form: { escapes: false } })
    expect(listXattrs(join(reports[0]!.target, 'f'))).toEqual(['user.own'])
    expect(reports[0]!.compromises.xattr?.examples).toEqual(['/f (trusted.overlay.opaque)'])
    expect(['5.15.0', '6.6.32-lts', '6.7.0', '6.18.44', '7.0.1'].map(unescapes)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
  })

  test('D-05: a further name of what is below is a copy, and counted', async () => {
    const { models: all } = models([['a:text'], ['b=a', 'c=a']])
    const views = all.map((model, layer) => readable(modelView(model, layer)))
    const { layers: reports } = await extractLayers(views, join(scratchDirectory(), 'out'))
    expect(reports[1]!.compromises.link).toEqual({ count: 2, examples: ['/b', '/c'] })
    const folder = reports[1]!.target
    expect(lstatSync(join(folder, 'b')).ino).toBe(lstatSync(join(folder, 'c')).ino)
  })

  test('D-01, D-06: a failure in the last layer leaves nothing', async () => {
    const base = scratchDirectory()
    const bad = readable(plainLayer({ f: 'content' }), () => {
      throw new Error('unreadable')
    })
    await expect(extractLayers([plainLayer({ a: 'a' }), bad], join(base, 'out'))).rejects.toThrow('unreadable')
    expect(readdirSync(base)).toEqual([])
  })
})

/** A layer that has contents, where its maker gave it none. */
function readable(view: LayerView, open?: LayerView['open']): LayerView {
  return {
    ...(view.linksBelow !== undefined && { linksBelow: view.linksBelow }),
    root: view.root,
    lookup: (directory, name) => view.lookup(directory, name),
    list: (directory) => view.list(directory),
    stat(ino) {
      const stat = view.stat(ino)
      return { ...stat, ...(!root && owner), ...(stat.kind === 'symlink' && { mode: 0o777 }) }
    },
    readlink: (ino) => view.readlink(ino),
    xattrs: (ino) => view.xattrs(ino),
    open: open ?? ((ino) => memoryBytes(Buffer.alloc(view.stat(ino).size, String(ino)))),
    close() {},
  }
}

function deviceLayer(): LayerView {
  const view = plainLayer({
    'd/': { directory: true, ...owner },
    'd/zero': { kind: 'character', major: 1, minor: 3, ...owner },
  })
  return { ...readable(view), stat: (ino) => ({ ...view.stat(ino), major: 0, minor: 0 }) }
}

function marksIn(directory: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(directory, { recursive: true }) as string[])
    found.push(...listXattrs(join(directory, name)).filter((mark) => mark.includes('overlay')))
  return found
}
