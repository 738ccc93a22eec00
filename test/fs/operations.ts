import type nodeFs from 'node:fs'
import fc from 'fast-check'
import type { UnionFs } from '../../src/fs/index.ts'

/** What both `node:fs` and a face of a union have. */
export type AnyFs = UnionFs | typeof nodeFs

/** A file system under test: where its root is for `fs`, and what it holds open. */
export interface Side {
  readonly fs: UnionFs
  /** Prefix of every path, without a trailing slash; taken out of answers. */
  readonly root: string
  readonly open: (number | undefined)[]
}

export function sideOf(fs: AnyFs, root: string): Side {
  return { fs: fs as UnionFs, root, open: [] }
}

export type Operation =
  | { readonly do: 'writeFile' | 'appendFile'; readonly path: string; readonly text: string }
  | { readonly do: 'mkdir'; readonly path: string; readonly recursive: boolean }
  | { readonly do: 'rm'; readonly path: string; readonly recursive: boolean; readonly force: boolean }
  | {
      readonly do: 'readFile' | 'unlink' | 'rmdir' | 'readdir' | 'stat' | 'lstat' | 'readlink' | 'realpath' | 'exists'
      readonly path: string
    }
  | { readonly do: 'rename' | 'link' | 'copyFile'; readonly path: string; readonly to: string }
  | { readonly do: 'symlink'; readonly target: string; readonly path: string }
  | { readonly do: 'truncate'; readonly path: string; readonly size: number }
  | { readonly do: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly do: 'chown' | 'lchown'; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly do: 'utimes' | 'lutimes'; readonly path: string; readonly time: number }
  | { readonly do: 'open'; readonly path: string; readonly flags: string; readonly slot: number }
  | { readonly do: 'openBits'; readonly path: string; readonly bits: number; readonly slot: number }
  | { readonly do: 'read' | 'fstat' | 'close' | 'readv' | 'fsync' | 'fdatasync'; readonly slot: number }
  | { readonly do: 'writev'; readonly slot: number; readonly texts: readonly string[]; readonly at: number | null }
  | { readonly do: 'fchmod'; readonly slot: number; readonly mode: number }
  | { readonly do: 'futimes'; readonly slot: number; readonly time: number }
  | { readonly do: 'access'; readonly path: string; readonly mode: number }
  | { readonly do: 'opendir' | 'readdirDeep' | 'mkdtemp'; readonly path: string }
  | { readonly do: 'cp'; readonly path: string; readonly to: string; readonly options: object }
  | { readonly do: 'write'; readonly slot: number; readonly text: string; readonly at: number | null }
  | { readonly do: 'ftruncate'; readonly slot: number; readonly size: number }

