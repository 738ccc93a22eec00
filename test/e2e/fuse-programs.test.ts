import { join } from 'node:path'
import type { UpperForm } from 'plyfs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNoFuse } from '../fuse/mounts.ts'
import { missingFor, programCases } from '../programs/cases.ts'
import { Ground, type WayIn } from '../programs/ground.ts'
import { hasProgram } from '../support/ability.ts'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

/** Nothing hangs for longer than this, in seconds. */
const patience = 120

const why = whyNoFuse()

function neededBy(way: WayIn): readonly string[] {
  if (way === 'root') return []
  return [
    'nsenter',
    'setpriv',
    'unshare',
    ...(way === 'fusermount3' ? [way] : []),
    ...(way === 'namespace of many' ? ['newuidmap'] : []),
  ]
}

function caseTest(name: string, missing: string | undefined, act: () => Promise<void>): void {
  const reason = why ?? (missing && `${missing} is not installed`)
  if (!reason) realTest(name, act)
  else if (process.env.CI) throw new Error(`${name}: cannot run on CI: ${reason}`)
  else test.skip(`${name} [skipped: ${reason}]`, act)
}

interface Tried {
  readonly form: UpperForm
  readonly way: WayIn
  /** Which programs: an ordinary user's take as long, and do all in scripts/fuse-programs.mjs. */
  readonly which: RegExp
}

const tried: readonly Tried[] = [
  { form: 'overlay', way: 'root', which: /^/ },
  { form: 'portable', way: 'root', which: /^/ },
  { form: 'portable', way: 'fusermount3', which: /^(git|dpkg|SQLite|processes)/ },
  { form: 'portable', way: 'namespace of many', which: /^(dpkg|tar|make|fio)/ },
]

for (const { form, way, which } of tried) {
  describe(`programs in a FUSE mount of a container (upper: ${form}, ${way})`, () => {
    const missing = neededBy(way).find((program) => !hasProgram(program))
    let work: ReturnType<typeof workspace>
    let ground: Ground | undefined

    beforeAll(async () => {
      if (why !== undefined || missing !== undefined || process.getuid?.() !== 0) return
      work = workspace({ inMemory: true })
      ground = await Ground.make(work.path, `oci:${join(image(), 'oci')}:latest`, form, way)
      await ground.mount()
    })

    afterAll(async () => {
      await ground?.[Symbol.asyncDispose]()
      await work?.[Symbol.asyncDispose]()
    })

    for (const one of programCases) {
      if (one.only === 'full' || !which.test(one.name)) continue
      caseTest(one.name, missing ?? missingFor(one), async () => ground!.run(one, 'small', patience))
    }

    caseTest('leave the same when it is mounted again, and a sound store', missing, async () => {
      const before = ground!.listing()
      await ground!.unmount()
      await ground!.mount()
      expect(ground!.listing()).toEqual(before)
      await ground!.unmount()
      expect(await ground!.findings('structure')).toEqual([])
    })
  })
}
