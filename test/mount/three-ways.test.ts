import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { packTree } from '../../src/diff/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import type { ByteString } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { abilities } from '../../src/mount/abilities.ts'
import type { Via } from '../../src/mount/mounted.ts'
import { stackedTree } from '../../src/stack/stacked-tree.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { openStore } from '../../src/store/open-store.ts'
import { corpus } from '../corpus/archives.ts'
import { readBlob } from '../corpus/read.ts'
import { sparse as sparseCases } from '../corpus/sparse.ts'
import { whyNoFuse } from '../fuse/mounts.ts'
import { hasProgram, root, testIf } from '../support/ability.ts'
import { bytesIn } from '../support/collect.ts'
import { plainTree } from '../support/plain-tree.ts'
import { imageOfTar } from './stored.ts'
import type { Found, ThreeWays } from './three-ways.ts'
import { editing, writable } from './three-ways-edits.ts'
import { threeWaysProgram } from './three-ways-programs.ts'

const user = 65534
let folder = ''
let program = ''
let images: readonly string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ply-test-three-ways-'))
  chmodSync(folder, 0o755)
  program = await threeWaysProgram(join(folder, 'programs'))
  const { tree, others } = await readCorpus()
  for (const [name, uid] of [
    ['root', 0],
    ['user', user],
  ] as const) {
    await using store = await openStore(join(folder, name), { upperForm: name === 'root' ? 'overlay' : 'portable' })
    await store.write(imageOfTar(await tarOf(tree)), 'corpus', { limits: { depth: 2000 } })
    // What no canonical archive has: files that are sparse in their layer, and more.
    const sparse = sparseCases.find(({ expect: expected }) => !('refused' in expected))!
    for (const [at, tar] of [sparse.tar, ...others].entries()) await store.write(imageOfTar(tar), `odd-${at}`)
    images = ['corpus', 'odd-0', ...others.map((_, at) => `odd-${at + 1}`)]
    await store.write(imageOfTar(await tarOf(plainTree(writable(uid, uid)))), 'work')
  }
  if (root) spawnSync('chown', ['-R', `${user}:${user}`, join(folder, 'user')])
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function tarOf(tree: Tree): Promise<Buffer> {
  return bytesIn(packLayer(packTree(tree), { nanoseconds: true }))
}

interface Corpus {
  /** Every accepted case that a kernel can show, in a directory of its own. */
  readonly tree: Tree
  /** Cases that no canonical archive can hold, by the archives that they are. */
  readonly others: readonly Buffer[]
}

async function readCorpus(): Promise<Corpus> {
  const trees: Tree[] = []
  const others: Buffer[] = []
  for (const { expect: expected, blob, tar, options, below, notInLinux } of corpus) {
    if ('refused' in expected || notInLinux !== undefined) continue
    const tree = stackedTree([(await readBlob(blob, undefined, options)).view])
    const code = await refusal(tree)
    if (code === undefined) trees.push(tree)
    // What refers to what is below is nothing alone.
    else if (code === 'PLY_UNREPRESENTABLE' && below === undefined) others.push(tar)
  }
  return { tree: together(trees), others }
}

