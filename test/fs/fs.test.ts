import { once } from 'node:events'
import nodeFs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { fsOf, type UnionFs } from '../../src/fs/index.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { asUser } from '../../src/union/permissions.ts'
import { union } from '../../src/union/union-tree.ts'
import { testIf } from '../support/ability.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'
import { caught } from '../union/upper-contract.ts'

function make(spec: PlainSpec = {}): UnionFs {
  return fsOf(union(plainTree(spec), memoryUpper()))
}

async function rejected(promise: Promise<unknown>): Promise<NodeJS.ErrnoException> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error) => error,
  )
}

describe('paths', () => {
  const spec: PlainSpec = {
    'in/file': 'x',
    'in/up': { target: '../../../../in/file' },
    'in/absolute': { target: '/in/file' },
    'in/self': { target: 'self' },
    'in/dir': { target: '/in/../in/./' },
    dangling: { target: 'made' },
    ...Object.fromEntries(
      Array.from({ length: 42 }, (_, i) => [`l${i}`, { target: i === 0 ? 'in/file' : `l${i - 1}` }]),
    ),
  }

  test.each([
    '/in/file',
    'in/file',
    '/../../in//./file',
    '/in/up',
    '/in/absolute',
    '/in/dir/file',
    '/in/dir/dir/../in/file',
    '/l39',
    Buffer.from('/in/file'),
    new URL('file:///in/file'),
  ])('%s leads to the file, and nothing leads out of the root', (path) => {
    expect(make(spec).readFileSync(path, 'utf8')).toBe('x')
  })

  test.each([
    ['/in/self', 'ELOOP'],
    ['/l40', 'ELOOP'],
    ['/in/file/', 'ENOTDIR'],
    ['/in/file/x', 'ENOTDIR'],
    ['/in/none/x', 'ENOENT'],
    ['', 'ENOENT'],
    [`/${'x'.repeat(256)}`, 'ENAMETOOLONG'],
    [`/${'x/'.repeat(2100)}`, 'ENAMETOOLONG'],
    ['/dangling', 'ENOENT'],
    ['/a\0b', 'ERR_INVALID_ARG_VALUE'],
    [7 as unknown as string, 'ERR_INVALID_ARG_TYPE'],
  ])('%s is refused with %s', (path, code) => {
    expect(codeOf(caught(() => make(spec).statSync(path)))).toBe(code)
  })

  test('writing through a dangling symlink makes what it points to', () => {
    const fs = make(spec)
    fs.writeFileSync('/dangling', 'new')
    expect(fs.readFileSync('/made', 'utf8')).toBe('new')
    expect(codeOf(caught(() => fs.writeFileSync('/dangling', 'x', { flag: 'wx' })))).toBe('EEXIST')
  })

  test('what stands before a slash is not even looked up where a file is to be made, also at the end of a symlink', () => {
    const targets = {
      self: 'self/',
      file: 'in/file/',
      directory: 'in/',
      missing: 'none/',
      chain: 'file',
      long: `${'x'.repeat(256)}/`,
    }
    const links = Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, { target }]))
    const fs = make({ ...spec, ...links })
    for (const name of Object.keys(targets))
      for (const path of [`/${name}`, `/${name}/`])
        expect([path, codeOf(caught(() => fs.writeFileSync(path, 'x')))]).toEqual([path, 'EISDIR'])
    expect(['self', 'file', 'missing'].map((name) => codeOf(caught(() => fs.readFileSync(`/${name}`))))).toEqual([
      'ELOOP',
      'ENOTDIR',
      'ENOENT',
    ])
    const shut = fsOf(asUser(union(plainTree({ 'shut/': { mode: 0o700 } }), memoryUpper()), { uid: 1000, gid: 1000 }))
    expect(codeOf(caught(() => shut.writeFileSync('/shut/x/', 'x')))).toBe('EACCES')
  })

  test('realpath has no symlinks and no dots', () => {
    expect(make(spec).realpathSync.native('/in/dir/../in/up')).toBe('/in/file')
    expect(make(spec).realpathSync('/in/dir/../up')).toBe('/in/file')
    expect(make(spec).realpathSync('..')).toBe('/')
  })

  test('names are UTF-8 text, and any bytes with the buffer encoding', () => {
    const fs = make({ 'caf\xc3\xa9': 'x', '\xff\xfe': 'y' })
    expect(fs.readdirSync('/')).toEqual(['café', '\ufffd\ufffd'])
    expect(fs.readFileSync('/café', 'utf8')).toBe('x')
    expect(fs.readdirSync('/', 'buffer')[1]).toEqual(Buffer.from([255, 254]))
    expect(fs.readFileSync(Buffer.from('/\xff\xfe', 'latin1'), 'utf8')).toBe('y')
    fs.writeFileSync(Buffer.from('/\xe4', 'latin1'), 'z')
    fs.symlinkSync(Buffer.from('\xe4', 'latin1'), '/l')
    expect(fs.readlinkSync('/l', { encoding: 'buffer' })).toEqual(Buffer.from([0xe4]))
    expect(fs.readFileSync('/l', 'utf8')).toBe('z')
  })
})

