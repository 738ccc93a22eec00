import nodeFs from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { asUser } from '../../src/union/permissions.ts'
import { union } from '../../src/union/union-tree.ts'

/** Forms of calls that few programs use, once with Node and once with a union: what they answer must be the same. */

type Fs = typeof nodeFs

const base = nodeFs.mkdtempSync(join(nodeFs.realpathSync(tmpdir()), 'plyfs-'))
afterAll(() => nodeFs.rmSync(base, { recursive: true, force: true }))
let made = 0

function fill(fs: Fs, root: string): void {
  fs.mkdirSync(`${root}/d/e`, { recursive: true })
  fs.writeFileSync(`${root}/f`, 'content')
  fs.writeFileSync(`${root}/d/g`, 'more')
  fs.utimesSync(`${root}/f`, 1000.5, 2000.25)
  fs.symlinkSync('d', `${root}/to-d`)
  fs.symlinkSync('d/e', `${root}/to-e`)
  fs.symlinkSync('nowhere', `${root}/dangling`)
}

/** A call with a callback: what that is given. */
const told = (call: (done: (...answer: unknown[]) => void) => unknown): Promise<unknown[]> =>
  new Promise((resolve) => call((...answer) => resolve(answer)))

const calls: readonly (readonly [string, (fs: Fs, root: string) => unknown])[] = [
  [
    'a directory is read and closed by callbacks',
    async (fs, root) => {
      const directory = fs.opendirSync(`${root}/d`)
      const names: unknown[] = []
      for (;;) {
        const [error, entry] = (await told((done) => directory.read(done))) as [unknown, nodeFs.Dirent | null]
        names.push(error, entry?.name, entry?.isDirectory())
        if (entry === null) break
      }
      const closing = await told((done) => directory.close(done))
      return [names.sort(), closing, await told((done) => directory.close(done))]
    },
  ],
  [
    'a directory that is closed reads no more',
    async (fs, root) => {
      const directory = fs.opendirSync(root)
      directory.closeSync()
      const closing = await directory.close().catch((error) => error)
      return [thrown(() => directory.readSync()), thrown(() => directory.closeSync()), closing]
    },
  ],
  [
    'a callback that is none is refused',
    (fs, root) => {
      const directory = fs.opendirSync(root)
      const answers = ['text', 1, null].map((none) => thrown(() => directory.read(none as never)))
      directory.closeSync()
      return [answers, thrown(() => fs.exists(root, 'text' as never))]
    },
  ],
  [
    'exists, with a callback and promised',
    async (fs, root) => [
      await told((done) => fs.exists(`${root}/f`, done)),
      await told((done) => fs.exists(`${root}/none`, done)),
      await promisify(fs.exists)(`${root}/f`),
    ],
  ],
  ['realpath of the system', (fs, root) => told((done) => fs.realpath.native(`${root}/to-e`, done))],
  ['realpath of what dangles', (fs, root) => told((done) => fs.realpath.native(`${root}/dangling`, done))],
  [
    'reads into a buffer of the options, and into one of its own',
    async (fs, root) => {
      const fd = fs.openSync(`${root}/f`, 'r')
      const [, count, buffer] = await told((done) => fs.read(fd, { buffer: Buffer.alloc(4), position: 1 }, done))
      const [, all, own] = await told((done) => fs.read(fd, done))
      fs.closeSync(fd)
      return [count, String(buffer), all, (own as Buffer).length, (own as Buffer).subarray(0, 8).toString()]
    },
  ],
  [
    'reads and writes promised, with what was counted',
    async (fs, root) => {
      const fd = fs.openSync(`${root}/f`, 'r+')
      const buffers = [Buffer.alloc(2), Buffer.alloc(3)]
      const written = await promisify(fs.writev)(fd, [Buffer.from('ab'), Buffer.from('cd')], 1)
      const read = await promisify(fs.readv)(fd, buffers, 0)
      const one = await promisify(fs.write)(fd, Buffer.from('z'), 0, 1, 0)
      const last = await promisify(fs.read)(fd, Buffer.alloc(3), 0, 3, 0)
      fs.closeSync(fd)
      return [written.bytesWritten, read.bytesRead, buffers.map(String), one.bytesWritten, String(last.buffer)]
    },
  ],
  [
    'reads and writes of a descriptor that is closed are told',
    async (fs, root) => {
      const fd = fs.openSync(`${root}/f`, 'r')
      fs.closeSync(fd)
      const some = [Buffer.alloc(2)]
      const errors = [
        await told((done) => fs.readv(fd, some, 0, done)),
        await told((done) => fs.writev(fd, some, 0, done)),
        await told((done) => fs.read(fd, some[0]!, 0, 1, 0, done)),
      ]
      return errors.map(([error]) => error)
    },
  ],
  [
    'copies keep times where that is asked',
    (fs, root) => {
      fs.cpSync(`${root}/f`, `${root}/copy`, { preserveTimestamps: true })
      // Reading it may have changed when it was read last.
      return fs.statSync(`${root}/copy`).mtimeMs
    },
  ],
  [
    'copies over what is there, or not',
    (fs, root) => {
      fs.cpSync(`${root}/d/g`, `${root}/f`, { force: false })
      const kept = fs.readFileSync(`${root}/f`, 'utf8')
      const refused = thrown(() => fs.cpSync(`${root}/d/g`, `${root}/f`, { force: false, errorOnExist: true }))
      fs.cpSync(`${root}/d/g`, `${root}/f`)
      return [kept, refused, fs.readFileSync(`${root}/f`, 'utf8')]
    },
  ],
  ['copies no directory unless told', (fs, root) => thrown(() => fs.cpSync(`${root}/d`, `${root}/x`))],
  [
    'copies a symlink over a symlink, but not over one that is around it',
    (fs, root) => {
      fs.symlinkSync('f', `${root}/to-f`)
      fs.cpSync(`${root}/to-e`, `${root}/to-f`, { verbatimSymlinks: true })
      return [
        fs.readlinkSync(`${root}/to-f`),
        thrown(() => fs.cpSync(`${root}/to-e`, `${root}/dangling`)),
        thrown(() => fs.cpSync(`${root}/to-d`, `${root}/to-e`)),
        thrown(() => fs.cpSync(`${root}/to-e`, `${root}/to-d`)),
      ]
    },
  ],
  [
    'options of a copy that exclude each other',
    (fs, root) =>
      thrown(() => fs.cpSync(`${root}/f`, `${root}/x`, { dereference: true, verbatimSymlinks: true } as never)),
  ],
  [
    'a filter that promises is none for a copy that does not wait',
    (fs, root) => thrown(() => fs.cpSync(`${root}/f`, `${root}/x`, { filter: (async () => true) as never })),
  ],
  [
    'a copy that waits asks its filter about each',
    async (fs, root) => {
      const asked: string[] = []
      const filter = async (source: string) => {
        asked.push(source.slice(root.length))
        return !source.endsWith('g')
      }
      const [error] = await told((done) => fs.cp(`${root}/d`, `${root}/x`, { recursive: true, filter }, done))
      return [error, asked.sort(), fs.readdirSync(`${root}/x`)]
    },
  ],
  [
    'types of symlinks that there are not',
    (fs, root) => thrown(() => fs.symlinkSync('f', `${root}/s`, 'folder' as never)),
  ],
  [
    'a stream of a file says whether it is open yet, and closes',
    async (fs, root) => {
      const reading = fs.createReadStream(`${root}/f`)
      const pending = reading.pending
      const opened = await new Promise((resolve) => reading.on('open', () => resolve(reading.pending)))
      const text = await new Promise((resolve) => reading.on('data', (chunk) => resolve(String(chunk))))
      await told((done) => reading.close(done))
      return [pending, opened, text, reading.destroyed]
    },
  ],
  [
    'a stream to where there is no directory fails',
    async (fs, root) => {
      const writing = fs.createWriteStream(`${root}/none/x`)
      return new Promise((resolve) => writing.on('error', resolve))
    },
  ],
  [
    'what watches the state of a file may be let go, and taken back',
    (fs, root) => {
      const watcher = fs.watchFile(`${root}/f`, { interval: 1e6 }, () => {})
      const itself = [watcher.unref() === watcher, watcher.ref() === watcher]
      fs.unwatchFile(`${root}/f`)
      return itself
    },
  ],
  [
    'a handle writes as a stream, and changes owners',
    async (fs, root) => {
      const handle = await fs.promises.open(`${root}/f`, 'r+')
      const { uid, gid } = await handle.stat()
      await handle.chown(uid, gid)
      const stream = handle.createWriteStream({ start: 2 })
      stream.end('XY')
      await told((done) => stream.on('close', done))
      return [fs.readFileSync(`${root}/f`, 'utf8'), handle.fd]
    },
  ],
]

