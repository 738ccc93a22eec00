import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convertUpper } from '../../src/overlay/convert.ts'
import type { StoredUpper } from '../../src/overlay/stored-upper.ts'
import { bundled } from '../crash/bundled.ts'
import { makePlace, openUnion, openUpper, type Place } from '../crash/forms.ts'
import { inKernel } from '../crash/in-kernel.ts'
import { MountedLower } from '../crash/overlay-mount.ts'
import type { RootlessOrder } from '../crash/rootless.ts'
import { someSteps } from '../crash/some-steps.ts'
import { differences, stateOf, stateOfDirectory, told } from '../crash/state.ts'
import { type Done, takeTurns, type Way } from '../crash/turns.ts'
import { whyNoOverlay } from '../overlay/able.ts'
import { type Lower, lowerAt, makeLower } from '../overlay/lower.ts'
import { type Step, take } from '../overlay/random-steps.ts'
import { Dice, seed } from '../properties/seed.ts'

const ways: Readonly<Record<string, Way>> = {
  'default options': { form: 'trusted', writes: '', shows: ',index=on,redirect_dir=on', except: [] },
  'redirect_dir, index, metacopy and xino on': {
    form: 'metacopy',
    writes: ',redirect_dir=on,index=on,metacopy=on,xino=on',
    shows: ',redirect_dir=on,index=on,metacopy=on,xino=on',
    // With xino=on the kernel adds the number of the layer to that of the inode.
    except: ['ino'],
    isIndexed: true,
  },
  'redirect_dir and index on': {
    form: 'trusted',
    writes: ',redirect_dir=on,index=on',
    shows: ',redirect_dir=on,index=on',
    except: [],
    isIndexed: true,
  },
  userxattr: { form: 'user', writes: ',userxattr', shows: ',userxattr,index=on', except: [] },
}
const runs = Number(process.env.PLYFS_RUNS ?? 20)

const folder = mkdtempSync(join(tmpdir(), 'plyfs-kernel-uppers-'))
let lower: Lower
let kernel: MountedLower | undefined
let reason = whyNoOverlay()

beforeAll(async () => {
  lower = await makeLower(join(folder, 'lower'))
  try {
    if (reason === undefined) kernel = new MountedLower(lower, folder)
  } catch (error) {
    reason = `this kernel does not mount the index from a file: ${String(error)}`
  }
  if (reason === undefined) return
  if (process.env.CI && process.getuid?.() === 0) throw new Error(`uppers and the kernel: cannot run on CI: ${reason}`)
  console.log(`uppers and the kernel: skipped, ${reason}`)
})
afterAll(() => {
  kernel?.[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

const maker = { us: 'us', kernel: 'the kernel' } as const
const firsts = ['us', 'kernel'] as const
let made = 0

function newFolder(): string {
  const path = join(folder, `turns-${made++}`)
  mkdirSync(path)
  return path
}

function check({ steps, worked, entries, wrong }: Done, what: string): void {
  console.log(`${what}: ${steps} steps of which ${worked} worked, ${entries} entries compared (seed ${seed})`)
  expect(wrong.join('\n')).toBe('')
}

describe('we and the kernel write in turns, and both show the same tree after each', () => {
  for (const [name, way] of Object.entries(ways)) {
    for (const first of firsts) {
      test(`${name}: an upper made by ${maker[first]}`, ({ skip }) => {
        if (reason !== undefined) skip(reason)
        const at = { lower, kernel: kernel!, folder: newFolder() }
        check(takeTurns({ way, first, seed, runs }, at), `${name}, made by ${maker[first]}`)
      })
    }
  }
})

test('an upper that was converted from one with moved directories into one that follows no redirects', async ({
  skip,
}) => {
  if (reason !== undefined) skip(reason)
  let moved = 0
  let entries = 0
  for (let run = 0; run < runs; run++) {
    const at = newFolder()
    const [before, after] = (['metacopy', 'user'] as const).map((form): Place => ({ form, at: join(at, form), lower }))
    const dice = new Dice(seed + run)
    for (const place of [before!, after!]) makePlace(place)
    const view = openUnion(before!)
    const { mode, uid, gid, mtime } = view.stat(view.root)
    view.setAttributes(view.root, { mode, uid, gid, mtime })
    const move: Step = { does: 'rename', path: ['usr'], to: ['opt'], exchange: false }
    const steps = [...someSteps(dice, stateOf(view), 15), move, ...someSteps(dice, stateOf(view), 10)]
    for (const each of steps) take(view, each)
    const wanted = stateOf(view)
    view.close()
    const tree = lowerAt(lower).tree()
    const [from, to] = [openUpper(before!, true), openUpper(after!) as StoredUpper]
    await convertUpper(from, to, { lower: tree })
    for (const { verdict } of from.list(from.root.ino)) if (verdict.says === 'entry' && verdict.redirect) moved++
    for (const each of [from, to, tree]) each.close()
    const ours = openUnion(after!, true)
    const shown = stateOf(ours)
    ours.close()
    const place = { upperDir: join(after!.at, 'upper'), workDir: join(after!.at, 'work') }
    const there = kernel!.with(place, ways.userxattr!.shows, stateOfDirectory)
    const wrong = [
      ...differences(shown, wanted).map((each) => `converted: ${told(each)}`),
      ...inKernel(there, shown, ways.userxattr!).map((each) => `the kernel shows: ${each}`),
    ]
    entries += Object.keys(shown).length
    expect(wrong, `run ${run} (PLYFS_SEED=${seed}): ${JSON.stringify(steps)}`).toEqual([])
  }
  console.log(`converted: ${runs} uppers with ${moved} moved directories, ${entries} entries compared (seed ${seed})`)
})

describe('the same inside a user namespace with one mapped id', () => {
  for (const first of firsts) {
    test(`an upper made by ${maker[first]}`, async ({ skip }) => {
      if (reason !== undefined) skip(reason)
      const probe = spawnSync('unshare', ['-Urm', 'true'], { encoding: 'utf8' })
      if (probe.error || probe.status !== 0) {
        const why = `no user namespaces: ${probe.error?.message ?? probe.stderr}`
        if (process.env.CI) throw new Error(why)
        skip(why)
      }
      const at = newFolder()
      // Everything in it belongs to the one owner there is.
      const owned = await makeLower(join(at, 'lower'), new Map(), { uid: 0, gid: 0 })
      using mounted = new MountedLower(owned, at)
      const { index, tar, chainId } = owned
      const order: RootlessOrder = {
        lower: { index, tar, chainId },
        lowerDir: mounted.path,
        folder: at,
        turns: { way: { ...ways.userxattr!, except: ['ino'], isRootless: true }, first, seed, runs },
      }
      const program = await bundled('test/crash/rootless.ts', at)
      const ended = spawnSync('unshare', ['-Urm', process.execPath, program, JSON.stringify(order)], {
        encoding: 'utf8',
      })
      expect(ended.stderr).toBe('')
      check(JSON.parse(ended.stdout), `inside unshare -Ur, made by ${maker[first]}`)
    })
  }
})
