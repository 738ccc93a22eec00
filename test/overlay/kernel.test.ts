import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { mount, mountFlags, umount } from '../../src/sys/mount.ts'
import { getXattr, setXattr } from '../../src/sys/xattr.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { whyNoOverlay } from './able.ts'
import { type Lower, makeLower } from './lower.ts'
import { step, take } from './random-steps.ts'
import { isNewHere, type Snapshot, snapshotOfDirectory, snapshotOfTree, withoutNewNumbers } from './snapshots.ts'

const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-kernel-'))
const mounted: string[] = []
let lower: Lower
let reason: string | undefined

beforeAll(async () => {
  reason = whyNoOverlay()
  if (reason === undefined) {
    lower = await makeLower(join(folder, 'lower'))
    try {
      mountLower()
    } catch (error) {
      reason = `this kernel does not mount the index from a file: ${String(error)}`
    }
    unmountAll()
  }
  if (reason !== undefined) console.log(`overlay and the kernel: skipped, ${reason}`)
})

afterEach(unmountAll)
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

function unmountAll(): void {
  for (const target of mounted.splice(0).reverse()) umount(target)
}

function mountLower(): string {
  const target = join(folder, 'mounted-lower')
  fs.mkdirSync(target, { recursive: true })
  mount(lower.index, target, 'erofs', mountFlags.readOnly, `device=${lower.tar}`)
  mounted.push(target)
  return target
}

let made = 0

interface Place {
  readonly upperDir: string
  readonly workDir: string
}

function place(): Place {
  const root = join(folder, String(made++))
  for (const name of ['upper', 'work']) fs.mkdirSync(join(root, name), { recursive: true, mode: 0o755 })
  return { upperDir: join(root, 'upper'), workDir: join(root, 'work') }
}

function byKernel<Result>({ upperDir, workDir }: Place, options: string, use: (root: string) => Result): Result {
  const lowerDir = mountLower()
  const target = join(folder, 'merged')
  fs.mkdirSync(target, { recursive: true })
  mount('overlay', target, 'overlay', 0, `lowerdir=${lowerDir},upperdir=${upperDir},workdir=${workDir}${options}`)
  mounted.push(target)
  try {
    return use(target)
  } finally {
    unmountAll()
  }
}

function byUs<Result>(at: Place, use: (view: WritableUnion) => Result, metacopy = false): Result {
  const view = union(lower.tree(), openOverlayUpper({ ...at, xattr: 'trusted', chainId: lower.chainId, metacopy }))
  try {
    return use(view)
  } finally {
    view.close()
  }
}

/** The kernel numbers a new file as the disk does: of what the lower tree does not have, only the links are compared. */
function kernelView(at: Place, options: string): Snapshot {
  const known = lowerNumbers()
  return byKernel(at, options, (root) => withoutNewNumbers(snapshotOfDirectory(root), (ino) => !known.has(ino)))
}

function lowerNumbers(): Set<number> {
  const numbers = new Set<number>()
  const tree = lower.tree()
  const visit = (ino: number): void => {
    numbers.add(ino)
    if (tree.stat(ino).kind === 'directory') for (const entry of tree.list(ino)) visit(entry.ino)
  }
  visit(tree.root)
  tree.close()
  return numbers
}

const ourView = (at: Place): Snapshot => byUs(at, (view) => withoutNewNumbers(snapshotOfTree(view), isNewHere))

/** Steps of a union by path. */
function stepsOf(view: WritableUnion) {
  const find = (path: string): number =>
    path.split('/').reduce((at, name) => (name === '' ? at : view.lookup(at, name)!), view.root)
  const split = (path: string): [number, string] => {
    const slash = path.lastIndexOf('/')
    return [find(path.slice(0, Math.max(0, slash))), path.slice(slash + 1)]
  }
  const attributes = { mode: 0o640, uid: 7, gid: 8, mtime: 1_500_000_000_000_000_001n }
  return {
    find,
    write(path: string, text: string): void {
      const [directory, name] = split(path)
      const ino = view.lookup(directory, name) ?? view.create(directory, name, { kind: 'file', ...attributes })
      const writer = view.writer(ino)
      writer.write(Buffer.from(text), 0)
      writer.close()
    },
    mkdir: (path: string) => view.create(...split(path), { kind: 'directory', ...attributes, mode: 0o755 }),
    make: (path: string, rest: object) => view.create(...split(path), { kind: 'file', ...attributes, ...rest }),
    link: (path: string, to: string) => view.link(...split(to), find(path)),
    rename: (path: string, to: string) => view.rename(...split(path), ...split(to)),
    unlink: (path: string) => view.unlink(...split(path)),
    rmdir: (path: string) => view.rmdir(...split(path)),
    chmod: (path: string, mode: number) => view.setAttributes(find(path), { mode }),
  }
}

