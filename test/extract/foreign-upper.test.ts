import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diff } from '../../src/diff/index.ts'
import { directoryTree, extractTree, upperTree } from '../../src/extract/index.ts'
import { verityDigest } from '../../src/extract/verity.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { makeNode } from '../../src/sys/nodes.ts'
import { removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { becomeNobody, becomeRoot, hasProgram, root, testIf } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { plainTree, treeEntries } from '../support/plain-tree.ts'
import { scratchDirectory } from './scratch.ts'

const large = Buffer.alloc(100_000, 'content ')

const below = {
  'usr/lib/': { mtime: 1_000_000_000n },
  'usr/lib/a': { content: 'a', mtime: 2_000_000_000n },
  'usr/lib/deep/': {},
  'usr/lib/deep/b': { content: large, mtime: 3_000_000_000n, mode: 0o640, xattrs: { 'user.k': 'v' } },
  'etc/passwd': { content: 'root', mtime: 4_000_000_000n },
  'etc/old': { content: 'old', mtime: 5_000_000_000n },
  'gone/': {},
  'gone/x': 'x',
  'again/': {},
  'again/hidden': 'h',
  'becomes-file/': {},
  'becomes-file/y': 'y',
  'becomes-dir': 'file',
  link: { target: 'etc/passwd' },
  'keep/': {},
  'keep/me': 'kept',
}

/** What people do in a container, through whatever is mounted there. */
function edit(at: string): void {
  const path = (name: string) => join(at, name)
  renameSync(path('usr/lib'), path('usr/share'))
  renameSync(path('usr/share/deep'), path('usr/share/deeper'))
  writeFileSync(path('usr/share/new'), 'new')
  chmodSync(path('usr/share/deeper/b'), 0o600)
  renameSync(path('usr/share/deeper/b'), path('usr/b'))
  chmodSync(path('etc/passwd'), 0o600)
  chownSync(path('etc/passwd'), 12, 34)
  unlinkSync(path('etc/old'))
  rmSync(path('gone'), { recursive: true })
  rmSync(path('again'), { recursive: true })
  mkdirSync(path('again'))
  writeFileSync(path('again/fresh'), 'f')
  rmSync(path('becomes-file'), { recursive: true })
  writeFileSync(path('becomes-file'), 'now a file')
  unlinkSync(path('becomes-dir'))
  mkdirSync(path('becomes-dir'))
  writeFileSync(path('becomes-dir/z'), 'z')
  symlinkSync('../x', path('etc/s'))
  lchownSync(path('etc/s'), 5, 6)
  writeFileSync(path('one'), 'linked')
  linkSync(path('one'), path('two'))
  setXattr(path('one'), 'user.mine', Buffer.from('1'))
}

/** For mounts that rename no directory which has something below. */
function editWithoutRedirects(at: string): void {
  rmSync(join(at, 'usr/lib'), { recursive: true })
  mkdirSync(join(at, 'usr/lib/deep'), { recursive: true })
  writeFileSync(join(at, 'usr/lib/deep/b'), 'b')
  edit(at)
}

interface Scene {
  readonly lower: string
  readonly upper: string
  readonly work: string
  readonly merged: string
}

async function scene(): Promise<Scene> {
  const base = scratchDirectory()
  const at = (name: string) => {
    mkdirSync(join(base, name))
    return join(base, name)
  }
  await extractTree(plainTree(below), join(base, 'lower'))
  return { lower: join(base, 'lower'), upper: at('upper'), work: at('work'), merged: at('merged') }
}

/** What was shown while it was mounted. */
async function mounted(
  { lower, upper, work, merged }: Scene,
  options: string,
  act: (at: string) => void = edit,
): Promise<ReturnType<typeof treeEntries>> {
  const option = `lowerdir=${lower},upperdir=${upper},workdir=${work}${options}`
  execFileSync('mount', ['-t', 'overlay', '-o', option, 'overlay', merged])
  try {
    act(merged)
    return treeEntries(directoryTree(merged))
  } finally {
    execFileSync('umount', [merged])
  }
}

function read(at: Scene, options: Parameters<typeof upperTree>[2] = {}): Tree {
  return upperTree(directoryTree(at.lower), [at.upper], options)
}

const asRoot = testIf(root, 'it mounts')

describe('an upper directory of the kernel', () => {
  for (const [name, options] of [
    ['trusted.*, with redirects and copies of attributes alone', ',redirect_dir=on,metacopy=on'],
    ['trusted.*, without', ',redirect_dir=off,metacopy=off'],
    ['user.*', ',userxattr'],
  ] as const) {
    asRoot(`U-01, U-02, U-04: marked in ${name}, shows what the mount showed`, async () => {
      const at = await scene()
      const act = options.includes('redirect_dir=on') ? edit : editWithoutRedirects
      const shown = await mounted(at, options, act)
      expect(treeEntries(read(at))).toEqual(shown)
    })
  }

  asRoot(
    'U-02: directories renamed in renamed ones, to the place of others and back, and content under another name',
    async () => {
      const at = await scene()
      const shown = await mounted(at, ',redirect_dir=on,metacopy=on', (path) => {
        renameSync(join(path, 'usr'), join(path, 'u'))
        renameSync(join(path, 'u/lib/deep'), join(path, 'top'))
        renameSync(join(path, 'keep'), join(path, 'usr'))
        renameSync(join(path, 'gone'), join(path, 'keep'))
        utimesSync(join(path, 'top/b'), 7, 8)
        renameSync(join(path, 'top/b'), join(path, 'u/lib/b'))
        linkSync(join(path, 'u/lib/b'), join(path, 'linked'))
      })
      expect(treeEntries(read(at))).toEqual(shown)
    },
  )

  asRoot('U-02: of a copy of attributes alone the content is not even read to compare it', async () => {
    const at = await scene()
    await mounted(at, ',metacopy=on', (path) => chmodSync(join(path, 'usr/lib/deep/b'), 0o600))
    const lower = directoryTree(at.lower)
    const after = upperTree(lower, [at.upper])
    const changes = await valuesOf(
      diff(lower, after, { sameNumbers: true, untouched: (ino) => (ino < 2 ** 32 ? ino : undefined) }),
    )
    expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['modify /usr/lib/deep/b'])
  })

  asRoot('U-03: what leads nowhere is an error with its path, never half a diff', async () => {
    const at = await scene()
    await mounted(at, ',redirect_dir=on,metacopy=on')
    const wrong = directoryTree(join(at.lower, 'etc'))
    expect(() => treeEntries(upperTree(wrong, [at.upper]))).toThrow(
      expect.objectContaining({ code: 'PLY_BAD_LAYER', details: expect.objectContaining({ rule: 'U-03' }) }),
    )
    truncateSync(join(at.lower, 'usr/lib/deep/b'), 10)
    expect(() => treeEntries(read(at))).toThrow(/\/usr\/b.*another size.*U-03/s)
    unlinkSync(join(at.lower, 'usr/lib/deep/b'))
    expect(() => treeEntries(read(at))).toThrow(/\/usr\/b.*no file is there.*U-03/s)
    unlinkSync(join(at.upper, 'usr/b'))
    setXattr(join(at.upper, 'usr/share'), 'trusted.overlay.redirect', Buffer.from('/../../etc'))
    expect(() => treeEntries(read(at))).toThrow(/\/usr\/share.*no path below.*U-03/s)
  })

  asRoot('U-02: a digest that was recorded is compared with the content below', async () => {
    const at = await scene()
    await mounted(at, ',metacopy=on', (path) => chmodSync(join(path, 'usr/lib/deep/b'), 0o600))
    const mark = (content: Uint8Array) =>
      Buffer.concat([Buffer.from([0, 36, 0, 1]), verityDigest(memoryBytes(content), 'sha256', 1)])
    setXattr(join(at.upper, 'usr/lib/deep/b'), 'trusted.overlay.metacopy', mark(large))
    expect(treeEntries(read(at)).find(({ path }) => path === 'usr/lib/deep/b')?.size).toBe(large.length)
    setXattr(join(at.upper, 'usr/lib/deep/b'), 'trusted.overlay.metacopy', mark(Buffer.from('other')))
    expect(() => treeEntries(read(at))).toThrow(/usr\/lib\/deep\/b.*digest.*U-03/s)
  })

  asRoot('U-05: a volatile mount is told, since what it left may be incomplete', async () => {
    const at = await scene()
    await mounted(at, ',volatile', (path) => writeFileSync(join(path, 'x'), ''))
    const warnings: string[] = []
    read(at, { onWarning: ({ rule }) => warnings.push(rule) })
    expect(warnings).toEqual(['U-05'])
  })

  asRoot('U-03: marks that only root is shown are not taken for absent', async () => {
    const at = await scene()
    await mounted(at, ',redirect_dir=on')
    becomeNobody()
    try {
      expect(() => read(at)).toThrow(expect.objectContaining({ code: 'PLY_UNSUPPORTED' }))
    } finally {
      becomeRoot()
    }
  })

  asRoot('D-10: attributes that look like marks of the mount come back as they were', async () => {
    const at = await scene()
    const shown = await mounted(at, '', (path) => {
      writeFileSync(join(path, 'nested'), '')
      setXattr(join(path, 'nested'), 'trusted.overlay.opaque', Buffer.from('y'))
      setXattr(join(path, 'nested'), 'user.overlay.opaque', Buffer.from('y'))
    })
    const entries = treeEntries(read(at, { xattr: 'trusted' }))
    expect(entries).toEqual(shown)
    expect(Object.keys(entries.find(({ path }) => path === 'nested')!.xattrs)).toEqual([
      'trusted.overlay.opaque',
      'user.overlay.opaque',
    ])
  })
})

