import nodeFs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { asUser } from '../../src/union/permissions.ts'
import { union } from '../../src/union/union-tree.ts'
import { testIf } from '../support/ability.ts'
import { type AnyFs, sideOf, snapshot } from './operations.ts'

/** Each call in its three forms, on the same small tree, once with Node and once with a union: all that can be told must be the same. */

type Form = 'Sync' | 'promise' | 'callback'
type Arguments = readonly unknown[]

/** A path in the tree, to be prefixed with where its root is. */
class At {
  readonly path: string
  constructor(path: string) {
    this.path = path
  }
}
const at = (path: string) => new At(path)

const base = nodeFs.mkdtempSync(join(nodeFs.realpathSync(tmpdir()), 'plyfs-'))
afterAll(() => nodeFs.rmSync(base, { recursive: true, force: true }))
let made = 0

beforeAll(() => process.removeAllListeners('warning'))

function build(fs: AnyFs, root: string): void {
  const on = fs as typeof nodeFs
  on.mkdirSync(`${root}/d/e`, { recursive: true })
  on.writeFileSync(`${root}/f`, 'content')
  on.writeFileSync(`${root}/d/g`, 'more content', { mode: 0o755 })
  on.linkSync(`${root}/f`, `${root}/h`)
  on.symlinkSync('f', `${root}/l`)
  on.symlinkSync('d', `${root}/m`)
  on.symlinkSync('loop', `${root}/loop`)
  on.symlinkSync('nowhere', `${root}/dangling`)
}

interface Outcome {
  readonly how: 'answered' | 'thrown' | 'told'
  readonly what: unknown
}

async function outcome(fs: AnyFs, root: string, verb: string, given: Arguments, form: Form): Promise<Outcome> {
  const args = given.map((value) => (value instanceof At ? root + value.path : value))
  const inside = (value: unknown): unknown => shown(value, root)
  if (form === 'Sync') {
    try {
      const answer = member(fs, `${verb}Sync`)(...args)
      return { how: 'answered', what: verb === 'open' ? closed(fs, answer) : inside(answer) }
    } catch (error) {
      return { how: 'thrown', what: inside(error) }
    }
  }
  if (form === 'promise') {
    try {
      return { how: 'answered', what: inside(await settled(await member(fs.promises, verb)(...args))) }
    } catch (error) {
      return { how: 'told', what: inside(error) }
    }
  }
  return new Promise((resolve) => {
    try {
      member(fs, verb)(...args, (error: unknown, value: unknown) =>
        resolve(
          error
            ? { how: 'told', what: inside(error) }
            : { how: 'answered', what: verb === 'open' ? closed(fs, value) : inside(value) },
        ),
      )
    } catch (error) {
      resolve({ how: 'thrown', what: inside(error) })
    }
  })
}

function member(fs: object, name: string): (...args: unknown[]) => unknown {
  return (fs as Record<string, (...args: unknown[]) => unknown>)[name]!.bind(fs)
}

function closed(fs: AnyFs, fd: unknown): string {
  ;(fs as typeof nodeFs).closeSync(fd as number)
  return 'descriptor'
}

/** A handle is no answer that can be compared: it is closed, and counts as one. */
async function settled(value: unknown): Promise<unknown> {
  if (value === null || typeof value !== 'object' || !('close' in value)) return value
  await (value as { close(): Promise<void> }).close()
  return 'handle'
}