describe('errors', () => {
  test('have the code, number, call, path and words of Node', () => {
    const fs = make({ d: { kind: 'directory' } })
    const root = nodeFs.mkdtempSync(join(tmpdir(), 'plyfs-'))
    try {
      nodeFs.mkdirSync(`${root}/d`)
      const calls: ((fs: UnionFs | typeof nodeFs, root: string) => unknown)[] = [
        (on, at) => on.readFileSync(`${at}/none`),
        (on, at) => on.readFileSync(`${at}/d`),
        (on, at) => on.renameSync(`${at}/none`, `${at}/other`),
        (on, at) => on.mkdirSync(`${at}/d`),
        (on, at) => on.copyFileSync(`${at}/none`, `${at}/x`),
        (on, at) => on.utimesSync(`${at}/none`, 1, 1),
        (on, at) => on.accessSync(`${at}/none`),
        (on, at) => on.mkdtempSync(`${at}/none/x`),
        (on, at) => on.readdirSync(`${at}/none`),
        (on, at) => on.rmSync(`${at}/none`),
        (on) => on.closeSync(99999),
        (on, at) => on.openSync(`${at}/x`, 'zz' as 'r'),
      ]
      for (const call of calls) {
        const ours = caught(() => call(fs, '')) as NodeJS.ErrnoException
        const nodes = caught(() => call(nodeFs, root)) as NodeJS.ErrnoException
        expect(ours.message).toBe(nodes.message.replaceAll(root, ''))
        expect([ours.code, ours.errno, ours.syscall]).toEqual([nodes.code, nodes.errno, nodes.syscall])
        expect(ours.path).toBe(nodes.path?.replaceAll(root, ''))
      }
    } finally {
      nodeFs.rmSync(root, { recursive: true })
    }
  })

  test('a tree without an upper answers EROFS to every change, and EEXIST where Linux looks first', () => {
    const fs = fsOf(union(plainTree({ a: 'a', 'd/x': 'x' })))
    const changes: [string, () => unknown][] = [
      ['EROFS', () => fs.writeFileSync('/a', 'x')],
      ['EROFS', () => fs.writeFileSync('/n', 'x')],
      ['EROFS', () => fs.appendFileSync('/a', 'x')],
      ['EROFS', () => fs.truncateSync('/a')],
      ['EROFS', () => fs.mkdirSync('/n')],
      ['EROFS', () => fs.mkdirSync('/n/m', { recursive: true })],
      ['EROFS', () => fs.mkdtempSync('/n')],
      ['EEXIST', () => fs.mkdirSync('/d')],
      ['EROFS', () => fs.rmSync('/a')],
      ['EROFS', () => fs.rmSync('/d', { recursive: true })],
      ['EROFS', () => fs.rmdirSync('/d')],
      ['EROFS', () => fs.unlinkSync('/a')],
      ['EROFS', () => fs.renameSync('/a', '/b')],
      ['EROFS', () => fs.linkSync('/a', '/b')],
      ['EROFS', () => fs.symlinkSync('/a', '/b')],
      ['EROFS', () => fs.chmodSync('/a', 0)],
      ['EROFS', () => fs.chownSync('/a', 1, 1)],
      ['EROFS', () => fs.utimesSync('/a', 1, 1)],
      ['EROFS', () => fs.copyFileSync('/a', '/b')],
      ['EROFS', () => fs.cpSync('/d', '/e', { recursive: true })],
      ['EROFS', () => fs.accessSync('/a', fs.constants.W_OK)],
    ]
    for (const [code, change] of changes) expect(codeOf(caught(change)), String(change)).toBe(code)
    expect(fs.mkdirSync('/d', { recursive: true })).toBeUndefined()
    expect(fs.readFileSync('/d/x', 'utf8')).toBe('x')
    fs.accessSync('/a', fs.constants.R_OK)
  })

  test('a file of 2 GiB or more is not read as a whole, as Node refuses it, in any form', async () => {
    const fs = make()
    fs.writeFileSync('/f', '')
    fs.truncateSync('/f', 2 ** 40)
    const told = { code: 'ERR_FS_FILE_TOO_LARGE', message: 'File size (1099511627776) is greater than 2 GiB' }
    expect(caught(() => fs.readFileSync('/f'))).toBeInstanceOf(RangeError)
    expect(caught(() => fs.readFileSync('/f', 'utf8'))).toMatchObject(told)
    expect(await rejected(fs.promises.readFile('/f'))).toMatchObject(told)
    expect(await rejected(promisify(fs.readFile as (path: string, done: () => void) => void)('/f'))).toMatchObject(told)
    const fd = fs.openSync('/f')
    expect([fs.readSync(fd, Buffer.alloc(4), 0, 4, 2 ** 39), fs.statSync('/f').size]).toEqual([4, 2 ** 40])
    fs.closeSync(fd)
  })

  test('a device or a pipe cannot be opened: nobody is behind it', () => {
    const fs = make({ null: { kind: 'character', major: 1, minor: 3 } })
    expect(codeOf(caught(() => fs.readFileSync('/null')))).toBe('EOPNOTSUPP')
    expect(fs.statSync('/null')).toMatchObject({ rdev: 0x103 })
    expect(fs.statSync('/null').isCharacterDevice()).toBe(true)
  })
})

