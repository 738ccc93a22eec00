import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesByKind, randomFrom, specimen } from '../rot/rotten-store.ts'
import { everything, trialsOf, tried, whyNoMounts } from '../rot/trial.ts'
import { temporary } from '../support/temporary.ts'

/** `npm run rot` does it a thousand times. */
test('one byte that turns over in a file of any kind is found by the level that claims to, never served, and healed', async () => {
  const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 1_000_000)
  console.log(`seed ${seed}`)
  if (whyNoMounts() !== undefined) console.log(`without mounts: ${whyNoMounts()}`)
  const random = randomFrom(seed)
  const whole = await specimen(join(temporary(), 'specimen'), random)
  const answers = await everything(whole)
  expect([...answers].filter(([, answer]) => answer.startsWith('error '))).toEqual([])
  const files = filesByKind(whole.root)
  expect([...files.keys()].sort()).toEqual([
    ...['accepted', 'blobs', 'cache/files.sums', 'containers', 'index.json'],
    ...['layers/*.erofs', 'layers/*.spill', 'layers/*.sums', 'layers/*.tar'],
    ...['log of an upper', 'names', 'oci-layout', 'ply.json', 'sources', 'trees/*.erofs', 'uppers'],
  ])
  for (const trial of trialsOf(whole, files, files.size, random))
    expect(await tried(whole, answers, trial), `seed ${seed}`).toEqual(trial)
}, 300_000)
