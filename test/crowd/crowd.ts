import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '../../src/index.ts'
import { bundled } from '../crash-store/bundled.ts'
import { makeImages } from '../crash-store/operations.ts'
import { Dice } from '../properties/seed.ts'
import type { Order } from './member.ts'

export interface Crowding {
  readonly processes: number
  readonly seconds: number
  /** One process is killed each time so many seconds have passed, and another takes its place. */
  readonly killEvery: number
  readonly seed: number
  readonly on?: string | undefined
}

export interface Crowded {
  /** By what was done and how it ended. */
  readonly counts: ReadonlyMap<string, number>
  readonly killed: number
  /** What should not be so. */
  readonly wrong: readonly string[]
}

/** Processes that do all kinds of things to one store at once, some of which are killed; then what they left. */
export async function crowd({ processes, seconds, killEvery, seed, on = tmpdir() }: Crowding): Promise<Crowded> {
  const folder = mkdtempSync(join(on, 'ply-crowd-'))
  const images = join(folder, 'images')
  const root = join(folder, 'store')
  const counts = new Map<string, number>()
  const wrong: string[] = []
  const dice = new Dice(seed)
  let killed = 0
  let over = false
  const start = (program: string) => {
    const order: Order = { root, images, seed: dice.below(2 ** 31) }
    const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (chunk) => (errors += chunk))
    createInterface(child.stdout).on('line', (line) => {
      const [, what = '', code = ''] = /^(\w+) (\S+)/.exec(line) ?? []
      counts.set(`${what} ${code}`, (counts.get(`${what} ${code}`) ?? 0) + 1)
      if (code === 'failed') wrong.push(line)
    })
    const ended = once(child, 'close')
    void ended.then(([code, signal]) => {
      if (signal !== 'SIGKILL') wrong.push(`a process ended by itself: ${signal ?? code} ${errors}`)
    })
    return { child, ended }
  }
  try {
    mkdirSync(images)
    await makeImages(images)
    const program = await bundled('test/crowd/member.ts', folder)
    await (await openStore(root))[Symbol.asyncDispose]()
    const running = Array.from({ length: processes }, () => start(program))
    const until = Date.now() + seconds * 1000
    while (Date.now() < until) {
      await sleep(killEvery * 1000 * (0.5 + dice.below(1000) / 1000))
      const at = dice.below(running.length)
      running[at]!.child.kill('SIGKILL')
      await running[at]!.ended
      killed++
      running[at] = start(program)
    }
    over = true
    for (const { child } of running) child.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
    wrong.push(...(await left(root)))
    return { counts, killed, wrong }
  } finally {
    if (!over) wrong.push('it was cut short')
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What is wrong with a store that nobody uses any more, and what stays of it once all is removed. */
async function left(root: string): Promise<string[]> {
  const wrong: string[] = []
  await using store = await openStore(root)
  const report = await store.fsck({ level: 'caches' })
  for (const each of report.findings) if (each.kind === 'damage') wrong.push(`damage: ${JSON.stringify(each)}`)
  for (const { name, problem } of await store.images()) if (problem !== undefined) wrong.push(`${name}: ${problem}`)
  for (const { name, snapshots } of await store.containers.list()) {
    for (const each of snapshots)
      await (await store.containers.open(`${name}@${each.name}`, { readOnly: true })).close()
    await (await store.containers.open(name)).close()
    await store.containers.remove(name)
  }
  for (const { name } of await store.images()) await store.untag(name)
  const { unreadable } = await store.collect()
  if (unreadable.length > 0) wrong.push(`not readable: ${unreadable.join(', ')}`)
  for (const folder of ['blobs/sha256', 'cache/layers', 'cache/trees', 'uppers', 'containers', 'tmp', 'accepted'])
    for (const name of namesIn(join(root, folder))) wrong.push(`${folder}/${name} is left`)
  for (const name of namesIn(join(root, 'names'))) if (!name.startsWith('%.')) wrong.push(`names/${name} is left`)
  const locks = namesIn(join(root, 'locks')).filter((name) => /^(upper|layer|tree)-/.test(name))
  if (locks.length > 0) wrong.push(`${locks.length} locks are left: ${locks.slice(0, 5).join(', ')}`)
  const { manifests } = JSON.parse(readFileSync(join(root, 'index.json'), 'utf8'))
  if (manifests.length > 0) wrong.push(`index.json still names ${manifests.length} images`)
  return wrong
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
