import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import type { StoredUpper } from '../../src/overlay/stored-upper.ts'
import type { Tree } from '../../src/stack/tree.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { unionOver } from '../../src/union/union-tree.ts'
import { MountedLower, MountedOver } from '../crash/overlay-mount.ts'
import { whyNoOverlay } from '../overlay/able.ts'
import { type Lower, makeLower } from '../overlay/lower.ts'
import { type Step, step, take } from '../overlay/random-steps.ts'
import { snapshotOfDirectory, snapshotOfTree, withoutNewNumbers } from '../overlay/snapshots.ts'
import { seed } from '../properties/seed.ts'

const runs = Number(process.env.PLYFS_RUNS ?? 20)
const options = ',redirect_dir=on,index=on,metacopy=on'
const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-kernel-chain-'))
let lower: Lower
let mounted: MountedLower | undefined
let reason = whyNoOverlay()

beforeAll(async () => {
  lower = await makeLower(join(folder, 'lower'))
  try {
    if (reason === undefined) mounted = new MountedLower(lower, folder)
  } catch (error) {
    reason = `this kernel does not mount the index from a file: ${String(error)}`
  }
  if (reason !== undefined) console.log(`chains and the kernel: skipped, ${reason}`)
})
afterAll(() => {
  mounted?.[Symbol.dispose]()
  fs.rmSync(folder, { recursive: true, force: true })
})

/** A chain of uppers on a disk, of which the last one may be written, by us or by the kernel. */
class Chain {
  readonly #root: string
  readonly #count: number

  constructor(root: string, count: number) {
    this.#root = root
    this.#count = count
    for (let at = 0; at < count; at++)
      for (const name of ['upper', 'work']) fs.mkdirSync(join(root, String(at), name), { recursive: true })
  }

