import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changes } from '../../src/diff/index.ts'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { getXattr } from '../../src/sys/xattr.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { whyNoOverlay, whyNoRootless } from './able.ts'
import { type Lower, makeLower } from './lower.ts'

const folder = mkdtempSync(join(tmpdir(), 'plyfs-link-groups-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let lower: Lower
beforeAll(async () => {
  lower = await makeLower(join(folder, 'lower'))
})

let made = 0

function place() {
  const root = join(folder, String(made++))
  for (const name of ['upper', 'work']) mkdirSync(join(root, name), { recursive: true })
  return { upperDir: join(root, 'upper'), workDir: join(root, 'work') }
}

type Place = ReturnType<typeof place>

function within<Result>(
  at: Place,
  form: { readonly xattr: 'trusted' | 'user'; readonly metacopy?: boolean },
  use: (view: WritableUnion) => Result,
): Result {
  const view = union(lower.tree(), openOverlayUpper({ ...at, chainId: lower.chainId, ...form }))
  try {
    return use(view)
  } finally {
    view.close()
  }
}

const find = (view: WritableUnion, path: string) =>
  path.split('/').reduce((at, name) => view.lookup(at, name)!, view.root)

const unlink = (view: WritableUnion, path: string) =>
  view.unlink(find(view, path.split('/').slice(0, -1).join('/')), path.split('/').at(-1)!)

const indexed = ({ workDir }: Place) => readdirSync(join(workDir, 'index')).map((name) => join(workDir, 'index', name))
const mark = (path: string, name: string) => getXattr(path, `trusted.overlay.${name}`)?.toString('latin1')

const whole = { xattr: 'trusted' } as const
const attributes = { xattr: 'trusted', metacopy: true } as const

/** In the lower tree `bin/tool`, `bin/alias` and `usr/lib/alias` are one file. */
describe('H-10: names of a lower link group, for the kernel to count', () => {
  const reason = whyNoOverlay()
  if (reason !== undefined) console.log(`link groups in overlayfs's form: skipped, ${reason}`)

  test.skipIf(reason)('a hidden name is taken off in the index, and the last one takes the index along', () => {
    const at = place()
    within(at, whole, (view) => {
      unlink(view, 'bin/tool')
      const [index, ...more] = indexed(at)
      expect(more).toEqual([])
      // One link, and one name more than that.
      expect(statSync(index!).nlink).toBe(1)
      expect(mark(index!, 'nlink')).toBe('U+1')
      expect(view.stat(find(view, 'bin/alias')).links).toBe(2)
    })
    within(at, whole, (view) => {
      expect(view.stat(find(view, 'bin/alias')).links).toBe(2)
      unlink(view, 'bin/alias')
      expect(mark(indexed(at)[0]!, 'nlink')).toBe('U+0')
      unlink(view, 'usr/lib/alias')
      expect(indexed(at)).toEqual([])
    })
  })

  test.skipIf(reason)('no content is copied where attributes are enough', () => {
    const at = place()
    within(at, attributes, (view) => {
      unlink(view, 'bin/tool')
      const [index] = indexed(at)
      expect(mark(index!, 'metacopy')).toBe('')
      expect(statSync(index!).size).toBe(10_000)
      // A block for xattrs at most.
      expect(statSync(index!).blocks).toBeLessThan(16)
      const content = view.open(find(view, 'bin/alias'))
      const bytes = Buffer.alloc(10_000)
      expect(content.read(bytes, 0)).toBe(10_000)
      expect(bytes.equals(Buffer.alloc(10_000, '\x7fELF'))).toBe(true)
      content.close()
    })
  })

  test.skipIf(reason)('a name that is brought up is counted once', () => {
    const at = place()
    within(at, whole, (view) => {
      view.setAttributes(find(view, 'bin/tool'), { mode: 0o700 })
      expect(mark(indexed(at)[0]!, 'nlink')).toBe('U+1')
      view.rename(find(view, 'bin'), 'alias', view.root, 'moved')
      // Three links: two names and the index. One name more is below.
      expect(statSync(indexed(at)[0]!).nlink).toBe(3)
      expect(mark(indexed(at)[0]!, 'nlink')).toBe('U+0')
      expect(view.stat(find(view, 'moved')).links).toBe(3)
      view.rename(view.root, 'top', find(view, 'usr/lib'), 'alias')
      expect(mark(indexed(at)[0]!, 'nlink')).toBe('U-1')
      expect(view.stat(find(view, 'moved')).links).toBe(2)
    })
  })

  for (const [name, form] of [
    ['', whole],
    [' (copies of attributes alone)', attributes],
  ] as const) {
    test.skipIf(reason)(
      `what changes where only names from below show it, is a change of each of them${name}`,
      async () => {
        const at = place()
        within(at, form, (view) => {
          unlink(view, 'bin/tool')
          view.setAttributes(find(view, 'usr/lib/alias'), { mode: 0o711 })
        })
        const view = union(lower.tree(), openOverlayUpper({ ...at, chainId: lower.chainId, ...form }))
        const paths: string[] = []
        for await (const { path } of changes(view)) paths.push(path)
        view.close()
        expect(paths).toEqual(expect.arrayContaining(['/bin/tool', '/bin/alias', '/usr/lib/alias']))
      },
    )
  }

  const rootless = whyNoRootless()
  if (rootless !== undefined) console.log(`link groups in user.*: skipped, ${rootless}`)

  test.skipIf(rootless)('without root nothing is copied: such a mount keeps no index', () => {
    const at = place()
    within(at, { xattr: 'user' }, (view) => {
      unlink(view, 'bin/tool')
      expect(readdirSync(at.workDir)).not.toContain('index')
      expect(view.stat(find(view, 'bin/alias')).links).toBe(2)
    })
  })
})