/** What an operation answers: its value, or all that Node tells of an error. */
export function answer(side: Side, operation: Operation): unknown {
  try {
    return { value: perform(side, operation) ?? null }
  } catch (error) {
    const { code, syscall, message, errno, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
    // Node removes a subtree by calls of its own, and which of them fails is chance.
    if (operation.do === 'rm') return { code }
    // Node 20 forgets the path.
    if (operation.do === 'opendir') return { code, syscall, errno }
    const inside = (text: string | undefined) => text?.replaceAll(side.root, '')
    return { code, syscall, errno, message: inside(message), path: inside(path), dest: inside(dest) }
  }
}

function perform(side: Side, operation: Operation): unknown {
  const { fs, root, open } = side
  const at = (path: string) => root + path
  const fd = 'slot' in operation ? open[operation.slot] : undefined
  switch (operation.do) {
    case 'writeFile':
      return fs.writeFileSync(at(operation.path), operation.text)
    case 'appendFile':
      return fs.appendFileSync(at(operation.path), operation.text)
    case 'mkdir':
      return fs.mkdirSync(at(operation.path), { recursive: operation.recursive })?.replace(root, '')
    case 'rm':
      // Node empties the directory before it finds that `.` cannot be removed; a union refuses first.
      if (operation.path.endsWith('.')) return undefined
      return fs.rmSync(at(operation.path), operation)
    case 'readFile':
      return fs.readFileSync(at(operation.path), 'utf8')
    case 'unlink':
      return fs.unlinkSync(at(operation.path))
    case 'rmdir':
      return fs.rmdirSync(at(operation.path))
    case 'readdir':
      return fs
        .readdirSync(at(operation.path), { withFileTypes: true })
        .map((entry) => [entry.name, entry.isDirectory(), entry.isSymbolicLink()])
    case 'stat':
      return facts(fs.statSync(at(operation.path)))
    case 'lstat':
      return facts(fs.lstatSync(at(operation.path)))
    case 'readlink':
      return fs.readlinkSync(at(operation.path))
    case 'realpath':
      return fs.realpathSync.native(at(operation.path)).replace(root, '')
    case 'exists':
      return fs.existsSync(at(operation.path))
    case 'rename':
      return fs.renameSync(at(operation.path), at(operation.to))
    case 'link':
      return fs.linkSync(at(operation.path), at(operation.to))
    case 'copyFile':
      // Node, asked to copy a directory over a file, deletes the file before it fails: nothing to be held to.
      if (fs.statSync(at(operation.path)).isDirectory()) return undefined
      return fs.copyFileSync(at(operation.path), at(operation.to))
    case 'symlink':
      return fs.symlinkSync(operation.target, at(operation.path))
    case 'truncate':
      return fs.truncateSync(at(operation.path), operation.size)
    case 'chmod':
      return fs.chmodSync(at(operation.path), operation.mode)
    case 'chown':
      return fs.chownSync(at(operation.path), operation.uid, operation.gid)
    case 'lchown':
      return fs.lchownSync(at(operation.path), operation.uid, operation.gid)
    case 'utimes':
      return fs.utimesSync(at(operation.path), 1, operation.time)
    case 'lutimes':
      return fs.lutimesSync(at(operation.path), 1, operation.time)
    case 'open':
      if (fd !== undefined) fs.closeSync(fd)
      open[operation.slot] = undefined
      open[operation.slot] = fs.openSync(at(operation.path), operation.flags)
      return undefined
    case 'openBits':
      if (fd !== undefined) fs.closeSync(fd)
      open[operation.slot] = undefined
      open[operation.slot] = fs.openSync(at(operation.path), operation.bits)
      return undefined
    case 'readv': {
      if (fd === undefined) return undefined
      const buffers = [Buffer.alloc(3), Buffer.alloc(5)]
      return [fs.readvSync(fd, buffers), Buffer.concat(buffers).toString('latin1')]
    }
    case 'writev':
      return fd === undefined
        ? undefined
        : fs.writevSync(
            fd,
            operation.texts.map((text) => Buffer.from(text)),
            operation.at,
          )
    case 'fsync':
      return fd === undefined ? undefined : fs.fsyncSync(fd)
    case 'fdatasync':
      return fd === undefined ? undefined : fs.fdatasyncSync(fd)
    case 'fchmod':
      return fd === undefined ? undefined : fs.fchmodSync(fd, operation.mode)
    case 'futimes':
      if (fd === undefined) return undefined
      fs.futimesSync(fd, operation.time + 1, operation.time)
      return [fs.fstatSync(fd).atimeMs, fs.fstatSync(fd).mtimeMs]
    case 'access':
      return fs.accessSync(at(operation.path), operation.mode)
    case 'opendir': {
      const directory = fs.opendirSync(at(operation.path))
      const names = []
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) names.push(entry.name)
      directory.closeSync()
      return names.sort()
    }
    case 'readdirDeep':
      return fs
        .readdirSync(at(operation.path), { recursive: true, withFileTypes: true })
        .map(({ parentPath, name }) => `${parentPath.replace(root, '')}/${name}`)
        .sort()
    case 'mkdtemp': {
      // The name is chance: what is made is looked at and goes again.
      const made = fs.mkdtempSync(`${at(operation.path)}-`)
      const told = facts(fs.statSync(made))
      fs.rmdirSync(made)
      return told
    }
    case 'cp':
      // A copy of a directory into one that is to be made in itself: Node goes on until names are too long.
      if (operation.to.startsWith(operation.path) || fs.statSync(at(operation.path)).isDirectory()) return undefined
      return fs.cpSync(at(operation.path), at(operation.to), operation.options)
    case 'close':
      open[operation.slot] = undefined
      return fd === undefined ? undefined : fs.closeSync(fd)
    case 'read': {
      if (fd === undefined) return undefined
      const into = Buffer.alloc(40)
      const count = fs.readSync(fd, into, 0, 40, 0)
      return into.toString('utf8', 0, count)
    }
    case 'fstat':
      return fd === undefined ? undefined : facts(fs.fstatSync(fd))
    case 'write':
      return fd === undefined ? undefined : fs.writeSync(fd, Buffer.from(operation.text), 0, null, operation.at)
    case 'ftruncate':
      return fd === undefined ? undefined : fs.ftruncateSync(fd, operation.size)
    default:
      return operation satisfies never
  }
}

/** What must be equal of two `Stats`. Link counts and sizes of directories are each disk's own affair. */
function facts(stats: {
  mode: number
  size: number
  nlink: number
  uid: number
  gid: number
  isDirectory(): boolean
}): unknown {
  const { mode, size, nlink, uid, gid } = stats
  return stats.isDirectory() ? { mode, uid, gid } : { mode, size, nlink, uid, gid }
}

export function closeAll(side: Side): void {
  for (const fd of side.open) if (fd !== undefined) side.fs.closeSync(fd)
  side.open.length = 0
}

