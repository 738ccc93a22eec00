import { join } from 'node:path'
import { openStore, type UpperForm } from 'plyfs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNoFuse } from '../fuse/mounts.ts'
import { missingFor, programCases } from '../programs/cases.ts'
import { Ground } from '../programs/ground.ts'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

/** Nothing hangs for longer than this, in seconds. */
const patience = 120

const why = whyNoFuse()

function caseTest(name: string, missing: string | undefined, act: () => Promise<void>): void {
  const reason = why ?? (missing && `${missing} is not installed`)
  if (!reason) realTest(name, act)
  else if (process.env.CI) throw new Error(`${name}: cannot run on CI: ${reason}`)
  else test.skip(`${name} [skipped: ${reason}]`, act)
}

for (const form of ['overlay', 'portable'] as const satisfies UpperForm[]) {
  describe(`programs in a FUSE mount of a container (upper: ${form})`, () => {
    let work: ReturnType<typeof workspace>
    let ground: Ground | undefined

    beforeAll(async () => {
      if (why !== undefined || process.getuid?.() !== 0) return
      work = workspace({ inMemory: true })
      ground = await Ground.make(work.path, `oci:${join(image(), 'oci')}:latest`, form)
      await ground.mount()
    })

    afterAll(async () => {
      await ground?.[Symbol.asyncDispose]()
      await work?.[Symbol.asyncDispose]()
    })

    for (const one of programCases) {
      if (one.only === 'full') continue
      caseTest(one.name, missingFor(one), async () => ground!.run(one, 'small', patience))
    }

    caseTest('leave the same when it is mounted again, and a sound store', undefined, async () => {
      const before = ground!.listing()
      await ground!.unmount()
      await ground!.mount()
      expect(ground!.listing()).toEqual(before)
      await ground!.unmount()
      await using store = await openStore(ground!.store)
      const { findings } = await store.fsck({ level: 'structure' })
      expect(findings).toEqual([])
    })
  })
}