const groups = ',index=on,redirect_dir=on'

const removal = 'removed names, and others in their place'

/** Without `index=on` the kernel goes on counting the hidden names of a lower link group: we count what is visible (H-10). */
function withoutIndex(snapshot: Snapshot, options: string): Snapshot {
  if (options === groups) return snapshot
  const group = ['/bin/tool', '/bin/alias']
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, text]) => [path, group.includes(path) ? text.replace(/links \d+/, '') : text]),
  )
}

/** Each with a name, what we do, and what makes the kernel show the same. */
const stories: readonly (readonly [string, (view: WritableUnion) => void])[] = [
  [
    'new inodes of every kind',
    (view) => {
      const steps = stepsOf(view)
      steps.mkdir('new')
      steps.write('new/file', 'content')
      steps.link('new/file', 'second')
      steps.make('new/link', { kind: 'symlink', mode: 0o777, target: '../\xfe' })
      steps.make('new/fifo', { kind: 'fifo' })
      steps.make('new/disk', { kind: 'block', major: 8, minor: 1 })
      steps.make('new/suid', { mode: 0o4755 })
    },
  ],
  [
    'copied-up files, their attributes and xattrs',
    (view) => {
      const steps = stepsOf(view)
      steps.write('etc/passwd', 'changed')
      steps.chmod('var/log/messages', 0o600)
      steps.chmod('dev/null', 0o600)
      view.setXattr(steps.find('usr/share/doc'), 'user.x', Buffer.from('y'))
      view.setXattr(steps.find('etc'), 'trusted.overlay.opaque', Buffer.from('data'))
      view.setAttributes(steps.find('etc/link'), { uid: 42 })
    },
  ],
  [
    removal,
    (view) => {
      const steps = stepsOf(view)
      steps.unlink('top')
      steps.unlink('etc/passwd')
      steps.mkdir('etc/passwd')
      steps.unlink('usr/lib/one')
      steps.unlink('usr/lib/two')
      steps.unlink('usr/lib/alias')
      steps.rmdir('usr/lib')
      steps.rmdir('usr/empty')
      steps.write('usr/empty', 'now a file')
      steps.mkdir('usr/lib')
      steps.write('usr/lib/three', '3')
    },
  ],
  [
    'renamed files and directories, once and again',
    (view) => {
      const steps = stepsOf(view)
      steps.rename('etc/passwd', 'etc/shadow')
      steps.rename('top', 'usr/top')
      steps.rename('usr', 'opt')
      steps.rename('opt/lib', 'opt/lib64')
      steps.rename('opt/share', 'share')
      steps.rename('opt', 'usr')
      steps.write('share/doc', 'inside a moved directory')
      steps.mkdir('pure')
      steps.write('pure/x', 'x')
      steps.unlink('var/log/messages')
      steps.rename('pure', 'var/log')
    },
  ],
  [
    'H-11: a link group written through one of its names',
    (view) => {
      const steps = stepsOf(view)
      steps.write('bin/tool', 'through one name')
    },
  ],
  [
    'H-11: a link group that got another name',
    (view) => {
      const steps = stepsOf(view)
      steps.write('bin/alias', 'through another name')
      steps.link('bin/tool', 'tool')
    },
  ],
]

describe('what we write, the kernel shows', () => {
  for (const [name, story] of stories) {
    test(name, ({ skip }) => {
      if (reason !== undefined) skip(reason)
      const at = place()
      byUs(at, (view) => {
        view.setAttributes(view.root, { mode: 0o755 })
        story(view)
      })
      const ours = ourView(at)
      expect(kernelView(at, groups)).toEqual(ours)
      expect(ourView(at), 'after the kernel had it').toEqual(ours)
    })
  }
})