describe('stat', () => {
  test('answers what Node answers, as numbers and exactly', () => {
    const fs = make({
      f: { content: 'x'.repeat(5000), mode: 0o4755, uid: 7, gid: 8, mtime: 1_700_000_000_123_456_789n },
      g: { hardlink: 'f' },
    })
    const stats = fs.statSync('/f')
    expect(stats).toMatchObject({
      mode: 0o104755,
      uid: 7,
      gid: 8,
      size: 5000,
      nlink: 2,
      blocks: 10,
      mtimeMs: 1_700_000_000_123.4568,
    })
    expect(stats.mtime.toISOString()).toBe('2023-11-14T22:13:20.123Z')
    expect([stats.isFile(), stats.isDirectory(), stats.isSymbolicLink()]).toEqual([true, false, false])
    const exact = fs.statSync('/f', { bigint: true })
    expect(exact).toMatchObject({ mtimeNs: 1_700_000_000_123_456_789n, size: 5000n, nlink: 2n })
    expect(stats.ino).toBe(fs.statSync('/g').ino)
    expect(Object.keys(stats).sort()).toEqual(Object.keys(nodeFs.statSync('/')).sort())
    expect(Object.keys(exact).sort()).toEqual(Object.keys(nodeFs.statSync('/', { bigint: true })).sort())
  })

  test('without throwIfNoEntry nothing is thrown for what is missing', () => {
    expect(make().statSync('/none', { throwIfNoEntry: false })).toBeUndefined()
  })

  test('times are taken as seconds, dates and exact nanoseconds', () => {
    const fs = make({ f: 'x', l: { target: 'f' } })
    const time = () => fs.statSync('/f', { bigint: true }).mtimeNs
    fs.utimesSync('/f', 0, 1.5)
    expect(time()).toBe(1_500_000_000n)
    fs.utimesSync('/f', 0, new Date(12))
    expect(time()).toBe(12_000_000n)
    fs.utimesSync('/f', 0n, -1n)
    expect(time()).toBe(-1n)
    fs.lutimesSync('/l', 0, 3)
    expect([time(), fs.lstatSync('/l', { bigint: true }).mtimeNs]).toEqual([-1n, 3_000_000_000n])
    expect(codeOf(caught(() => fs.utimesSync('/f', 0, Number.NaN)))).toBe('ERR_INVALID_ARG_TYPE')
  })
})

describe('making', () => {
  test('what is made gets the owner, the umask and the group of a set-group-id directory', () => {
    const fs = fsOf(union(plainTree({ 's/': { mode: 0o2775, gid: 50 } }), memoryUpper()), {
      uid: 5,
      gid: 6,
      umask: 0o027,
    })
    fs.writeFileSync('/f', '')
    fs.mkdirSync('/d')
    fs.writeFileSync('/x', '', { mode: 0o777 })
    fs.mkdirSync('/s/d')
    fs.writeFileSync('/s/f', '')
    expect(
      ['/f', '/d', '/x', '/s/d', '/s/f'].map((path) => [fs.statSync(path).mode & 0o7777, fs.statSync(path).gid]),
    ).toEqual([
      [0o640, 6],
      [0o750, 6],
      [0o750, 6],
      [0o2750, 50],
      [0o640, 50],
    ])
    expect(fs.statSync('/f').uid).toBe(5)
  })

  test('mkdir -p, mkdtemp, cp and rm -r work on trees', () => {
    const fs = make({ 'a/b/c': { content: 'c', mode: 0o755 }, 'a/l': { target: 'b' }, 'a/e/': { mode: 0o711 } })
    expect(fs.mkdirSync('/x/y/z', { recursive: true })).toBe('/x')
    const made = fs.mkdtempSync('/x/t-')
    expect(made).toMatch(/^\/x\/t-.{6}$/)
    expect(fs.statSync(made).mode & 0o777).toBe(0o700)
    fs.cpSync('/a', '/x/copy/deep', { recursive: true })
    expect(fs.readdirSync('/x/copy/deep', { recursive: true }).sort()).toEqual(['b', 'b/c', 'e', 'l'])
    expect(fs.statSync('/x/copy/deep/b/c').mode & 0o777).toBe(0o755)
    expect(fs.statSync('/x/copy/deep/e').mode & 0o777).toBe(0o711)
    expect(codeOf(caught(() => fs.cpSync('/a', '/a/b/n', { recursive: true })))).toBe('ERR_FS_CP_EINVAL')
    expect(codeOf(caught(() => fs.cpSync('/a', '/n')))).toBe('ERR_FS_EISDIR')
    fs.rmSync('/x', { recursive: true })
    fs.rmSync('/none', { force: true })
    expect(fs.existsSync('/x')).toBe(false)
    expect(fs.readFileSync('/a/b/c', 'utf8')).toBe('c')
  })

  test('a tree of ten thousand levels is no problem to remove', () => {
    const merged = union([], memoryUpper())
    let at = merged.root
    for (let i = 0; i < 10_000; i++) {
      at = merged.create(at, 'd', { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0n })
    }
    const fs = fsOf(merged)
    fs.rmSync('/d', { recursive: true })
    expect(fs.readdirSync('/')).toEqual([])
  })
})

