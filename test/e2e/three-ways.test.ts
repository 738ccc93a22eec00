import { join } from 'node:path'
import { expect } from 'vitest'
import { whyNoFuse } from '../fuse/mounts.ts'
import { type Who, WholeImage, waysOf } from '../mount/three-ways-whole.ts'
import { hasProgram } from '../support/ability.ts'
import { deep, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

const ordinary = ['fusermount3', 'namespace'] as const satisfies Who[]
const missing = ['nsenter', 'setpriv', 'unshare', 'fusermount3'].find((program) => !hasProgram(program))
const why = whyNoFuse() ?? (missing && `${missing} is not installed`)

realTest('120 layers are the same to an ordinary user by FUSE and as a copy, and so is what is written', async () => {
  if (why) {
    if (process.env.CI) throw new Error(`cannot run on CI: ${why}`)
    console.log(`not run: ${why}`)
    return
  }
  await using work = workspace({ inMemory: true })
  const whole = await WholeImage.in(work.path, `oci:${join(deep(), 'oci')}`)
  const committed = new Set<string>()
  for (const who of ordinary) {
    const found = await whole.by(who)
    expect(found.map(({ via }) => via)).toEqual(waysOf(who))
    for (const { via, compared, written } of found) {
      expect(compared.image!.differing, `${via} as ${who}`).toEqual([])
      expect(compared.image!.entries).toBeGreaterThan(3000)
      expect(written!.changes, `${via} as ${who}`).toEqual(found[0]!.written!.changes)
      expect(written!.changes.length).toBeGreaterThan(500)
      committed.add(written!.diffId)
    }
  }
  expect(committed.size).toBe(1)
})