/** Everything that can be seen under the root, by path: for comparing two sides. */
export function snapshot(side: Side): Record<string, unknown> {
  const { fs, root } = side
  const entries: Record<string, unknown> = {}
  const firstNames = new Map<number, string>()
  const visit = (path: string): void => {
    const stats = fs.lstatSync(root + path || '/')
    if (stats.isDirectory()) {
      entries[path] = facts(stats)
      for (const name of fs.readdirSync(root + path || '/')) visit(`${path}/${name}`)
      return
    }
    if (!firstNames.has(stats.ino)) firstNames.set(stats.ino, path)
    // An absolute link leads to the root of the side that it is on.
    const target = stats.isSymbolicLink() ? fs.readlinkSync(root + path).replace(root, '') : undefined
    const { size: _, ...linked } = facts(stats) as Record<string, unknown>
    entries[path] = [
      target === undefined ? facts(stats) : linked,
      firstNames.get(stats.ino),
      target ?? (stats.isFile() ? fs.readFileSync(root + path, 'latin1') : ''),
    ]
  }
  visit('')
  return entries
}

const component = fc.constantFrom('a', 'b', 'c', 'd')
const path = fc
  .tuple(
    fc.array(component, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', '', '', '', '', '', '', '/', '/.', '//', '/x'.repeat(3)),
  )
  .map(([names, end]) => `/${names.join('/')}${end}`)
const slot = fc.nat(2)
const text = fc.string({ maxLength: 12 })
const size = fc.constantFrom(0, 1, 5, 30)
/** O_RDWR with O_CREAT, O_NOFOLLOW, O_TRUNC, O_APPEND, O_DIRECTORY …, and O_TMPFILE, as Linux numbers them. */
const openBits = [0o102, 0o400102, 0o400000, 0o200000, 0o1002, 0o2102, 0o302, 0o20200002, 0o4010002]

const pathOperation = fc.record({
  do: fc.constantFrom(
    'readFile',
    'unlink',
    'unlink',
    'rmdir',
    'rmdir',
    'readdir',
    'stat',
    'lstat',
    'readlink',
    'realpath',
    'exists',
  ),
  path,
}) as fc.Arbitrary<Operation>

/**
 * Operations on few names, so that they meet. With `asRoot` owners change too, modes take access away (from anyone but
 * root), and files have set-id bits (which any other user's writes take off).
 */
export function operationsOn({ asRoot }: { readonly asRoot: boolean }): fc.Arbitrary<Operation> {
  const modes = asRoot ? [0o600, 0o755, 0o6755, 0o6744, 0o1777] : [0o700, 0o755, 0o777, 0o1777]
  const weighted: { readonly weight: number; readonly arbitrary: fc.Arbitrary<Operation> }[] = [
    { weight: 6, arbitrary: pathOperation },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('writeFile', 'appendFile'), path, text }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('mkdir'), path, recursive: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rm'), path, recursive: fc.boolean(), force: fc.boolean() }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('rename', 'rename', 'rename', 'link', 'link', 'copyFile'),
        path,
        to: path,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('symlink'),
        target: fc.constantFrom('a', 'b', 'a/b', './c', 'd/', 'nowhere'),
        path,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('truncate'), path, size }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('chmod'),
        path,
        mode: fc.constantFrom(...modes),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('access'), path, mode: fc.nat(7) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('opendir', 'readdirDeep', 'mkdtemp'), path }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('cp'),
        path,
        to: path,
        options: fc.record(
          { force: fc.boolean(), errorOnExist: fc.boolean(), dereference: fc.boolean(), mode: fc.constantFrom(0, 1) },
          { requiredKeys: [] },
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('openBits'), path, bits: fc.constantFrom(...openBits), slot }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('readv', 'fsync', 'fdatasync'), slot }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('writev'),
        slot,
        texts: fc.array(text, { maxLength: 3 }),
        at: fc.constantFrom(null, 3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fchmod'), slot, mode: fc.constantFrom(...modes) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('futimes'), slot, time: fc.nat(2_000_000_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('utimes', 'lutimes'), path, time: fc.nat(2_000_000_000) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('open'),
        path,
        flags: fc.constantFrom('r', 'r', 'r+', 'w', 'wx', 'a', 'w+', 'a+'),
        slot,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('read', 'fstat', 'close'), slot }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('write'), slot, text, at: fc.constantFrom(null, null, 0, 7) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('ftruncate'), slot, size }) },
  ] as never
  if (asRoot) {
    weighted.push({
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('chown', 'lchown'),
        path,
        uid: fc.constantFrom(-1, 0, 1000),
        gid: fc.constantFrom(-1, 0, 1001),
      }) as fc.Arbitrary<Operation>,
    })
  }
  return fc.oneof(...weighted)
}
