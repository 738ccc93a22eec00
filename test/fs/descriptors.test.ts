import { once } from 'node:events'
import nodeFs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { inspect } from 'node:util'
import { afterAll, describe, expect } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { testIf } from '../support/ability.ts'

/**
 * Calls on descriptors and on streams and watchers, right and wrong, once with Node and once with a union: what they answer, what
 * they leave in the file, and all that can be told of an error must be the same.
 */

type Fs = typeof nodeFs
/** How the file is open: a flag, as a directory, not any more, or never (the call brings something of its own). */
type How = 'r' | 'w' | 'a' | 'r+' | 'a+' | 'directory' | 'path' | 'closed' | 'none'

/** `O_PATH`, which Node has no name for. */
const pathOnly = 0o10000000
type Call = (fs: Fs, fd: number, path: string) => unknown

/** Streams that are not used. */
const destroyed: (Readable | Writable)[] = []

const calls: { readonly how: How; readonly name: string; readonly call: Call }[] = []
const add = (how: How, name: string, call: Call) => calls.push({ how, name, call })

// Symbols, and 2 ** 31 as a mode, end the process in Node 20; it words bigints and functions from C++ in its own way.
const wrong: readonly unknown[] = [undefined, null, -1, 1.5, 2 ** 31, Number.NaN, '1', {}, [], true]

for (const value of wrong) {
  const text = inspect(value)
  const any = value as never
  for (const verb of ['closeSync', 'fstatSync', 'fsyncSync', 'fdatasyncSync', 'ftruncateSync'] as const)
    add('none', `${verb}(${text})`, (fs) => (fs[verb] as (fd: unknown) => unknown)(value))
  add('none', `readSync(${text})`, (fs) => fs.readSync(any, Buffer.alloc(2)))
  add('none', `writeSync(${text})`, (fs) => fs.writeSync(any, 'x'))
  add('none', `readvSync(${text})`, (fs) => fs.readvSync(any, [Buffer.alloc(2)]))
  add('none', `writevSync(${text})`, (fs) => fs.writevSync(any, [Buffer.alloc(2)]))
  add('none', `fchmodSync(${text})`, (fs) => fs.fchmodSync(any, 0o600))
  add('none', `fchownSync(${text})`, (fs) => fs.fchownSync(any, 1, 1))
  add('none', `futimesSync(${text})`, (fs) => fs.futimesSync(any, 1, 1))
  if (value !== 2 ** 31) add('r+', `mode ${text}`, (fs, fd) => fs.fchmodSync(fd, any))
  if (value !== 2 ** 31) add('r+', `truncate to ${text}`, (fs, fd) => fs.ftruncateSync(fd, any))
  if (typeof value !== 'number') {
    add('r+', `owner ${text}`, (fs, fd) => fs.fchownSync(fd, any, -1))
    add('r+', `group ${text}`, (fs, fd) => fs.fchownSync(fd, -1, any))
  }
  if (value !== -1) {
    add('r+', `atime ${text}`, (fs, fd) => [fs.futimesSync(fd, any, 1), fs.fstatSync(fd).atimeMs])
    add('r+', `mtime ${text}`, (fs, fd) => [fs.futimesSync(fd, 1, any), fs.fstatSync(fd).mtimeMs])
  }
  add('r+', `into ${text}`, (fs, fd) => fs.readSync(fd, any))
  add('r+', `read with ${text}`, (fs, fd) => fs.readSync(fd, Buffer.alloc(4), any))
  add('r+', `write ${text}`, (fs, fd) => fs.writeSync(fd, any))
  add('r+', `readv ${text}`, (fs, fd) => fs.readvSync(fd, any))
  add('r+', `readv [${text}]`, (fs, fd) => fs.readvSync(fd, [any]))
  add('r+', `writev ${text}`, (fs, fd) => fs.writevSync(fd, any))
  add('r+', `writev [${text}]`, (fs, fd) => fs.writevSync(fd, [any]))
  add('r+', `readv at ${text}`, (fs, fd) => fs.readvSync(fd, [Buffer.alloc(2)], any))
  add('r+', `text in ${text}`, (fs, fd) => fs.writeSync(fd, 'abcd', 0, any))
  for (const key of ['offset', 'length', 'position'])
    add('r+', `read { ${key}: ${text} }`, (fs, fd) => fs.readSync(fd, Buffer.alloc(4), { [key]: value }))
  for (const place of [0, 1, 2]) {
    const given = [0, 2, 0].map((usual, index) => (index === place ? value : usual)) as [number, number, number]
    add('r+', `read at ${inspect(given)}`, (fs, fd) => {
      const buffer = Buffer.alloc(4)
      return [fs.readSync(fd, buffer, ...given), buffer.toString()]
    })
    if (value !== 2 ** 31)
      add('r+', `write at ${inspect(given)}`, (fs, fd) => fs.writeSync(fd, Buffer.from('abcd'), ...given))
  }
  if (value !== 2 ** 31) {
    add('r+', `text at ${text}`, (fs, fd) => fs.writeSync(fd, 'ab', any))
    add('r+', `writev at ${text}`, (fs, fd) => fs.writevSync(fd, [Buffer.from('ab')], any))
    for (const key of ['offset', 'length', 'position'])
      add('r+', `write { ${key}: ${text} }`, (fs, fd) =>
        (fs.writeSync as (...given: unknown[]) => number)(fd, Buffer.from('abcd'), { [key]: value }),
      )
  }
  for (const option of ['start', 'end', 'fd', 'encoding', 'signal', 'flush']) {
    // That there is none.
    if (
      value === undefined ||
      (value === null && option !== 'signal') ||
      (option === 'fd' && typeof value === 'number')
    )
      continue
    const options = { [option]: value } as never
    if (option !== 'flush') {
      add('none', `createReadStream { ${option}: ${text} }`, (fs, _, path) => {
        destroyed.push(fs.createReadStream(path, options).destroy())
      })
    }
    add('none', `createWriteStream { ${option}: ${text} }`, (fs, _, path) => {
      destroyed.push(fs.createWriteStream(path, { ...(options as object), flags: 'r+' }).destroy())
    })
  }
  add('none', `watchFile(${text})`, (fs, _, path) => {
    fs.watchFile(path, any)
    fs.unwatchFile(path)
  })
  add('none', `watch(${text})`, (fs) => (value === '1' ? undefined : fs.watch(any).close()))
  add('none', `watch { recursive: ${text} }`, (fs, _, path) => fs.watch(path, { recursive: any }).close())
}