describe('listing', () => {
  const spec = { 'a/b/c': 'x', 'a/d': 'y', e: { target: 'a' } } as const

  test('recursive listings and entries with types are those of Node', () => {
    const fs = make(spec)
    expect(fs.readdirSync('/', { recursive: true })).toEqual(['a', 'e', 'a/b', 'a/d', 'a/b/c'])
    const entries = fs.readdirSync('/a/', { withFileTypes: true, recursive: true })
    expect(entries.map((entry) => [entry.parentPath, entry.name, entry.isDirectory()])).toEqual([
      ['/a/', 'b', true],
      ['/a/', 'd', false],
      ['/a/b', 'c', false],
    ])
  })

  test('opendir gives one name at a time', async () => {
    const names = []
    for await (const entry of await make(spec).promises.opendir('/')) names.push(entry.name)
    expect(names).toEqual(['a', 'e'])
    const dir = make(spec).opendirSync('/a')
    expect(dir.readSync()?.name).toBe('b')
    dir.closeSync()
    expect(codeOf(caught(() => dir.readSync()))).toBe('ERR_DIR_CLOSED')
  })
})

describe('opening', () => {
  test('a file without a name is written, read and described until it is closed', () => {
    const fs = make({ 'd/': { mode: 0o755 } })
    const fd = fs.openSync('/d', 0o20000000 | fs.constants.O_DIRECTORY | fs.constants.O_RDWR, 0o640)
    fs.writeSync(fd, 'nameless')
    fs.fchmodSync(fd, 0o600)
    expect(fs.readFileSync(fd, 'utf8')).toBe('')
    expect(fs.fstatSync(fd)).toMatchObject({ nlink: 0, size: 8, mode: 0o100600 })
    expect(fs.readdirSync('/d')).toEqual([])
    fs.closeSync(fd)
    expect(codeOf(caught(() => fs.fstatSync(fd)))).toBe('EBADF')
  })

  test('O_PATH opens what is there as a place alone, symlinks and devices too', () => {
    const fs = make({
      l: { target: 'none' },
      null: { kind: 'character', major: 1, minor: 3 },
      f: { content: 'x', mode: 0 },
    })
    const nobody = fsOf(asUser(union(plainTree({ f: { content: 'x', mode: 0 } })), { uid: 1000, gid: 1000 }))
    const kinds = (['/l', '/null', '/f'] as const).map((path) => {
      const fd = fs.openSync(path, 0o10000000 | fs.constants.O_NOFOLLOW)
      fs.unlinkSync(path)
      const { mode, nlink } = fs.fstatSync(fd)
      for (const act of [
        () => fs.readSync(fd, Buffer.alloc(1)),
        () => fs.fchmodSync(fd, 0o600),
        () => fs.fsyncSync(fd),
      ])
        expect(codeOf(caught(act))).toBe('EBADF')
      fs.closeSync(fd)
      return [mode & fs.constants.S_IFMT, nlink]
    })
    expect(kinds).toEqual([
      [fs.constants.S_IFLNK, 0],
      [fs.constants.S_IFCHR, 0],
      [fs.constants.S_IFREG, 0],
    ])
    expect(nobody.fstatSync(nobody.openSync('/f', 0o10000000)).size).toBe(1)
  })

  test('a directory stays what it is for who has it open, removed or not', () => {
    const fs = make({ 'd/': { mode: 0o700 } })
    const fd = fs.openSync('/d', fs.constants.O_DIRECTORY)
    fs.rmdirSync('/d')
    expect(fs.fstatSync(fd)).toMatchObject({ mode: 0o040700, nlink: 0 })
    fs.closeSync(fd)
  })

  test('several buffers are read and written at once', () => {
    const fs = make({ f: 'abcdef' })
    const fd = fs.openSync('/f', 'r+')
    const buffers = [Buffer.alloc(2), new Uint8Array(3), Buffer.alloc(9)]
    expect(fs.readvSync(fd, buffers, 1)).toBe(5)
    expect(buffers.map((buffer) => Buffer.from(buffer).toString('latin1', 0, 3))).toEqual(['bc', 'def', '\0\0\0'])
    expect(fs.writevSync(fd, [Buffer.from('12'), Buffer.from('3')])).toBe(3)
    expect(fs.readFileSync('/f', 'utf8')).toBe('123def')
    fs.fsyncSync(fd)
    fs.fdatasyncSync(fd)
    fs.closeSync(fd)
  })
})

