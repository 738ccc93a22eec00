import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convertUpper } from '../../src/overlay/convert.ts'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import type { StoredUpper } from '../../src/overlay/stored-upper.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { listXattrs } from '../../src/sys/xattr.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { firstNewInode, type Upper } from '../../src/union/upper.ts'
import { caught, upperDump } from '../union/upper-contract.ts'
import { whyNoOverlay, whyNoRootless } from './able.ts'
import { inMemory, onDisk } from './disks.ts'
import { type Lower, makeLower } from './lower.ts'
import { step, take, ticking } from './random-steps.ts'
import { snapshotOfTree } from './snapshots.ts'

const folder = mkdtempSync(join(tmpdir(), 'plyfs-convert-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let lower: Lower
beforeAll(async () => {
  lower = await makeLower(join(folder, 'lower'))
})

let made = 0
type Open = () => StoredUpper
/** Where the uppers in overlayfs's form are. */
const roots = new WeakMap<Open, string>()

/** Makes an empty upper of a form, and answers how it is opened again and again. */
const forms = new Map<string, () => Open>([
  [
    'portable on a disk',
    () => {
      const options = { disk: onDisk(), root: join(folder, String(made++)) }
      return () => openPortableUpper(options)
    },
  ],
  [
    'portable in memory',
    () => {
      const options = { disk: inMemory(), root: `/convert/${made++}` }
      return () => openPortableUpper(options)
    },
  ],
])
for (const [xattr, reason] of [
  ['trusted', whyNoOverlay()],
  ['user', whyNoRootless()],
] as const) {
  if (reason !== undefined) {
    console.log(`conversion from and to overlayfs's form in ${xattr}.*: skipped, ${reason}`)
    continue
  }
  forms.set(`overlayfs's in ${xattr}.*`, () => {
    const root = join(folder, String(made++))
    const place = { upperDir: join(root, 'upper'), workDir: join(root, 'work') }
    for (const each of Object.values(place)) mkdirSync(each, { recursive: true })
    const open = () => openOverlayUpper({ ...place, xattr, metacopy: true, chainId: lower.chainId })
    roots.set(open, place.upperDir)
    return open
  })
}

/** What is marked as moved in an upper directory. */
const redirectsOn = (upperDir: string): string[] =>
  readdirSync(upperDir, { recursive: true, encoding: 'latin1' }).filter((name) =>
    listXattrs(join(Buffer.from(upperDir).toString('latin1'), name)).some((mark) => mark.endsWith('.redirect')),
  )

/** Everything that must come over: the dump, and the times that it leaves out. */
function said(upper: Upper): unknown {
  const times: string[] = []
  const visit = (directory: number): void => {
    for (const { name, verdict } of upper.list(directory)) {
      if (verdict.says !== 'entry') continue
      // Listing a directory and reading a symlink move their access times on a disk.
      if (verdict.directory) visit(verdict.ino)
      else if (verdict.kind === 'file')
        times.push(`${name} ${upper.stat(verdict.ino).atime ?? upper.stat(verdict.ino).mtime}`)
    }
  }
  visit(upper.root.ino)
  // What nobody has described is like the root below.
  return [upperDump(upper).slice(upper.root.implied ? 1 : 0), upper.root, times]
}

function shown(open: Open): unknown {
  const view = union(lower.tree(), open())
  try {
    return snapshotOfTree(view)
  } finally {
    view.close()
  }
}

async function converted(from: Open, make: () => Open): Promise<Open> {
  const open = make()
  const [source, target, below] = [from(), open(), lower.tree()]
  try {
    await convertUpper(source, target, { lower: below })
  } finally {
    for (const each of [source, target, below]) each.close()
  }
  return open
}

const withUpper = <Result>(open: Open, use: (upper: StoredUpper) => Result): Result => {
  const upper = open()
  try {
    return use(upper)
  } finally {
    upper.close()
  }
}

describe('a random upper of any form, converted into a second, a third, and the first again', () => {
  const names = [...forms.keys()]
  for (const first of names) {
    for (const second of names) {
      if (second === first) continue
      const third = names.find((each) => each !== first && each !== second)!
      test(`${first}, ${second}, ${third}: says and shows the same`, async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), async (steps) => {
            const start = forms.get(first)!()
            const view = union(lower.tree(), start(), { now: ticking() })
            for (const each of steps) take(view, each)
            view.close()
            // What only names from below show gets one of them with the first conversion.
            let before = withUpper(start, (upper) => (hasNameless(upper) ? undefined : said(upper)))
            const view1 = shown(start)
            let at = start
            for (const name of [second, third, first]) {
              at = await converted(at, forms.get(name)!)
              expect(shown(at), name).toEqual(view1)
              // Where the lower part of what moved cannot be elsewhere, it comes along.
              const isSame = before !== undefined && withUpper(at, ({ redirects }) => redirects)
              if (isSame) expect(withUpper(at, said), name).toEqual(before)
              if (withUpper(at, ({ redirects }) => !redirects)) expect(redirectsOn(roots.get(at)!), name).toEqual([])
              before = withUpper(at, said)
            }
            const [next, after] = [withUpper(start, nextOf), withUpper(at, nextOf)]
            expect(after).toBeGreaterThanOrEqual(next)
          }),
          { numRuns: 12 },
        )
      })
    }
  }
})