for (const how of ['r', 'w', 'a', 'r+', 'a+', 'directory', 'path', 'closed'] as const) {
  add(how, 'read', (fs, fd) => fs.readSync(fd, Buffer.alloc(2)))
  add(how, 'read nothing', (fs, fd) => fs.readSync(fd, Buffer.alloc(2), 0, 0, null))
  add(how, 'read into nothing', (fs, fd) => fs.readSync(fd, Buffer.alloc(0)))
  add(how, 'read past the end', (fs, fd) => fs.readSync(fd, Buffer.alloc(2), 0, 2, 1000))
  add(how, 'read past the buffer', (fs, fd) => fs.readSync(fd, Buffer.alloc(2), 3, 1, null))
  add(how, 'read too far', (fs, fd) => fs.readSync(fd, Buffer.alloc(2), 0, 2, 2n ** 63n))
  add(how, 'write', (fs, fd) => fs.writeSync(fd, 'x'))
  add(how, 'write at 3', (fs, fd) => [fs.writeSync(fd, 'x', 3), fs.writeSync(fd, 'y')])
  add(how, 'write no text', (fs, fd) => fs.writeSync(fd, ''))
  add(how, 'write no bytes', (fs, fd) => fs.writeSync(fd, Buffer.alloc(0)))
  add(how, 'write past the buffer', (fs, fd) => fs.writeSync(fd, Buffer.alloc(2), 0, 3))
  add(how, 'write from past the buffer', (fs, fd) => fs.writeSync(fd, Buffer.alloc(2), 3))
  for (const buffers of [[], [Buffer.alloc(0)], [Buffer.alloc(1), Buffer.alloc(3)]]) {
    add(how, `readv ${inspect(buffers)}`, (fs, fd) => [fs.readvSync(fd, buffers), Buffer.concat(buffers).toString()])
    add(how, `writev ${inspect(buffers)}`, (fs, fd) => fs.writevSync(fd, buffers))
    add(how, `writev ${inspect(buffers)} at 2`, (fs, fd) => fs.writevSync(fd, buffers, 2))
  }
  add(how, 'ftruncate', (fs, fd) => fs.ftruncateSync(fd, 3))
  add(how, 'ftruncate below 0', (fs, fd) => fs.ftruncateSync(fd, -3))
  add(how, 'fsync', (fs, fd) => fs.fsyncSync(fd))
  add(how, 'fdatasync', (fs, fd) => fs.fdatasyncSync(fd))
  add(how, 'fchmod', (fs, fd) => [fs.fchmodSync(fd, 0o700), fs.fstatSync(fd).mode])
  add(how, 'fchown', (fs, fd) => fs.fchownSync(fd, -1, -1))
  add(how, 'futimes', (fs, fd) => fs.futimesSync(fd, 1, 1))
  add(how, 'close twice', (fs, fd) => [fs.closeSync(fd), fs.closeSync(fd)])
  add(how, 'readFile', (fs, fd) => fs.readFileSync(fd, 'utf8'))
  add(how, 'writeFile', (fs, fd) => fs.writeFileSync(fd, 'text'))
  add(how, 'appendFile', (fs, fd) => fs.appendFileSync(fd, 'text'))
}