test('statfs tells the room of the upper, and none of a tree without one', async () => {
  const fs = make()
  expect(fs.statfsSync('/')).toMatchObject({ type: 0x794c7630, bsize: expect.any(Number) })
  expect((await fs.promises.statfs('/', { bigint: true })).bavail).toBeTypeOf('bigint')
  expect(fsOf(union(plainTree({}))).statfsSync('/')).toMatchObject({ blocks: 0, bfree: 0 })
  expect(caught(() => fs.statfsSync('/none'))).toMatchObject({ code: 'ENOENT', syscall: 'statfs', path: '/none' })
})

test('access times are kept apart from modify times', () => {
  const fs = make({ f: 'x' })
  fs.utimesSync('/f', 1n, 2n)
  expect(fs.statSync('/f', { bigint: true })).toMatchObject({ atimeNs: 1n, mtimeNs: 2n })
  expect(fs.statSync('/f').ctimeMs).toBeGreaterThan(1e12)
  fs.readFileSync('/f')
  expect(fs.statSync('/f', { bigint: true }).atimeNs).toBe(1n)
})

describe('watching', () => {
  /** Once everything that was caused has been told. */
  const told = () => new Promise((resolve) => setImmediate(resolve))

  test('a directory tells of its names, and of what happens to what they name', async () => {
    const fs = make({ 'd/f': 'x', 'd/g': 'y', 'e/': {} })
    const events: unknown[] = []
    const watcher = fs.watch('/d', (event, name) => events.push([event, name]))
    fs.writeFileSync('/d/new', 'text')
    await told()
    expect(events.splice(0)).toEqual([
      ['rename', 'new'],
      ['change', 'new'],
    ])
    fs.chmodSync('/d/f', 0o600)
    fs.unlinkSync('/d/f')
    fs.renameSync('/d/g', '/e/h')
    fs.writeFileSync('/e/unseen', '')
    await told()
    expect(events.splice(0)).toEqual([
      ['change', 'f'],
      ['rename', 'f'],
      ['rename', 'g'],
    ])
    const closed = once(watcher, 'close')
    watcher.close()
    await closed
    fs.writeFileSync('/d/later', '')
    await told()
    expect(events).toEqual([])
  })

  test('a file tells of itself, whichever face of the union changes it, and whoever acts through it', async () => {
    const merged = union(plainTree({ f: { content: 'x', mode: 0o666 } }), memoryUpper())
    const events: unknown[] = []
    fsOf(merged).watch('/f', { encoding: 'buffer' }, (event, name) => events.push([event, name.toString()]))
    fsOf(asUser(merged, { uid: 1000, gid: 1000 })).appendFileSync('/f', 'y')
    await told()
    fsOf(merged).rmSync('/f')
    await told()
    expect(events).toEqual([
      ['change', 'f'],
      ['rename', 'f'],
    ])
  })

  test('a subtree tells of everything in it by the path from there', async () => {
    const fs = make({ 'd/e/f/g': 'x', 'o/g': 'x' })
    const events: unknown[] = []
    const controller = new AbortController()
    fs.watch('/d', { recursive: true, signal: controller.signal }, (event, name) => events.push([event, name]))
    fs.writeFileSync('/d/e/f/g', 'new')
    fs.writeFileSync('/o/g', 'new')
    fs.rmSync('/d/e', { recursive: true })
    await told()
    expect(events).toEqual([
      ['change', 'e/f/g'],
      ['rename', 'e/f/g'],
      ['rename', 'e/f'],
      ['rename', 'e'],
    ])
    controller.abort()
    await told()
  })

  test('promises.watch answers with one event after the other until it is aborted', async () => {
    const fs = make({ 'd/': {} })
    const controller = new AbortController()
    const events: unknown[] = []
    const watching = (async () => {
      for await (const event of fs.promises.watch('/d', { signal: controller.signal })) {
        events.push(event)
        if (events.length === 2) controller.abort()
      }
    })()
    await told()
    fs.mkdirSync('/d/a')
    fs.rmdirSync('/d/a')
    fs.mkdirSync('/d/b')
    expect(await rejected(watching)).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' })
    expect(events[0]).toEqual({ eventType: 'rename', filename: 'a' })
  })

  test('what is not there cannot be watched', () => {
    expect(caught(() => make().watch('/none'))).toMatchObject({ code: 'ENOENT', syscall: 'watch', filename: '/none' })
  })

  test('watchFile tells what a file is and was, and zeros where there is none', async () => {
    const fs = make({ f: 'x' })
    const seen: [number, number][] = []
    const listener = (now: { size: unknown }, before: { size: unknown }) =>
      seen.push([Number(now.size), Number(before.size)])
    fs.watchFile('/f', { interval: 5, persistent: false }, listener)
    fs.watchFile('/none', { interval: 5 }, listener)
    await told()
    expect(seen.splice(0)).toEqual([[0, 0]])
    fs.writeFileSync('/f', 'longer')
    await vi.waitFor(() => expect(seen).toEqual([[6, 1]]))
    fs.unwatchFile('/f', listener)
    fs.unwatchFile('/none')
  })
})