const withFuse = testIf(root && hasProgram('fuse-overlayfs'), 'it needs root and fuse-overlayfs')

describe('an upper directory of fuse-overlayfs', () => {
  for (const permissions of ['', ',xattr_permissions=2']) {
    withFuse(`U-01, U-06: shows what the mount showed${permissions && ', with recorded owners'}`, async () => {
      const at = await scene()
      const option = `lowerdir=${at.lower},upperdir=${at.upper},workdir=${at.work}${permissions}`
      execFileSync('fuse-overlayfs', ['-o', option, at.merged])
      let shown: ReturnType<typeof treeEntries>
      try {
        editWithoutRedirects(at.merged)
        makeNode(join(at.merged, 'fifo'), { kind: 'fifo', mode: 0o600 })
        shown = treeEntries(directoryTree(at.merged))
      } finally {
        execFileSync('umount', [at.merged])
      }
      const entries = treeEntries(read(at))
      // A directory has one link there, symlinks have no records, and the kernel keeps times of what was just written.
      const plain = (all: typeof shown) =>
        all.map(({ links: _, mtime: __, ...rest }) => (rest.kind === 'symlink' ? { ...rest, mode: 0o777 } : rest))
      expect(plain(entries)).toEqual(plain(shown))
    })
  }
})

describe('an upper directory of any form', () => {
  const made = async (act: (upper: string) => void, options: Parameters<typeof upperTree>[2] = {}) => {
    const at = await scene()
    act(at.upper)
    return treeEntries(read(at, options)).map(({ path }) => path)
  }
  const put = (path: string) => writeFileSync(path, '')

  test('U-01: whiteouts that are files, and opaque directories that hold one', async () => {
    const paths = await made((upper) => {
      mkdirSync(join(upper, 'etc'))
      put(join(upper, 'etc/.wh.old'))
      put(join(upper, '.wh.gone'))
      put(join(upper, '.wh.link'))
      put(join(upper, 'link'))
      mkdirSync(join(upper, 'keep'))
      put(join(upper, 'keep/.wh..wh..opq'))
      put(join(upper, 'keep/you'))
    })
    expect(paths.filter((path) => /^(etc|gone|keep|link)/.test(path))).toEqual([
      'etc',
      'etc/passwd',
      'keep',
      'keep/you',
      'link',
    ])
  })

  test('U-01: whiteouts that are marked, and opaque directories that fuse-overlayfs marked', async () => {
    const paths = await made((upper) => {
      mkdirSync(join(upper, 'etc'))
      setXattr(join(upper, 'etc'), 'user.overlay.opaque', Buffer.from('x'))
      put(join(upper, 'etc/old'))
      setXattr(join(upper, 'etc/old'), 'user.overlay.whiteout', Buffer.from('y'))
      mkdirSync(join(upper, 'keep'))
      setXattr(join(upper, 'keep'), 'user.fuseoverlayfs.opaque', Buffer.from('y'))
      put(join(upper, 'keep/you'))
    })
    expect(paths.filter((path) => /^(etc|keep)/.test(path))).toEqual(['etc', 'etc/passwd', 'keep', 'keep/you'])
  })

  test('U-04: what the mounts note for themselves is no attribute of anything', async () => {
    const at = await scene()
    mkdirSync(join(at.upper, 'd'))
    for (const mark of ['origin', 'impure', 'nlink', 'uuid', 'upper', 'protattr'])
      setXattr(join(at.upper, 'd'), `user.overlay.${mark}`, Buffer.from('y'))
    setXattr(join(at.upper, 'd'), 'user.fuseoverlayfs.origin', Buffer.from('etc'))
    setXattr(join(at.upper, 'd'), 'user.own', Buffer.from('1'))
    const entry = treeEntries(read(at)).find(({ path }) => path === 'd')
    expect(Object.keys(entry!.xattrs)).toEqual(['user.own'])
  })

  test('U-06: a recorded owner, mode and type is what the entry has', async () => {
    const at = await scene()
    const record = (name: string, text: string, as = 'user.containers.override_stat') =>
      setXattr(join(at.upper, name), as, Buffer.from(text))
    mkdirSync(join(at.upper, 'd'))
    record('d', '10:20:2750:dir')
    writeFileSync(join(at.upper, 'f'), 'content')
    record('f', '7:8:4755:file')
    setXattr(join(at.upper, 'f'), 'user.containers.override_security.capability', Buffer.from('cap'))
    put(join(at.upper, 'null'))
    record('null', '0:0:0666:char-1-3')
    put(join(at.upper, 'zero'))
    record('zero', '0:0:0600:char-0-0')
    writeFileSync(join(at.upper, 'l'), 'target')
    record('l', '3:4:0777:symlink')
    put(join(at.upper, 'older'))
    record('older', '5:6:0640', 'user.fuseoverlayfs.override_stat')
    const entries = treeEntries(read(at)).filter(({ path }) => /^(d|f|null|zero|l|older)$/.test(path))
    expect(
      entries.map(({ path, kind, uid, gid, mode, major, minor, target }) => [
        path,
        kind,
        uid,
        gid,
        mode.toString(8),
        major,
        minor,
        target,
      ]),
    ).toEqual([
      ['d', 'directory', 10, 20, '2750', 0, 0, undefined],
      ['f', 'file', 7, 8, '4755', 0, 0, undefined],
      ['l', 'symlink', 3, 4, '777', 0, 0, 'target'],
      ['null', 'character', 0, 0, '666', 1, 3, undefined],
      ['older', 'file', 5, 6, '640', 0, 0, undefined],
      ['zero', 'character', 0, 0, '600', 0, 0, undefined],
    ])
    expect(entries.flatMap(({ xattrs }) => Object.keys(xattrs))).toEqual(['security.capability'])
    record('f', 'nonsense')
    expect(() => treeEntries(read(at))).toThrow(expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }))
  })

  test('W-17: what is called as a whiteout and is none is refused with its path', async () => {
    await expect(made((upper) => writeFileSync(join(upper, '.wh.x'), 'content'))).rejects.toThrow(/\.wh\.x.*W-17/s)
    await expect(made((upper) => mkdirSync(join(upper, '.wh.x')))).rejects.toThrow(/\.wh\.x.*W-17/s)
  })

  test('several of them, each over those before it', async () => {
    const at = await scene()
    const second = join(scratchDirectory(), 'second')
    mkdirSync(second)
    mkdirSync(join(at.upper, 'new'))
    put(join(at.upper, 'new/a'))
    mkdirSync(join(second, 'moved'))
    setXattr(join(second, 'moved'), 'user.overlay.redirect', Buffer.from('/new'))
    put(join(second, '.wh.new'))
    const tree = upperTree(directoryTree(at.lower), [at.upper, second])
    expect(
      treeEntries(tree)
        .map(({ path }) => path)
        .filter((path) => /^(new|moved)/.test(path)),
    ).toEqual(['moved', 'moved/a'])
    removeXattr(join(second, 'moved'), 'user.overlay.redirect')
  })
})