/** What a call throws, or answers. */
function thrown(call: () => unknown): unknown {
  try {
    return { answered: call() }
  } catch (error) {
    return error
  }
}

/** Errors by what can be told of them, without where the root is. */
function shown(value: unknown, root: string): unknown {
  if (value instanceof Error) {
    const { code, name, message, path, dest, syscall } = value as NodeJS.ErrnoException & { readonly dest?: string }
    // What the system refuses is an error of its own kind here.
    return shown({ code, message, path, dest, ...(syscall === undefined ? { name } : { syscall }) }, root)
  }
  if (typeof value === 'string') return value.replaceAll(root, '')
  if (Array.isArray(value)) return value.map((one) => shown(one, root))
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value as object).map(([key, one]) => [key, shown(one, root)]))
  return value
}

test.each(calls)('%s, as in Node', async (_, call) => {
  const root = join(base, `${made++}`)
  nodeFs.mkdirSync(root)
  fill(nodeFs, root)
  const user = { uid: process.getuid!(), gid: process.getgid!(), groups: process.getgroups!() }
  const tree = union([], memoryUpper())
  const asRoot = fsOf(tree)
  asRoot.mkdirSync('/r')
  asRoot.chownSync('/r', user.uid, user.gid)
  const own = fsOf(asUser(tree, user), user) as unknown as Fs
  fill(own, '/r')
  const expected = shown(await call(nodeFs, root), root)
  expect(shown(await call(own, '/r'), '/r')).toEqual(expected)
})

test('sockets and pipes are not copied, and said to be what they are', async () => {
  const root = join(base, `${made++}`)
  nodeFs.mkdirSync(root)
  const server = createServer().listen(`${root}/socket`)
  await new Promise((resolve) => server.on('listening', resolve))
  const expected = shown(
    thrown(() => nodeFs.cpSync(`${root}/socket`, `${root}/x`)),
    root,
  )
  server.close()
  const tree = union([], memoryUpper())
  for (const kind of ['socket', 'fifo'] as const)
    tree.create(tree.root, kind, { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0n })
  const own = fsOf(tree) as unknown as Fs
  expect(
    shown(
      thrown(() => own.cpSync('/socket', '/x')),
      '',
    ),
  ).toEqual(expected)
  expect(thrown(() => own.cpSync('/fifo', '/x'))).toMatchObject({ code: 'ERR_FS_CP_FIFO_PIPE' })
})