const hasNameless = ({ groups }: StoredUpper): boolean => groups !== undefined && [...groups.nameless()].length > 0

const nextOf = (upper: StoredUpper): number => upper.nextNumber

const file = { kind: 'file', mode: 0o600, uid: 0, gid: 0, mtime: 5n } as const

describe('a conversion', () => {
  for (const [name, make] of forms) {
    test(`into ${name} takes an upper in memory, with access times, holes and a root that nobody described`, async () => {
      const from = memoryUpper()
      const ino = from.create(from.root.ino, 'sparse', { ...file, atime: 9n })
      const writer = from.writer(ino)
      writer.write(Buffer.from('end'), 50_000_000)
      writer.close()
      const to = make()()
      await convertUpper(from, to)
      expect(to.root.implied).toBe(true)
      expect(to.stat(ino)).toMatchObject({ size: 50_000_003, atime: 9n, mtime: 5n })
      const content = to.open(ino)
      if (content.extent && name !== 'portable in memory')
        expect(statSync(`/proc/self/fd/${content.extent.fd}`).blocks).toBeLessThan(1000)
      content.close()
      expect(to.create(to.root.ino, 'next', file)).not.toBe(ino)
      to.close()
    })
  }

  test('into an upper that holds something is refused', async () => {
    const to = openPortableUpper({ disk: inMemory(), root: `/convert/${made++}` })
    to.whiteout(to.root.ino, 'x')
    await expect(convertUpper(memoryUpper(), to)).rejects.toThrow(expect.objectContaining({ code: 'ENOTEMPTY' }))
    to.close()
  })

  test('stops when it is told to', async () => {
    const from = memoryUpper()
    for (let i = 0; i < 500; i++) from.create(from.root.ino, String(i), file)
    const to = openPortableUpper({ disk: inMemory(), root: `/convert/${made++}` })
    const abort = new AbortController()
    const done = convertUpper(from, to, { signal: abort.signal })
    abort.abort()
    await expect(done).rejects.toThrow(expect.objectContaining({ code: 'PLY_ABORTED' }))
    to.close()
  })

  const overlay = [...forms.keys()].find((name) => name.startsWith('overlayfs'))
  test.skipIf(overlay === undefined)(
    'of copies of attributes alone into the form that finds content by name needs the tree below',
    async () => {
      const from = memoryUpper()
      const nid = lower.tree().lookup(lower.tree().root, 'top')!
      from.copyUp(from.root.ino, 'moved', nid, file)
      const to = forms.get(overlay!)!()()
      await expect(convertUpper(from, to)).rejects.toThrow(expect.objectContaining({ code: 'PLY_UNSUPPORTED' }))
      to.close()
      const second = forms.get(overlay!)!()()
      await convertUpper(from, second, { lower: lower.tree() })
      expect(second.hasContent(nid)).toBe(!(second.metadataOnly && second.redirects))
      expect(second.stat(nid).size).toBe(4)
      second.close()
    },
  )

  const rootless = forms.get("overlayfs's in user.*")
  describe.skipIf(rootless === undefined)('of moved directories into the form that follows no redirects', () => {
    /** `usr` with everything below is at `moved`, and what was changed in it before and after. */
    const source = (): StoredUpper => {
      const upper = openPortableUpper({ disk: inMemory(), root: `/convert/${made++}` })
      const view = union(lower.tree(), upper)
      const find = (path: string) => path.split('/').reduce((at, name) => view.lookup(at, name)!, view.root)
      view.setAttributes(find('usr/lib/one'), { mode: 0o711 })
      view.create(find('usr/share'), 'new', file)
      view.rename(view.root, 'usr', view.root, 'moved')
      view.rename(find('moved/lib'), 'two', view.root, 'two')
      view.link(view.root, 'another', find('bin/tool'))
      return upper
    }
    const snapshot = (upper: Upper): unknown => snapshotOfTree(union(lower.tree(), upper))

    test('copies what they show from below, with its numbers, links and times, and makes them opaque', async () => {
      const from = source()
      const to = rootless!()()
      await convertUpper(from, to, { lower: lower.tree() })
      expect(snapshot(to)).toEqual(snapshot(from))
      const moved = to.lookup(to.root.ino, 'moved')
      expect(moved).toMatchObject({ says: 'entry', opaque: true })
      expect(moved).not.toHaveProperty('redirect')
      const lib = moved.says === 'entry' && to.lookup(moved.ino, 'lib')
      expect(lib).toMatchObject({ says: 'entry', opaque: true })
      expect(lib && lib.says === 'entry' && [...to.list(lib.ino)].map(({ verdict }) => verdict.says)).toEqual([
        'entry',
        'entry',
      ])
      for (const each of [from, to]) each.close()
    })

    test('keeps the redirects where it is opened with them', async () => {
      const root = join(folder, String(made++))
      const place = { upperDir: join(root, 'upper'), workDir: join(root, 'work') }
      for (const each of Object.values(place)) mkdirSync(each, { recursive: true })
      const from = source()
      const to = openOverlayUpper({ ...place, xattr: 'user', redirects: true, chainId: lower.chainId })
      await convertUpper(from, to, { lower: lower.tree() })
      expect(snapshot(to)).toEqual(snapshot(from))
      expect(to.lookup(to.root.ino, 'moved')).toMatchObject({ redirect: 'usr' })
      for (const each of [from, to]) each.close()
    })

    test('needs the tree below', async () => {
      const from = memoryUpper()
      const directory = lower.tree().lookup(lower.tree().root, 'usr')!
      from.copyUp(from.root.ino, 'usr', directory, { ...file, kind: 'directory' })
      from.rename(from.root.ino, 'usr', from.root.ino, 'moved', { leave: 'whiteout', redirect: 'usr' })
      const to = rootless!()()
      await expect(convertUpper(from, to)).rejects.toThrow(expect.objectContaining({ code: 'PLY_UNSUPPORTED' }))
      to.close()
    })
  })

  test.skipIf(overlay === undefined)('numbers inodes that the kernel made, and keeps their links', async () => {
    const open = forms.get(overlay!)!()
    const from = open()
    const ino = from.create(from.root.ino, 'a', file)
    from.link(from.root.ino, 'b', ino)
    from.copyUp(from.root.ino, 'c', 7, file, memoryBytes(Buffer.from('c')))
    from.setXattr(ino, 'user.x', Buffer.from('y'))
    from.close()
    const foreign = open()
    const said = foreign.lookup(foreign.root.ino, 'a')
    expect(said.says === 'entry' && said.ino).toBe(ino)
    const to = openPortableUpper({ disk: inMemory(), root: `/convert/${made++}` })
    expect(caught(() => to.stat(ino))).toBeDefined()
    await convertUpper(foreign, to)
    expect(to.stat(ino).links).toBe(2)
    expect(ino).toBeGreaterThan(firstNewInode)
    foreign.close()
    to.close()
  })
})
