// Whole images in every way of mounting: see scripts/three-ways.mjs.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { abilities } from '../../src/mount/abilities.ts'
import type { Via } from '../../src/mount/mounted.ts'
import { detectReference } from '../../src/transport/index.ts'
import type { Found, ThreeWays } from './three-ways.ts'
import { editingAny } from './three-ways-edits.ts'
import { threeWaysProgram } from './three-ways-programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'ply-three-ways-'))
const kernel = abilities()
const ways: Via[] =
  kernel.mounting.able && kernel.erofs.able && kernel.overlay.able ? ['kernel', 'fuse', 'extract'] : ['fuse', 'extract']
let wrong = 0
try {
  const program = await threeWaysProgram(join(folder, 'programs'))
  const paths = process.argv.slice(2)
  if (paths.length === 0) throw new Error('say which images: oci:DIR, docker-archive:FILE or a path')
  for (const [at, path] of paths.entries()) wrong += await tried(program, path, join(folder, String(at)))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = wrong > 0 ? 1 : 0

async function tried(program: string, path: string, at: string): Promise<number> {
  mkdirSync(at)
  const root = join(at, 'store')
  const archive = path.includes(':') ? path : await detectReference(path)
  const asked: ThreeWays = {
    root,
    archive,
    at,
    ways,
    images: ['image'],
    write: 'image',
    edits: editingAny,
    owners: 'kept',
  }
  // Whoever makes a namespace meanwhile would get a copy of the mount, which is served until that goes.
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', process.execPath, program, JSON.stringify(asked)],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  )
  if (status !== 0) throw new Error(`${path}: exit ${status}\n${stdout}${stderr}`)
  const found = JSON.parse(stdout.trim().split('\n').at(-1)!) as Found[]
  const first = found[0]!.written!
  let wrong = 0
  for (const { via, compared, written } of found) {
    const { entries, differing } = compared.image!
    const same = written!.diffId === first.diffId && written!.changes.join('\n') === first.changes.join('\n')
    console.log(
      `${path} by ${via}: ${entries} entries, ${differing.length} differ; ${written!.changes.length} changes, ${written!.diffId}${same ? '' : ', which is WRONG'}`,
    )
    for (const one of differing) console.log(`  ${one}`)
    if (!same) {
      const was = new Set(first.changes)
      for (const one of written!.changes.filter((change) => !was.has(change)).slice(0, 10))
        console.log(`  more: ${one}`)
      const is = new Set(written!.changes)
      for (const one of first.changes.filter((change) => !is.has(change)).slice(0, 10)) console.log(`  less: ${one}`)
    }
    if (differing.length > 0 || !same) wrong++
  }
  return wrong
}