/** What can be compared of an answer or an error. */
function shown(value: unknown, root: string): unknown {
  // What is made for the time being has a name by chance.
  const inside = (text: unknown) =>
    typeof text === 'string' ? text.replaceAll(root, '').replace(/x\/\w{6}(?='?$)/, 'x/XXXXXX') : text
  if (value instanceof Error) {
    const { code, errno, syscall, path, dest, message, info } = value as NodeJS.ErrnoException & {
      dest?: string
      info?: object
    }
    const kind = value instanceof TypeError ? 'TypeError' : value instanceof RangeError ? 'RangeError' : 'Error'
    const told = { kind, code, errno, syscall, path: inside(path), dest: inside(dest), message: inside(message) }
    return info ? { ...told, info: JSON.parse(JSON.stringify(info).replaceAll(root, '')) } : told
  }
  if (Array.isArray(value)) return value.map((entry) => shown(entry, root)).sort(byText)
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  if (typeof value !== 'object' || value === null) return inside(value)
  if ('readSync' in value && 'closeSync' in value) {
    try {
      ;(value as { closeSync(): void }).closeSync()
    } catch {}
    return 'handle'
  }
  if ('bavail' in value) return Object.keys(value).sort()
  if ('isFile' in value && 'mode' in value) {
    const { mode, nlink, size } = value as nodeFs.Stats
    const isDirectory = (value as nodeFs.Stats).isDirectory()
    return isDirectory ? { mode } : { mode, nlink, size }
  }
  if ('parentPath' in value) {
    const { name, parentPath } = value as nodeFs.Dirent
    return [shown(name, root), inside(parentPath), (value as nodeFs.Dirent).isDirectory()]
  }
  return value
}

const byText = (a: unknown, b: unknown) => (inspect(a) < inspect(b) ? -1 : 1)

const paths = [
  '/f',
  '/d',
  '/d/g',
  '/d/e',
  '/none',
  '/none/x',
  '/f/x',
  '/l',
  '/m',
  '/m/g',
  '/loop',
  '/loop/x',
  '/dangling',
  '/dangling/x',
  '/d/',
  '/f/',
  '/l/',
  '/m/',
  '/none/',
  '/d/.',
  '/d/..',
  '/d/e/..',
  `/${'n'.repeat(300)}`,
].map(at)
/** What is no path, and what is none in any case. */
const noPaths = [
  undefined,
  null,
  7,
  true,
  10n,
  {},
  [],
  () => {},
  Symbol.for('x'),
  new Date(0),
  at('/a\0b'),
  Buffer.from('\0'),
]
const wrongModes = ['99', 'x', -1, 1.5, 2 ** 33, {}, true, Number.NaN]
const wrongNumbers = [-2, 1.5, 2 ** 53, 2 ** 40, '1', {}, null, Number.NaN, Number.POSITIVE_INFINITY]

const calls: (readonly [verb: string, ...given: Arguments])[] = []
const add = (verb: string, ...given: Arguments) => calls.push([verb, ...given])

for (const verb of [
  'stat',
  'lstat',
  'readlink',
  'realpath',
  'readdir',
  'unlink',
  'rmdir',
  'mkdir',
  'access',
  'readFile',
  'truncate',
  'opendir',
  'rm',
  'statfs',
  'open',
]) {
  for (const path of paths) {
    // Node empties a directory before it finds that its name cannot be removed; a union refuses first.
    if (verb === 'rm' && path.path.endsWith('.')) continue
    add(verb, path)
  }
  for (const path of noPaths) add(verb, path)
}
for (const path of paths) {
  for (const mode of [1, 2, 4, 7]) add('access', path, mode)
  for (const verb of ['writeFile', 'appendFile']) add(verb, path, 'text')
  add('writeFile', path, 'text', { flag: 'wx' })
  add('writeFile', path, 'text', { flag: 'r+', mode: 0o600 })
  add('mkdir', path, { recursive: true })
  add('chmod', path, 0o750)
  add('chmod', path, '700')
  add('chown', path, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
  add('lchown', path, -1, -1)
  add('utimes', path, 1, 2)
  add('lutimes', path, new Date(1000), '3')
  add('truncate', path, 3)
  add('readFile', path, 'utf8')
  add('readFile', path, { encoding: 'hex', flag: 'a+' })
  add('readdir', path, { withFileTypes: true })
  add('readdir', path, 'buffer')
  add('mkdtemp', at(`${path.path}x/`))
  add('stat', path, { bigint: false, throwIfNoEntry: false })
  if (!path.path.endsWith('.'))
    for (const options of [{ recursive: true }, { force: true }, { recursive: true, force: true }])
      add('rm', path, options)
  for (const flags of ['r+', 'w', 'wx', 'a', 'ax+', 'as', 'zz', '']) add('open', path, flags)
  const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_EXCL, O_RDWR, O_WRONLY, O_TRUNC, O_SYNC, O_DIRECT } = nodeFs.constants
  for (const flags of [
    O_DIRECTORY,
    O_CREAT | O_DIRECTORY,
    O_NOFOLLOW,
    O_NOFOLLOW | O_DIRECTORY,
    O_CREAT | O_NOFOLLOW,
    O_EXCL,
    O_CREAT | O_EXCL | O_RDWR,
    O_TRUNC,
    O_WRONLY | O_SYNC,
    O_DIRECTORY | O_RDWR,
    0o20000000 | O_DIRECTORY,
    0o20000000 | O_DIRECTORY | O_RDWR,
    0o20000000 | O_RDWR,
    // O_PATH
    0o10000000,
    0o10000000 | O_NOFOLLOW,
    0o10000000 | O_DIRECTORY,
    0o10000000 | O_CREAT | O_EXCL | O_RDWR | O_TRUNC,
  ])
    add('open', path, flags)
  void O_DIRECT
}
for (const from of paths) {
  for (const to of paths) {
    for (const verb of ['rename', 'link', 'symlink', 'copyFile']) {
      // Node removes what stood in the place of a copy of a directory before it fails: nothing to be held to.
      if (verb === 'copyFile' && ['/d', '/m'].some((path) => from.path.startsWith(path)) && !from.path.endsWith('g'))
        continue
      add(verb, verb === 'symlink' ? from.path : from, to)
    }
  }
  for (const to of ['/f', '/d', '/none', '/none/x', '/d/e/new', '/l', '/m', '/dangling', '/d/new/newer'].map(at)) {
    // `cp` looks at texts of paths; one with dots at its end is another text for each root.
    if (from.path.endsWith('.')) continue
    for (const options of [
      undefined,
      { recursive: true },
      { recursive: true, dereference: true },
      { recursive: true, force: false },
      { recursive: true, force: false, errorOnExist: true },
      { recursive: true, verbatimSymlinks: true },
      { mode: 1 },
    ])
      add('cp', from, to, ...(options ? [options] : []))
  }
  add('copyFile', from, at('/d/copy'), 1)
  add('copyFile', from, at('/f'), 1)
}
for (const wrong of noPaths) {
  for (const verb of ['rename', 'link', 'symlink', 'copyFile', 'cp']) {
    add(verb, wrong, at('/new'))
    add(verb, at('/f'), wrong)
  }
  add('mkdtemp', wrong)
  for (const verb of ['writeFile', 'appendFile', 'chmod', 'chown', 'utimes', 'lutimes', 'lchown']) {
    if (typeof wrong !== 'number' || !verb.endsWith('File')) add(verb, wrong, 0, 0)
  }
}
for (const mode of wrongModes) {
  add('chmod', at('/f'), mode)
  add('mkdir', at('/new'), { mode })
  add('open', at('/f'), 'r', mode)
  add('open', at('/f'), mode)
}
for (const number of wrongNumbers) {
  add('chown', at('/f'), number, 0)
  add('lchown', at('/f'), 0, number)
  add('utimes', at('/f'), number === -2 ? 0 : number, 1)
  add('utimes', at('/f'), 1, number === -2 ? 0 : number)
  add('access', at('/f'), number)
  add('copyFile', at('/f'), at('/new'), number)
  if (number !== 2 ** 53 && number !== 2 ** 40) add('truncate', at('/f'), number)
  add('readdir', at('/d'), number)
  add('readdir', at('/d'), { recursive: number })
  add('mkdir', at('/new'), { recursive: number })
  add('rm', at('/f'), number)
  add('rm', at('/f'), { recursive: number })
  add('rm', at('/f'), { retryDelay: number })
  add('rm', at('/f'), { maxRetries: number })
  add('cp', at('/f'), at('/new'), number)
  add('cp', at('/f'), at('/new'), { recursive: number })
  add('cp', at('/f'), at('/new'), { filter: number })
  add('writeFile', at('/f'), number)
  add('writeFile', at('/f'), 'x', number)
  add('writeFile', at('/f'), 'x', { flush: number })
  add('readFile', at('/f'), number)
  add('readFile', at('/f'), { encoding: number })
  add('readFile', at('/f'), { flag: number })
  add('opendir', at('/d'), { bufferSize: number })
}
for (const verb of ['readFile', 'readdir', 'readlink', 'realpath', 'mkdtemp', 'opendir']) {
  add(verb, at('/l'), 'no-encoding')
  add(verb, at('/l'), { encoding: 'no-encoding' })
}
add('symlink', 'f', at('/new'), 'dir')
add('symlink', 'f', at('/new'), 'what')
add('cp', at('/d'), at('/new'), { recursive: true, dereference: true, verbatimSymlinks: true })
add('readFile', at('/f'), { signal: {} })

/**
 * Where Node 20 has words of its own for what other versions of it say as everywhere: of both sides only the class and the code are
 * compared.
 */
function inBrief(verb: string, given: Arguments, { how, what }: Outcome): unknown {
  if (how === 'answered') return { how, what }
  const { kind, code, syscall } = what as Record<string, unknown>
  if (verb === 'opendir' && typeof code === 'string' && !code.startsWith('ERR_')) return { how, kind, code, syscall }
  // The synchronous form has another number for it.
  if (verb === 'cp' && code === 'ERR_FS_EISDIR') {
    const { errno: _, info: __, ...rest } = what as Record<string, unknown>
    return { how, what: rest }
  }
  const isMode = (verb === 'access' && given.length > 1) || (verb === 'copyFile' && given.length > 2)
  return isMode && String(code).startsWith('ERR_') ? { how, kind, code } : { how, what }
}

/** What lies outside of what the face means to be. */
const known: readonly ((verb: string, given: Arguments, form: Form) => boolean)[] = [
  // Numbers are descriptors to these, and what is open in this process is not for them.
  (verb, given) => typeof given[0] === 'number' && ['readFile', 'truncate', 'writeFile', 'appendFile'].includes(verb),
  // Which of two wrong paths is told of first where the name of one is too long.
  (verb, given) => verb === 'rename' && given.some((path) => path instanceof At && path.path.length > 255),
  // In these forms Node looks where it makes directories from the other end,
  (verb, given, form) => verb === 'mkdir' && form !== 'Sync' && (given[0] as At | undefined)?.path === '/dangling/x',
  // has another name for the argument,
  (verb, given, form) => verb === 'readFile' && form !== 'Sync' && given.length > 1 && 'flag' in Object(given[1]),
  // throws what nobody can catch,
  (verb, given, form) => verb === 'opendir' && form !== 'Sync' && given.length > 1,
  // does not look at what an option is,
  (verb, given, form) =>
    verb === 'readdir' && form === 'promise' && given.length > 1 && 'recursive' in Object(given[1]),
  // and removes by other system calls.
  (verb, given, form) => verb === 'rm' && form !== 'Sync' && given.length > 1 && given[0] instanceof At,
  // asks for what a symlink that it copies leads to,
  (verb, given, form) =>
    verb === 'cp' &&
    form !== 'Sync' &&
    given.some((path) => path instanceof At && ['/dangling', '/loop'].includes(path.path)),
  // A copy of a directory into one that is to be made in itself: Node goes on until names are too long.
  (verb, given) =>
    verb === 'cp' &&
    given[1] instanceof At &&
    given[1].path.startsWith('/d/new') &&
    given[0] instanceof At &&
    /^\/m/.test(given[0].path),
  // All flags at once.
  (verb, given) => verb === 'open' && given[1] === -1,
  (verb, given) => verb === 'readFile' && (given[1] as { flag?: number } | undefined)?.flag === -2,
  // What is no path is made a text of, and looked for in the working directory.
  (verb, given, form) => verb === 'realpath' && form !== 'promise' && !(given[0] instanceof At),
  // The check for a descriptor stumbles over what has no number.
  (verb, given) => verb.endsWith('File') && ['bigint', 'symbol'].includes(typeof given[0]),
  // The parent of the tree under test is another one for each side.
  (verb, given) => verb === 'realpath' && given[0] instanceof At && given[0].path.endsWith('/..'),
  // A mode that is no whole number is cut to one on its way into C++.
  (verb, given) => (verb === 'access' || verb === 'copyFile') && given.at(-1) === 1.5,
]

const isRoot = process.getuid?.() === 0

const flat = { depth: 9, breakLength: Number.POSITIVE_INFINITY } as const

/** What is different, if anything is. */
async function compared(verb: string, given: Arguments, form: Form): Promise<string | undefined> {
  const root = join(base, `${made++}`)
  nodeFs.mkdirSync(root)
  build(nodeFs, root)
  const merged = union([], memoryUpper())
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, umask: process.umask() }
  merged.setAttributes(merged.root, { mode: 0o755, uid: owner.uid, gid: owner.gid })
  const ours = fsOf(isRoot ? merged : asUser(merged, { ...owner, groups: process.getgroups?.() ?? [] }), owner)
  build(ours as AnyFs, '')
  const name = `${form} ${verb} ${given.map((value) => (value instanceof At ? value.path : inspect(value))).join(', ')}`
  const theirs = inBrief(verb, given, await outcome(nodeFs, root, verb, given, form))
  const answer = inBrief(verb, given, await outcome(ours as AnyFs, '', verb, given, form))
  try {
    if (!isDeepStrictEqual(answer, theirs))
      return `${name}: ${inspect(answer, flat)}, where Node: ${inspect(theirs, flat)}`
    const left = [snapshot(sideOf(ours as AnyFs, '')), snapshot(sideOf(nodeFs, root))]
    return isDeepStrictEqual(left[0], left[1])
      ? undefined
      : `${name} leaves ${left.map((side) => inspect(side, flat)).join(', where Node leaves ')}`
  } finally {
    nodeFs.rmSync(root, { recursive: true, force: true })
  }
}

/** Calls are many, and what they meet is the same in all forms: one in so many is tried. */
const every = process.env.PLYFS_ALL
  ? { Sync: { pair: 1, other: 1 }, promise: { pair: 1, other: 1 }, callback: { pair: 1, other: 1 } }
  : { Sync: { pair: 5, other: 1 }, promise: { pair: 31, other: 4 }, callback: { pair: 37, other: 5 } }

/** Other versions have other words for some of it. */
const testOnNode20 = testIf(process.versions.node.startsWith('20.'), 'the words are those of Node 20')

describe.each(['Sync', 'promise', 'callback'] as const)('%s', (form) => {
  const verbs = [...new Set(calls.map(([verb]) => verb))]
  for (const verb of verbs)
    testOnNode20(`${verb} answers, refuses and leaves what Node does`, async () => {
      const wrong: string[] = []
      for (const [index, [name, ...given]] of calls.entries()) {
        if (name !== verb) continue
        const one = given.length > 1 && given[1] instanceof At ? every[form].pair : every[form].other
        if (index % one !== 0) continue
        if (known.some((isKnown) => isKnown(verb, given, form))) continue
        const difference = await compared(verb, given, form)
        if (difference !== undefined) wrong.push(difference)
      }
      expect(wrong.length, `\n${wrong.slice(0, 40).join('\n')}\n`).toBe(0)
    })
})
