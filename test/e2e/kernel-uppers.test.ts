import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundled } from '../crash/bundled.ts'
import { MountedLower } from '../crash/overlay-mount.ts'
import type { RootlessOrder } from '../crash/rootless.ts'
import { type Done, takeTurns, type Way } from '../crash/turns.ts'
import { whyNoOverlay } from '../overlay/able.ts'
import { type Lower, makeLower } from '../overlay/lower.ts'
import { seed } from '../properties/seed.ts'

const ways: Readonly<Record<string, Way>> = {
  'default options': { form: 'trusted', writes: '', shows: ',index=on,redirect_dir=on', except: [] },
  'redirect_dir, index, metacopy and xino on': {
    form: 'metacopy',
    writes: ',redirect_dir=on,index=on,metacopy=on,xino=on',
    shows: ',redirect_dir=on,index=on,metacopy=on,xino=on',
    // With xino=on the kernel adds the number of the layer to that of the inode.
    except: ['ino'],
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