async function refusal(tree: Tree): Promise<string | undefined> {
  try {
    await tarOf(tree)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** Trees side by side, under numbers. */
function together(trees: readonly Tree[]): Tree {
  const width = 2 ** 40
  const names = trees.map((_, at) => String(at).padStart(4, '0'))
  const outer = (at: number, ino: number) => (at + 1) * width + ino
  const of = (ino: number) => ({
    at: Math.floor(ino / width) - 1,
    tree: trees[Math.floor(ino / width) - 1]!,
    own: ino % width,
  })
  const root = 1
  const at = (name: ByteString) => {
    const found = names.indexOf(name)
    return found < 0 ? undefined : outer(found, trees[found]!.root)
  }
  return {
    root,
    lookup(directory, name) {
      if (directory === root) return at(name)
      const { at: where, tree, own } = of(directory)
      const found = tree.lookup(own, name)
      return found === undefined ? undefined : outer(where, found)
    },
    *list(directory) {
      if (directory === root) {
        for (const name of names) yield { name, ino: at(name)!, kind: 'directory' }
        return
      }
      const { at: where, tree, own } = of(directory)
      for (const { name, ino, kind } of tree.list(own)) yield { name, ino: outer(where, ino), kind }
    },
    parent: (directory) => directory,
    stat(ino) {
      if (ino !== root) return { ...of(ino).tree.stat(of(ino).own), ino }
      const none = { size: 0, major: 0, minor: 0 }
      return { ino, kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0n, links: 2 + trees.length, ...none }
    },
    readlink: (ino) => of(ino).tree.readlink(of(ino).own),
    xattrs: (ino) => (ino === root ? new Map() : of(ino).tree.xattrs(of(ino).own)),
    open: (ino) => of(ino).tree.open(of(ino).own),
    close() {},
  }
}

/** The device is everybody's in this namespace alone. */
const openDevice = `mkdir "$AT/dev"; mount -t tmpfs none "$AT/dev"; mknod -m 0666 "$AT/dev/fuse" c 10 229
mount --bind "$AT/dev/fuse" /dev/fuse; umount -l "$AT/dev"`
const drop = `setpriv --reuid ${user} --regid ${user} --clear-groups --inh-caps=-all`

/** Whose process it is. */
const places = {
  root: { store: 'root', command: 'exec "$@"' },
  'an ordinary user': { store: 'user', command: `${openDevice}\nexec ${drop} "$@"` },
  'an ordinary user’s namespace': { store: 'user', command: `${openDevice}\nexec ${drop} unshare -Urm "$@"` },
} as const

let runs = 0

function run(place: keyof typeof places, asked: Pick<ThreeWays, 'ways' | 'owners'>): Found[] {
  const { store, command } = places[place]
  const at = join(folder, `run-${runs++}`)
  mkdirSync(at)
  if (root && store === 'user') chownSync(at, user, user)
  const copy = join(at, 'store')
  spawnSync('cp', ['-a', join(folder, store), copy])
  const request: ThreeWays = { root: copy, at, images, write: 'work', edits: editing, ...asked }
  const words = [process.execPath, program, JSON.stringify(request)]
  const namespaces = root ? ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] : []
  const { stdout, stderr, status } = spawnSync(
    'timeout',
    ['-s', 'KILL', '200', ...namespaces, 'bash', '-ec', command, 'bash', ...words],
    { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: at, LC_ALL: 'C.UTF-8', AT: at } },
  )
  if (status !== 0) throw new Error(`${place}: exit ${status}\n${stdout}${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

function check(results: readonly Found[], ways: readonly Via[]): void {
  expect(results.map(({ via }) => via)).toEqual(ways)
  for (const { via, compared } of results)
    for (const [image, { entries, differing }] of Object.entries(compared)) {
      expect(differing, `${image} by ${via}`).toEqual([])
      expect(entries, image).toBeGreaterThan(image === 'corpus' ? 400 : 1)
    }
  const [first] = results
  for (const { via, written } of results) expect(written, `${via} and ${first!.via}`).toEqual(first!.written)
  expect(first!.written!.changes.length).toBeGreaterThan(20)
}

const why = whyNoFuse()
const kernel = abilities()
const hasKernel = kernel.mounting.able && kernel.erofs.able && kernel.overlay.able
const asRoot = testIf(root && why === undefined, why ?? 'it mounts')

describe('one image in three ways', () => {
  asRoot('root: by the kernel, by FUSE and as a copy it is the same, and so is what is written', () => {
    const ways: Via[] = hasKernel ? ['kernel', 'fuse', 'extract'] : ['fuse', 'extract']
    check(run('root', { ways, owners: 'kept' }), ways)
  })

  testIf(root && why === undefined && hasProgram('fusermount3'), why ?? 'it needs fusermount3')(
    'an ordinary user: by FUSE through fusermount3 and as a copy',
    () => check(run('an ordinary user', { ways: ['fuse', 'extract'], owners: 'kept' }), ['fuse', 'extract']),
  )

  asRoot('an ordinary user’s namespace: by FUSE and as a copy', () =>
    check(run('an ordinary user’s namespace', { ways: ['fuse', 'extract'], owners: 'all mine' }), ['fuse', 'extract']),
  )
})