  /** Ours, `count` of them. */
  open(count: number): RestackableUnion {
    const below: StoredUpper[] = []
    let tree: Tree = lower.tree()
    for (let at = 0; at < count; at++) {
      const upper = openOverlayUpper({
        upperDir: join(this.#root, String(at), 'upper'),
        workDir: join(this.#root, String(at), 'work'),
        xattr: 'trusted',
        metacopy: true,
        chainId: lower.chainId,
        readOnly: at < count - 1,
        below: [...below],
        numbersFrom: below.at(-1)?.nextNumber ?? 0,
      })
      below.push(upper)
      tree = unionOver(tree, upper)
    }
    return tree as RestackableUnion
  }

  /** The same, the topmost by the kernel. */
  mounted<Result>(use: (root: string) => Result): Result {
    const frozen = Array.from({ length: this.#count - 1 }, (_, at) => join(this.#root, String(at), 'upper')).reverse()
    const top = join(this.#root, String(this.#count - 1))
    const over = new MountedOver([...frozen, mounted!.path].join(':'), this.#root)
    return over.with({ upperDir: join(top, 'upper'), workDir: join(top, 'work') }, options, use)
  }
}

/** The kernel numbers as its disk does, and gives directories other links. */
function comparable(shown: Readonly<Record<string, string>>, links: boolean): Record<string, string> {
  const numbered = withoutNewNumbers(shown, () => true)
  return Object.fromEntries(
    Object.entries(numbered).map(([path, text]) => [path, links ? text : text.replace(/links \d+ /, '')]),
  )
}

/** What the upper's own root says is what the kernel shows of it. */
function describeRoot(tree: RestackableUnion): void {
  const { mode, uid, gid, mtime } = tree.stat(tree.root)
  tree.setAttributes(tree.root, { mode, uid, gid, mtime })
}

const at = (tree: Tree, path: string): number =>
  path.split('/').reduce((ino, name) => tree.lookup(ino, name)!, tree.root)
const place = (tree: Tree, path: string): [number, string] => {
  const names = path.split('/')
  const name = names.pop()!
  return [names.length === 0 ? tree.root : at(tree, names.join('/')), name]
}
const file = { kind: 'file', mode: 0o644, uid: 1, gid: 2, mtime: 3n } as const

function write(tree: RestackableUnion, path: string, text: string): void {
  const writer = tree.writer(tree.lookup(...place(tree, path)) ?? tree.create(...place(tree, path), file))
  writer.truncate(0)
  writer.write(Buffer.from(text), 0)
  writer.close()
}

test('the kernel shows a chain of three as we do, and we what it writes in it: moved directories, links, copies of attributes alone, whiteouts', ({
  skip,
}) => {
  if (reason !== undefined) skip(reason)
  const chain = new Chain(join(folder, 'told'), 3)
  const first = chain.open(1)
  first.rename(...place(first, 'usr'), ...place(first, 'etc/usr'))
  write(first, 'etc/made', 'made')
  first.link(...place(first, 'bin/linked'), at(first, 'etc/made'))
  first.setAttributes(at(first, 'var/log/messages'), { mode: 0o600 })
  first.unlink(...place(first, 'etc/group'))
  first.close()
  const second = chain.open(2)
  second.rename(...place(second, 'etc/usr/lib'), ...place(second, 'library'))
  second.rename(...place(second, 'etc'), ...place(second, 'settings'))
  second.setAttributes(at(second, 'var/log/messages'), { gid: 8 })
  second.rename(...place(second, 'var/log/messages'), ...place(second, 'moved'))
  write(second, 'settings/group', 'again')
  second.close()
  const third = chain.open(3)
  third.setAttributes(at(third, 'settings/made'), { mode: 0o640 })
  third.setAttributes(at(third, 'moved'), { uid: 9 })
  third.rename(...place(third, 'library'), ...place(third, 'settings/usr/lib'))
  third.unlink(...place(third, 'settings/usr/lib/one'))
  write(third, 'bin/tool', 'tool')
  describeRoot(third)
  const ours = comparable(snapshotOfTree(third), true)
  const numbers = ['settings/made', 'bin/linked', 'moved', 'bin/tool', 'settings/group'].map((path) => at(third, path))
  expect(numbers[0]).toBe(numbers[1])
  third.close()
  chain.mounted((root) => {
    expect(comparable(snapshotOfDirectory(root), true)).toEqual(ours)
    // By a program of its own: what is still open here would keep the mount busy.
    const change = `cd ${root} && printf more >> bin/linked && chmod 0601 moved settings/group && printf x >> settings/group &&
      mv settings other && ln bin/tool new && mkdir made && mv other/usr made/usr && chown 5 other/passwd && rm top`
    execFileSync('sh', ['-c', change])
  })
  const again = chain.open(3)
  expect(snapshotOfTree(again)['/bin/linked']).toContain('mademore')
  expect(at(again, 'other/made')).toBe(at(again, 'bin/linked'))
  expect(['other/made', 'bin/linked', 'moved', 'bin/tool', 'other/group'].map((path) => at(again, path))).toEqual(
    numbers,
  )
  const shown = comparable(snapshotOfTree(again), true)
  const size = again.stat(at(again, 'moved')).size
  expect(size).toBe(100_000)
  again.close()
  chain.mounted((root) => expect(comparable(snapshotOfDirectory(root), true)).toEqual(shown))
})

test(`the kernel shows random chains as we do (seed ${seed})`, ({ skip }) => {
  if (reason !== undefined) skip(reason)
  let made = 0
  const steps = fc.array(step, { minLength: 1, maxLength: 15 })
  fc.assert(
    fc.property(steps, steps, steps, (one, two, three) => {
      const chain = new Chain(join(folder, `random-${made++}`), 3)
      const all: readonly (readonly Step[])[] = [one, two, three]
      let ours: Record<string, string> = {}
      for (const [depth, each] of all.entries()) {
        const tree = chain.open(depth + 1)
        // Groups that were copied up by some of their names before they were frozen are groups for us alone (docs/upper-format.md).
        if (depth === 0)
          for (const path of ['bin/tool', 'bin/alias', 'usr/lib/alias']) tree.unlink(...place(tree, path))
        for (const what of each) if (what.does !== 'link' || depth === 2) take(tree, what)
        describeRoot(tree)
        ours = comparable(snapshotOfTree(tree), false)
        tree.close()
        const again = chain.open(depth + 1)
        expect(comparable(snapshotOfTree(again), false)).toEqual(ours)
        again.close()
      }
      chain.mounted((root) => expect(comparable(snapshotOfDirectory(root), false)).toEqual(ours))
    }),
    { seed, numRuns: runs },
  )
})