const metacopies = ',metacopy=on,index=on,redirect_dir=on'

describe('row 15: copies of attributes alone that we write', () => {
  const change = (view: WritableUnion): void => {
    const steps = stepsOf(view)
    view.setAttributes(view.root, { mode: 0o755 })
    steps.chmod('var/log/messages', 0o600)
    steps.chmod('etc/passwd', 0o600)
    steps.rename('etc/passwd', 'var/passwd')
    steps.chmod('usr/share/doc', 0o400)
    steps.link('usr/share/doc', 'etc/doc')
    steps.chmod('bin/alias', 0o700)
    steps.rename('usr', 'opt')
    steps.chmod('top', 0o600)
    steps.write('top', 'has content now')
  }

  test('the kernel shows with metacopy=on, and completes', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const at = place()
    byUs(at, change, true)
    for (const path of ['var/log/messages', 'var/passwd', 'opt/share/doc', 'bin/alias'])
      expect(getXattr(join(at.upperDir, path), 'trusted.overlay.metacopy'), path).toHaveLength(0)
    const ours = ourView(at)
    expect(kernelView(at, metacopies)).toEqual(ours)
    byKernel(at, metacopies, (root) => {
      for (const path of ['var/log/messages', 'var/passwd', 'etc/doc', 'bin/tool'])
        fs.appendFileSync(`${root}/${path}`, 'by the kernel')
    })
    const after = ourView(at)
    expect(after['/opt/share/doc']).toContain('5013:')
    expect(kernelView(at, metacopies)).toEqual(after)
  })

  test('the kernel refuses without it', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const at = place()
    byUs(at, change, true)
    byKernel(at, groups, (root) => expect(() => fs.readFileSync(`${root}/var/log/messages`)).toThrow('EPERM'))
  })

  test('at random show in the kernel', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const at = place()
        byUs(
          at,
          (view) => {
            view.setAttributes(view.root, { mode: 0o755 })
            for (const each of steps) take(view, each)
          },
          true,
        )
        expect(kernelView(at, metacopies)).toEqual(ourView(at))
      }),
      { numRuns: 40 },
    )
  })
})

test('what we write at random, the kernel shows', ({ skip }) => {
  if (reason !== undefined) skip(reason)
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const at = place()
      byUs(at, (view) => {
        view.setAttributes(view.root, { mode: 0o755 })
        for (const each of steps) take(view, each)
      })
      const ours = ourView(at)
      expect(kernelView(at, groups)).toEqual(ours)
      expect(ourView(at)).toEqual(ours)
    }),
    { numRuns: 60 },
  )
})

/** The same changes by the kernel itself. */
const kernelStories: readonly (readonly [string, (root: string) => void])[] = [
  [
    'new inodes of every kind',
    (root) => {
      fs.mkdirSync(`${root}/new`)
      fs.writeFileSync(`${root}/new/file`, 'content')
      fs.linkSync(`${root}/new/file`, `${root}/second`)
      fs.symlinkSync('../x', `${root}/new/link`)
    },
  ],
  [
    'copied-up files, their attributes and xattrs',
    (root) => {
      fs.writeFileSync(`${root}/etc/passwd`, 'changed')
      fs.chmodSync(`${root}/var/log/messages`, 0o600)
      fs.chmodSync(`${root}/dev/null`, 0o600)
      setXattr(`${root}/usr/share/doc`, 'user.x', Buffer.from('y'))
      setXattr(`${root}/etc`, 'trusted.overlay.opaque', Buffer.from('data'))
      fs.lchownSync(`${root}/etc/link`, 42, 42)
    },
  ],
  [
    removal,
    (root) => {
      fs.unlinkSync(`${root}/top`)
      fs.unlinkSync(`${root}/etc/passwd`)
      fs.mkdirSync(`${root}/etc/passwd`)
      fs.rmSync(`${root}/usr/lib`, { recursive: true })
      fs.rmSync(`${root}/var`, { recursive: true })
      fs.mkdirSync(`${root}/var`)
      fs.writeFileSync(`${root}/var/x`, 'x')
    },
  ],
  [
    'renamed files',
    (root) => {
      fs.renameSync(`${root}/etc/passwd`, `${root}/etc/shadow`)
      fs.renameSync(`${root}/top`, `${root}/usr/top`)
    },
  ],
]

