import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { copyOut } from '../../src/cli/copy-out.ts'
import { LostAttributes } from '../../src/cli/host-attributes.ts'
import * as library from '../../src/index.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const at = (name: string) => join(directory, name)
const isRoot = process.getuid?.() === 0
const run = (...argv: string[]) => ply([...argv, '--root', root])

/** Why this machine cannot hold `user.*` where the test runs; `undefined` if it can. */
function whyNoXattrs(): string | undefined {
  try {
    writeFileSync(at('probe'), '')
    library.setXattr(at('probe'), 'user.probe', Buffer.from('1'))
    return undefined
  } catch (error) {
    return String(error)
  }
}

beforeAll(async () => {
  mkdirSync(at('empty'))
  await run('import', at('empty'), 'base')
  await run('create', 'base', '--name', 'work')
})

test('cp keeps user attributes and capabilities both ways, and no mark of a union', async (context) => {
  const why = whyNoXattrs()
  if (why !== undefined) context.skip(why)
  mkdirSync(at('in/sub'), { recursive: true })
  writeFileSync(at('in/file'), 'content')
  library.setXattr(at('in/file'), 'user.note', Buffer.from('a\0b'))
  library.setXattr(at('in/sub'), 'user.note', Buffer.from('directory'))
  library.setXattr(at('in/sub'), 'user.overlay.opaque', Buffer.from('y'))
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  if (isRoot) {
    library.setXattr(at('in/file'), 'security.capability', capability)
    library.setXattr(at('in/file'), 'trusted.note', Buffer.from('x'))
  } else console.log('not root: capabilities are not tried')
  chmodSync(at('in/file'), 0o400)

  expect(await run('cp', at('in'), 'work:/in')).toMatchObject({ code: 0, err: '' })
  const stat = async (path: string) => JSON.parse((await run('stat', 'container:work', path, '--json')).out).xattrs
  const ours = isRoot ? { 'security.capability': capability.toString('base64') } : {}
  expect(await stat('/in/file')).toEqual({ 'user.note': Buffer.from('a\0b').toString('base64'), ...ours })
  expect(await stat('/in/sub')).toEqual({ 'user.note': Buffer.from('directory').toString('base64') })

  expect(await run('cp', 'work:/in', at('out'))).toMatchObject({ code: 0, err: '' })
  expect([...library.readXattrs(at('out/file')).keys()].sort()).toEqual([...Object.keys(ours), 'user.note'])
  expect(library.readXattrs(at('out/file')).get('user.note')).toEqual(Buffer.from('a\0b'))
  expect([...library.readXattrs(at('out/sub')).keys()]).toEqual(['user.note'])
  expect(statSync(at('out/file')).mode & 0o7777).toBe(0o400)
})

test('attributes that cannot be kept are told in one line and stop nothing', () => {
  const lost = new LostAttributes(library)
  expect(lost.summary).toBe(undefined)
  const xattrs = new Map([
    ['user.a', Buffer.from('1')],
    ['user.b', Buffer.from('2')],
    ['trusted.overlay.opaque', Buffer.from('y')],
  ])
  lost.give(xattrs, 'file', '/caf\xe9', () => {
    throw new library.PlyError('ENOSPC')
  })
  expect(lost.summary).toBe('extended attributes not kept: 2; the first: user.a of /caf\\xe9 (ENOSPC)')
})

test('cp out skips a socket, and what only root may make, with a line each; alone it is an error', async () => {
  mkdirSync(at('odd'))
  execFileSync('mkfifo', [at('odd/a-fifo')])
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(at('odd/a-socket'), resolve))
  expect((await run('cp', at('odd'), 'work:/odd')).code).toBe(0)
  await new Promise((resolve) => server.close(resolve))
  await ply(['cp', '-', 'work:/odd/z-last', '--root', root], { stdin: 'last' })
  const { code, err, out } = await run('cp', 'work:/odd', at('odd-out'), '--json')
  const fifo = isRoot ? [] : ['/odd/a-fifo']
  expect(err.trimEnd().split('\n')).toEqual([
    ...fifo.map((path) => `skipped ${path}: it is a fifo`),
    'skipped /odd/a-socket: it is a socket',
  ])
  expect(code).toBe(0)
  expect(JSON.parse(out).skipped).toEqual([...fifo, '/odd/a-socket'])
  expect(readdirSync(at('odd-out'))).toEqual([...(isRoot ? ['a-fifo'] : []), 'z-last'])
  if (isRoot) expect(statSync(at('odd-out/a-fifo')).isFIFO()).toBe(true)
  const alone = await run('cp', 'work:/odd/a-socket', at('nothing'))
  expect([alone.code, existsSync(at('nothing'))]).toEqual([5, false])
  expect(alone.err).toContain('it is a socket')
})

test('a copy that fails in the middle leaves directories with the mode they have in the tree', async () => {
  mkdirSync(at('tree/sub'), { recursive: true })
  chmodSync(at('tree/sub'), 0o755)
  writeFileSync(at('tree/sub/1'), 'one')
  writeFileSync(at('tree/sub/2'), 'two')
  const tree = await library.openTree(`rootfs:${at('tree')}`)
  const stopped = new AbortController()
  const operation = { signal: stopped.signal, onProgress: () => stopped.abort() }
  const options = { library, operation, lost: new LostAttributes(library), onSkipped: () => {} }
  await expect(copyOut(tree, tree.root, at('half'), options)).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  tree.close()
  expect(readdirSync(at('half/sub'))).toEqual(['1'])
  expect(statSync(at('half/sub')).mode & 0o7777).toBe(0o755)
})

test('a file that cannot be made is told by the name that was asked for', async () => {
  writeFileSync(at('plain'), 'content')
  await run('cp', at('plain'), 'work:/plain')
  const { err, code } = await run('cp', 'work:/plain', at('nowhere/plain'))
  expect([code, err]).toEqual([3, expect.stringContaining(`'${at('nowhere/plain')}'`)])
})