const base = nodeFs.mkdtempSync(join(nodeFs.realpathSync(tmpdir()), 'plyfs-'))
afterAll(() => nodeFs.rmSync(base, { recursive: true, force: true }))

const ours = fsOf(union([], memoryUpper()), { umask: process.umask() }) as unknown as Fs
const sides = [
  { fs: nodeFs as Fs, root: base },
  { fs: ours, root: '' },
]

/** Everything that can be compared of what a call does. */
function outcome({ fs, root }: (typeof sides)[number], how: How, call: Call): unknown {
  const path = `${root}/file`
  fs.writeFileSync(path, '0123456789')
  fs.mkdirSync(`${root}/directory`, { recursive: true })
  const fd =
    how === 'none'
      ? -1
      : fs.openSync(
          how === 'directory' ? `${root}/directory` : path,
          how === 'path' ? pathOnly : /^[rwa]/.test(how) ? how : 'r',
        )
  if (how === 'closed') fs.closeSync(fd)
  let told: unknown
  try {
    told = call(fs, fd, path) ?? null
  } catch (error) {
    const { code, errno, syscall, message } = error as NodeJS.ErrnoException
    told = {
      type: error instanceof TypeError ? 'TypeError' : error instanceof RangeError ? 'RangeError' : 'Error',
      code,
      errno,
      syscall,
      message,
    }
  }
  if (fd !== -1 && how !== 'closed') {
    try {
      fs.closeSync(fd)
    } catch {
      // The call closed it.
    }
  }
  const { mode } = fs.statSync(path)
  // What was made of the mode may keep its owner from reading it.
  fs.chmodSync(path, 0o644)
  return { told, mode, left: fs.readFileSync(path, 'latin1') }
}

/** Other versions have other words for some of it. */
const testOnNode20 = testIf(process.versions.node.startsWith('20.'), 'the words are those of Node 20')

describe.each([...new Set(calls.map(({ how }) => how))])('open %s', (how) => {
  testOnNode20('every call answers, refuses and leaves what it does with Node', async () => {
    const differences: string[] = []
    for (const { name, call } of calls.filter((given) => given.how === how)) {
      const [nodes, own] = sides.map((side) => inspect(outcome(side, how, call), { depth: 5, breakLength: Infinity }))
      if (nodes !== own) differences.push(`${name}: ${own}, where Node: ${nodes}`)
      // They open their files and close them all the same, and until then a number that is free may be theirs.
      await Promise.all(destroyed.splice(0).map((stream) => stream.closed || once(stream, 'close')))
    }
    expect(differences.join('\n')).toBe('')
  })
})
