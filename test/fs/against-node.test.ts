import nodeFs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { fsOf } from '../../src/fs/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { type PlainSpec, plainTree, treeEntries } from '../support/plain-tree.ts'
import { answer, closeAll, type Operation, operationsOn, sideOf, snapshot } from './operations.ts'

const uid = process.getuid?.() ?? 0
const gid = process.getgid?.() ?? 0
const isRoot = uid === 0
const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env.PLYFS_RUNS ?? 250)

/** What both sides start from. */
const start: PlainSpec = {
  '/': { mode: 0o755, uid, gid },
  'a/': { mode: 0o755, uid, gid },
  'a/b/': { mode: 0o755, uid, gid },
  'a/b/c': { content: 'deep', mode: 0o644, uid, gid },
  'a/c': { content: 'linked', mode: isRoot ? 0o6755 : 0o755, uid, gid },
  'a/d': { target: 'b', uid, gid },
  'b/': { mode: 0o755, uid, gid },
  'b/a': { hardlink: 'a/c' },
  'b/b': { hardlink: 'a/c' },
  'b/d/': { mode: 0o755, uid, gid },
  c: { content: 'c', mode: 0o644, uid, gid },
  'd/': { mode: 0o755, uid, gid },
  'd/a/': { mode: 0o755, uid, gid },
  'd/a/b/': { mode: 0o755, uid, gid },
  'd/a/b/c': { content: 'deeper', mode: 0o644, uid, gid },
}

const base = nodeFs.mkdtempSync(join(nodeFs.realpathSync(tmpdir()), 'plyfs-'))
afterAll(() => nodeFs.rmSync(base, { recursive: true, force: true }))
let made = 0

/** The same start on the disk. */
function realStart(): string {
  const root = join(base, `${made++}`)
  nodeFs.mkdirSync(root)
  const tree = plainTree(start)
  const names = new Map<number, string>()
  const visit = (directory: number, path: string): void => {
    for (const { name, ino, kind } of tree.list(directory)) {
      const at = `${path}/${name}`
      const first = names.get(ino)
      if (first !== undefined) nodeFs.linkSync(first, at)
      else if (kind === 'directory') {
        nodeFs.mkdirSync(at)
        visit(ino, at)
      } else if (kind === 'symlink') nodeFs.symlinkSync(tree.readlink(ino), at)
      else {
        const content = Buffer.alloc(tree.stat(ino).size)
        tree.open(ino).read(content, 0)
        nodeFs.writeFileSync(at, content)
        names.set(ino, at)
      }
      if (kind !== 'symlink') nodeFs.chmodSync(at, tree.stat(ino).mode)
    }
  }
  visit(tree.root, root)
  nodeFs.chmodSync(root, 0o755)
  return root
}

type Step = Operation | { readonly do: 'reopen' }

const steps = fc.array(
  fc.oneof(
    { weight: 40, arbitrary: operationsOn({ asRoot: isRoot }) as fc.Arbitrary<Step> },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'reopen' }) },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
)

/** An upper that stays as it is when a union over it closes: it plays the disk. */
function surviving(upper: Upper): Upper {
  return new Proxy(upper, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test(`whatever is done, in whatever order, answers and leaves what a real directory does (seed ${seed})`, () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const upper = memoryUpper()
      const face = () => {
        const merged = union(plainTree(start), surviving(upper))
        return { merged, side: sideOf(fsOf(merged, { uid, gid, umask: process.umask() }), '') }
      }
      let { merged, side } = face()
      const real = sideOf(nodeFs, realStart())
      try {
        for (const step of sequence) {
          if (step.do !== 'reopen') {
            expect(answer(side, step), JSON.stringify(step)).toEqual(answer(real, step))
            continue
          }
          closeAll(side)
          closeAll(real)
          const before = treeEntries(merged)
          merged.close()
          ;({ merged, side } = face())
          expect(treeEntries(merged), 'opened again').toEqual(before)
        }
        expect(snapshot(side)).toEqual(snapshot(real))
        closeAll(side)
        const before = treeEntries(merged)
        expect(treeEntries(face().merged), 'opened again at the end').toEqual(before)
      } finally {
        closeAll(real)
        nodeFs.rmSync(real.root, { recursive: true, force: true })
      }
    }),
    { seed, numRuns, ...(process.env.PLYFS_PATH && { path: process.env.PLYFS_PATH }) },
  )
})