describe('promises', () => {
  test('do what the synchronous calls do, and reject where those throw', async () => {
    const { promises: fs } = make({ a: 'text' })
    expect(await fs.readFile('/a', 'utf8')).toBe('text')
    expect(await fs.readFile('/a')).toEqual(Buffer.from('text'))
    await fs.writeFile('/b', Readable.from(['one ', Buffer.from('two')]))
    await fs.appendFile('/b', ' three')
    expect(await fs.readFile('/b', { encoding: 'utf8' })).toBe('one two three')
    await fs.rename('/b', '/c')
    expect(await fs.readdir('/')).toEqual(['a', 'c'])
    expect(await rejected(fs.stat('/b'))).toMatchObject({ code: 'ENOENT', syscall: 'stat', path: '/b' })
    expect(await rejected(fs.readFile('/a', { signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
    })
  })

  test('a file handle reads and writes at its position or a given one, and keeps a removed file', async () => {
    const fs = make({ a: '0123456789' })
    await using handle = await fs.promises.open('/a', 'r+')
    const into = Buffer.alloc(4)
    expect((await handle.read(into, 0, 4)).bytesRead).toBe(4)
    expect((await handle.read({ buffer: into, position: 8 })).bytesRead).toBe(2)
    await handle.write('AB')
    await handle.write(Buffer.from('xyz'), 1, 1, 0)
    await handle.truncate(8)
    expect(fs.readFileSync('/a', 'utf8')).toBe('y123AB67')
    await handle.chmod(0o600)
    fs.unlinkSync('/a')
    expect(await handle.stat()).toMatchObject({ nlink: 0, size: 8, mode: 0o100600 })
    expect(await handle.readFile('utf8')).toBe('67')
    await handle.close()
    await handle.close()
    expect(await rejected(handle.stat())).toMatchObject({ code: 'EBADF' })
  })

  test('a file handle is a web stream, once', async () => {
    const { promises: fs } = make({ a: Buffer.alloc(40_000, 'abc') })
    const handle = await fs.open('/a')
    const pieces: Uint8Array[] = []
    for await (const piece of handle.readableWebStream()) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe(`${'abc'.repeat(13_333)}a`)
    expect(codeOf(caught(() => handle.readableWebStream()))).toBe('ERR_INVALID_STATE')
    await handle.close()
    const bytes = (await fs.open('/a')).readableWebStream({ type: 'bytes' })
    const { value } = await bytes.getReader({ mode: 'byob' }).read(new Uint8Array(5))
    expect(Buffer.from(value!).toString()).toBe('abcab')
  })

  test('a file handle appends, tells of closing, and is refused afterwards as Node refuses', async () => {
    const { promises: fs } = make({ a: 'one' })
    const handle = await fs.open('/a', 'a+')
    await handle.appendFile(' two')
    await handle.writeFile(Readable.from([' three']))
    await handle.datasync()
    await handle.sync()
    await handle.utimes(1, 2)
    expect((await handle.stat({ bigint: true })).atimeNs).toBe(1_000_000_000n)
    expect((await handle.readv([Buffer.alloc(3)], 0)).bytesRead).toBe(3)
    expect((await handle.writev([Buffer.from('!')])).bytesWritten).toBe(1)
    const closed = once(handle, 'close')
    await handle.close()
    await closed
    expect(await fs.readFile('/a', 'utf8')).toBe('one two three!')
    expect(await rejected(handle.read())).toMatchObject({ message: 'file closed', code: 'EBADF', syscall: 'read' })
  })

  test('a copy may ask a filter that takes its time', async () => {
    const fs = make({ 'a/x': '1', 'a/y': '2', 'a/d/z': '3', '\xff': 'raw', 'a/\xfe': 'raw' })
    await fs.promises.cp('/a', '/b', { recursive: true, filter: async (source) => !source.endsWith('x') })
    expect(fs.readdirSync('/b', { recursive: true, encoding: 'latin1' })).toEqual(['d', 'y', '\xfe', 'd/z'])
    expect(codeOf(caught(() => fs.cpSync('/a', '/c', { filter: async () => true } as never)))).toBe(
      'ERR_INVALID_RETURN_VALUE',
    )
  })

  test('a directory copied into one that is to be made in it is refused, where Node goes on for ever', () => {
    const fs = make({ 'd/f': 'x', m: { target: 'd' } })
    const into = () => fs.cpSync('/m/', '/d/new/newer', { recursive: true })
    expect(codeOf(caught(into))).toBe('ERR_FS_CP_EINVAL')
    expect(fs.readdirSync('/d')).toEqual(['f'])
  })

  test('openAsBlob holds the content as it was', async () => {
    const fs = make({ a: 'text' })
    const blob = await fs.openAsBlob('/a', { type: 'text/plain' })
    fs.writeFileSync('/a', 'other')
    expect([await blob.text(), blob.type]).toEqual(['text', 'text/plain'])
  })

  test('lines of a file can be read one by one', async () => {
    const { promises: fs } = make({ a: 'one\ntwo\r\nthree' })
    const lines = []
    for await (const line of (await fs.open('/a')).readLines()) lines.push(line)
    expect(lines).toEqual(['one', 'two', 'three'])
  })
})

describe('callbacks', () => {
  test('are called later, with the error first', async () => {
    const fs = make({ a: 'text' })
    const events: unknown[] = []
    await new Promise<void>((resolve) => {
      fs.readFile('/a', 'utf8', (error, text) => {
        events.push(error, text)
        fs.stat('/none', (missing) => {
          events.push(missing?.code)
          fs.mkdir('/d/e', { recursive: true }, (_, first) => {
            events.push(first)
            fs.exists('/d/e', (exists) => {
              events.push(exists)
              resolve()
            })
          })
        })
      })
      events.push('first')
    })
    expect(events).toEqual(['first', null, 'text', 'ENOENT', '/d', true])
  })

  test('can be promisified, and want a callback', async () => {
    const fs = make({ a: 'text' })
    expect(
      await promisify(fs.readdir as (path: string, done: (error: Error | null, names: string[]) => void) => void)('/'),
    ).toEqual(['a'])
    expect(codeOf(caught(() => (fs.readFile as unknown as (path: string) => void)('/a')))).toBe('ERR_INVALID_ARG_TYPE')
  })

  test('descriptors open, read, write and close', async () => {
    const fs = make({ a: 'text' })
    const text = await new Promise((resolve, reject) => {
      fs.open('/a', 'r', (error, fd) => {
        if (error) reject(error)
        const into = Buffer.alloc(4)
        fs.read(fd, into, 0, 4, 0, (_: unknown, count: number, buffer: Buffer) => {
          fs.close(fd, () => resolve(buffer.toString('utf8', 0, count)))
        })
      })
    })
    expect(text).toBe('text')
  })
})

describe('streams', () => {
  test('copy a file larger than their buffers', async () => {
    const content = Buffer.alloc(300_000, 'abcdefg')
    const fs = make({ a: content })
    const reader = fs.createReadStream('/a')
    const writer = fs.createWriteStream('/b')
    await pipeline(reader, writer)
    expect(fs.readFileSync('/b').equals(content)).toBe(true)
    expect([reader.bytesRead, writer.bytesWritten]).toEqual([300_000, 300_000])
  })

  test('start and end, both included, and an encoding', async () => {
    const fs = make({ a: '0123456789' })
    const pieces = []
    for await (const piece of fs.createReadStream('/a', { start: 2, end: 5, encoding: 'utf8' })) pieces.push(piece)
    expect(pieces.join('')).toBe('2345')
    const writer = fs.createWriteStream('/a', { start: 8, flags: 'r+' })
    writer.end('XYZ')
    await once(writer, 'close')
    expect(fs.readFileSync('/a', 'utf8')).toBe('01234567XYZ')
  })

  test('one that is refused for what it was given opens nothing, and cuts nothing off', async () => {
    const fs = make({ a: 'text' })
    for (const wrong of [{ start: -1 }, { start: 'x' }, { flush: 7 }, { fd: {} }])
      expect(codeOf(caught(() => fs.createWriteStream('/a', wrong as object)))).toMatch(/^ERR_/)
    expect(codeOf(caught(() => fs.createReadStream('/a', { start: 3, end: 2 })))).toBe('ERR_OUT_OF_RANGE')
    await new Promise((resolve) => setImmediate(resolve))
    expect(fs.readFileSync('/a', 'utf8')).toBe('text')
  })

  test('call back when they are closed', async () => {
    const fs = make({ a: 'text' })
    const reader = fs.createReadStream('/a')
    const early = new Promise((resolve) => reader.once('open', () => reader.close(resolve)))
    expect(await early).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
    const writer = fs.createWriteStream('/b', { autoClose: false })
    writer.write('text')
    expect(await new Promise((resolve) => writer.close(resolve))).toBeUndefined()
    expect(await new Promise((resolve) => writer.close(resolve))).toBeUndefined()
    expect(fs.readFileSync('/b', 'utf8')).toBe('text')
  })

  test('tell of opening, and of a file that is not there', async () => {
    const fs = make({ a: 'x' })
    const reader = fs.createReadStream('/a')
    expect(typeof (await once(reader, 'open'))[0]).toBe('number')
    reader.destroy()
    expect((await once(fs.createReadStream('/none'), 'error'))[0]).toMatchObject({ code: 'ENOENT' })
  })
})

describe('somebody', () => {
  const spec: PlainSpec = {
    '/': { mode: 0o755 },
    'mine/': { mode: 0o755, uid: 1000, gid: 1000 },
    'secret/': { mode: 0o700 },
    'secret/f': 'x',
    'theirs/f': { content: 'x', mode: 0o644 },
  }
  const face = () => {
    const merged = union(plainTree(spec), memoryUpper())
    return { merged, fs: fsOf(asUser(merged, { uid: 1000, gid: 1000, groups: [7], umask: 0o027 })) }
  }

  test('makes what is theirs, and is kept from what is not, before anything is copied up', () => {
    const { merged, fs } = face()
    fs.writeFileSync('/mine/new', 'x')
    expect(fs.statSync('/mine/new')).toMatchObject({ uid: 1000, gid: 1000, mode: 0o100640 })
    expect(caught(() => fs.writeFileSync('/theirs/f', 'y'))).toMatchObject({
      message: "EACCES: permission denied, open '/theirs/f'",
      errno: -13,
    })
    expect(codeOf(caught(() => fs.readFileSync('/secret/f')))).toBe('EACCES')
    expect(caught(() => fs.opendirSync('/secret'))).toMatchObject({
      code: 'EACCES',
      syscall: 'opendir',
      path: '/secret',
    })
    expect(caught(() => fs.readdirSync('/secret'))).toMatchObject({
      code: 'EACCES',
      syscall: 'scandir',
      path: '/secret',
    })
    expect(codeOf(caught(() => fs.chmodSync('/theirs/f', 0o666)))).toBe('EPERM')
    expect(codeOf(caught(() => fs.accessSync('/theirs/f', fs.constants.W_OK)))).toBe('EACCES')
    expect(fs.existsSync('/secret/f')).toBe(false)
    expect(merged.untouched(merged.lookup(merged.root, 'theirs')!)).toBeDefined()
  })

  test('writes into a file that they may not open again', () => {
    const { fs } = face()
    const fd = fs.openSync('/mine/once', 'wx', 0o400)
    fs.writeSync(fd, 'text')
    fs.closeSync(fd)
    expect(codeOf(caught(() => fs.openSync('/mine/once', 'r+')))).toBe('EACCES')
    expect(fs.readFileSync('/mine/once', 'utf8')).toBe('text')
  })

  test('sees a tree without an upper as they may', () => {
    const fs = fsOf(asUser(plainTree(spec), { uid: 1000, gid: 1000 }))
    expect(codeOf(caught(() => fs.readdirSync('/secret')))).toBe('EACCES')
    expect(codeOf(caught(() => fs.accessSync('/theirs/f', fs.constants.W_OK)))).toBe('EROFS')
    expect(fs.readFileSync('/theirs/f', 'utf8')).toBe('x')
  })
})

const testOnNode20 = testIf(process.versions.node.startsWith('20.'), 'later versions have more')

testOnNode20('the face has what node:fs has on Linux, but for what is on its way out', () => {
  const gone = new Set(['lchmod', 'lchmodSync', 'FileReadStream', 'FileWriteStream', '_toUnixTimestamp'])
  const fs = make()
  const missing = (theirs: object, ours: object) =>
    Object.keys(theirs).filter((name) => !(name in ours) && !gone.has(name) && !/^glob/.test(name))
  expect(missing(nodeFs, fs)).toEqual([])
  expect(missing(nodeFs.promises, fs.promises)).toEqual([])
  expect(missing(nodeFs.constants, fs.constants).filter((name) => !name.startsWith('EXTENSIONLESS'))).toEqual([])
})

test('file: URLs lead into the union', () => {
  expect(make({ a: 'x' }).readFileSync(pathToFileURL('/a'), 'utf8')).toBe('x')
})