const directoryStory: readonly [string, (root: string) => void] = [
  'renamed directories: redirects relative and from the root',
  (root) => {
    fs.renameSync(`${root}/usr/share`, `${root}/usr/moved`)
    fs.renameSync(`${root}/usr`, `${root}/opt`)
    fs.renameSync(`${root}/opt/lib`, `${root}/etc/lib`)
    fs.renameSync(`${root}/etc`, `${root}/conf`)
    fs.writeFileSync(`${root}/opt/moved/doc`, 'inside')
    fs.unlinkSync(`${root}/conf/lib/one`)
    fs.renameSync(`${root}/conf/lib`, `${root}/conf/lib64`)
  },
]

const groupStory: readonly [string, (root: string) => void] = [
  'H-11: a link group, also when only lower names show it',
  (root) => {
    fs.writeFileSync(`${root}/bin/tool`, 'through one name')
    fs.unlinkSync(`${root}/bin/tool`)
  },
]

const metacopyStory: readonly [string, (root: string) => void] = [
  'row 15: copies of attributes alone',
  (root) => {
    fs.chmodSync(`${root}/var/log/messages`, 0o600)
    fs.chownSync(`${root}/etc/passwd`, 1, 1)
    fs.renameSync(`${root}/etc/passwd`, `${root}/var/passwd`)
  },
]

describe('what the kernel writes, we show', () => {
  for (const options of ['', ',redirect_dir=on', groups, ',metacopy=on,redirect_dir=on']) {
    const more = [
      ...(options === '' ? [] : [directoryStory]),
      ...(options === groups ? [groupStory] : []),
      ...(options.includes('metacopy') ? [metacopyStory] : []),
    ]
    for (const [name, story] of [...kernelStories, ...more]) {
      test(`${options === '' ? 'default options' : options.slice(1)}: ${name}`, ({ skip }) => {
        if (reason !== undefined) skip(reason)
        const at = place()
        byKernel(at, options, (root) => {
          fs.chmodSync(root, 0o711)
          story(root)
        })
        expect(withoutIndex(ourView(at), options)).toEqual(withoutIndex(kernelView(at, options), options))
      })
    }
  }
})

describe('origins', () => {
  test('ours are those of the kernel, byte for byte', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const [theirs, ours] = [place(), place()]
    byKernel(theirs, ',index=on', (root) => fs.chmodSync(`${root}/etc/passwd`, 0o600))
    byUs(ours, (view) => stepsOf(view).chmod('etc/passwd', 0o600))
    for (const path of ['etc', 'etc/passwd']) {
      const [a, b] = [theirs, ours].map((at) => getXattr(join(at.upperDir, path), 'trusted.overlay.origin'))
      expect(a?.toString('hex')).toBe(b?.toString('hex'))
      expect(a).toHaveLength(33)
    }
  })

  test('row 11: empty files with the whiteout mark are whiteouts too', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const at = place()
    byKernel(at, '', (root) => fs.chmodSync(`${root}/etc`, 0o700))
    const marked = join(at.upperDir, 'etc')
    fs.writeFileSync(join(marked, 'passwd'), '')
    setXattr(join(marked, 'passwd'), 'trusted.overlay.whiteout', Buffer.alloc(0))
    setXattr(marked, 'trusted.overlay.opaque', Buffer.from('x'))
    const shown = Object.keys(ourView(at))
    expect(shown).not.toContain('/etc/passwd')
    expect(shown).toContain('/etc/group')
    // In an upper the kernel lists the name all the same (rows 11 and 12: better here), but has nothing there either.
    byKernel(at, '', (root) => expect(fs.existsSync(`${root}/etc/passwd`)).toBe(false))
  })

  test('row 21: an upper of a volatile mount is refused until its mark is removed by hand', ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const at = place()
    byKernel(at, ',volatile', (root) => fs.writeFileSync(`${root}/x`, 'x'))
    expect(() => byUs(at, () => undefined)).toThrow(expect.objectContaining({ code: 'PLY_UNSUPPORTED' }))
    fs.rmSync(join(at.workDir, 'work/incompat'), { recursive: true })
    expect(byUs(at, (view) => view.lookup(view.root, 'x'))).toBeDefined()
  })
})
