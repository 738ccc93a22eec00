import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seed } from '../properties/seed.ts'
import { Arena, lines } from './arena.ts'
import { campaign } from './campaign.ts'
import { type DiskName, diskNames, plainFolder, type TestDisk, testDisk, whyNoDisk } from './disk.ts'
import { Tally } from './engine.ts'
import { hazards, improvements, refusals } from './improvements.ts'
import { merged } from './layers.ts'
import { leeways } from './leeways.ts'
import { replay, runBatch } from './run.ts'
import { shrink } from './shrink.ts'

/** As a run of the command: the same operations by `npm run oracle -- --seed N`. */
async function holds(operations: number, disks: readonly TestDisk[], privileged: boolean): Promise<void> {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    const chosen = lines.filter(({ root }) => privileged || !root)
    const { tally, failures } = await campaign({ operations, seed: String(seed), lines: chosen, disks, stop: 3 })
    const places = disks.map(({ name }) => name).join(', ')
    console.log(`oracle: ${tally.operations} operations of ${tally.kinds.size} kinds on ${places}, seed ${seed}`)
    expect(failures.join('\n\n')).toBe('')
    expect(tally.kinds.size).toBeGreaterThanOrEqual(30)
  } finally {
    Error.stackTraceLimit = limit
    for (const disk of disks) disk.close()
  }
}

const reason = whyNoDisk('tmpfs')

test('random operations answer and show the same on the kernel and through every form', async () => {
  if (reason === undefined) return await holds(100_000, [testDisk('tmpfs')], true)
  console.log(`oracle: not compared with the kernel's overlayfs, ${reason}; in memory and in the portable form only`)
  await holds(50_000, [plainFolder()], false)
}, 300_000)

test('the same on ext4, XFS and Btrfs', async ({ skip }) => {
  const missing = diskNames.map((name) => [name, whyNoDisk(name)] as const).filter(([, why]) => why !== undefined)
  for (const [name, why] of missing) console.log(`oracle: not on ${name}, ${why}`)
  const there = diskNames.filter((name): name is DiskName => name !== 'tmpfs' && whyNoDisk(name) === undefined)
  if (there.length === 0) return skip(missing[0]?.[1] ?? 'no disk')
  await holds(6000, there.map(testDisk), true)
}, 300_000)

test('a difference is found, shrunk to what matters, and comes again when it is replayed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plyfs-oracle-test-'))
  const disk = plainFolder(folder)
  try {
    const arena = new Arena(disk)
    // The model refuses what nobody else does.
    const line = { ...lines.find(({ name }) => name === 'model')!, systems: ['model', 'broken'] }
    const failure = await firstFailure(arena, line)
    const small = await shrink(arena, failure)
    expect(small.sequences).toHaveLength(1)
    const [{ operations, layers }] = small.sequences as [(typeof small.sequences)[number]]
    // The file, from below or made, at any depth; and what is refused.
    expect(operations.at(-1)).toMatchObject({ do: 'chmod', mode: 0 })
    expect(operations.length + merged(layers).size).toBeLessThanOrEqual(8)
    expect(await replay(arena, line, small.sequences, new Tally())).toMatchObject({ system: 'broken', expected: 'ok' })
  } finally {
    disk.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

async function firstFailure(arena: Arena, line: (typeof lines)[number]) {
  for (let batch = 0; ; batch++) {
    const failure = await runBatch(arena, line, `planted/${batch}`, { sequences: 5, operations: 60 }, new Tally())
    if (failure !== undefined) return failure
  }
}

test('every tolerated difference has a name of its own, says what it is, and is in docs/oracle.md with the row that it refers to', () => {
  const page = readFileSync(new URL('../../docs/oracle.md', import.meta.url), 'utf8')
  for (const { name, row } of [...improvements, ...hazards, ...refusals]) {
    expect(page).toContain(`| \`${name}\` | ${row ?? 'the disk'} |`)
    if (row !== undefined) expect(page).toMatch(new RegExp(`^\\| ${row} \\|`, 'm'))
  }
  for (const { name } of leeways) expect(page).toContain(`| \`${name}\` |`)
  const names = [...improvements, ...refusals, ...hazards, ...leeways].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { says } of [...improvements, ...refusals, ...hazards, ...leeways]) expect(says.length).toBeGreaterThan(20)
})
