import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { whyNoOverlay, whyNoRootless } from './able.ts'
import { inMemory, onDisk } from './disks.ts'
import { type Lower, makeLower } from './lower.ts'
import { step, take, ticking } from './random-steps.ts'
import { isNewHere, type Snapshot, snapshotOfTree, withoutNewNumbers } from './snapshots.ts'

const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-random-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const reasons = { trusted: whyNoOverlay(), user: whyNoRootless() }
for (const [space, reason] of Object.entries(reasons))
  if (reason !== undefined) console.log(`overlayfs's form in ${space}.* among random changes: skipped, ${reason}`)

/** Of the files below some are larger, and written block by block. */
const blocksFrom = 4097

/** Each kind of upper, as a way to open the same one again. */
function uppers(at: string): ReadonlyMap<string, () => Upper> {
  const forms = new Map<string, () => Upper>([
    ['portable on a disk', () => openPortableUpper({ disk: onDisk(), root: join(at, 'portable') })],
    ['portable in memory', () => openPortableUpper({ disk: inMemory(), root: join(at, 'portable'), blocksFrom })],
  ])
  for (const xattr of ['trusted', 'user'] as const) {
    if (reasons[xattr] !== undefined) continue
    for (const metacopy of [false, true]) {
      const root = join(at, `${xattr}-${metacopy}`)
      const options = { upperDir: join(root, 'upper'), workDir: join(root, 'work'), xattr, metacopy }
      for (const each of [options.upperDir, options.workDir]) fs.mkdirSync(each, { recursive: true })
      const name = `overlayfs's in ${xattr}.*${metacopy ? ' with copies of attributes alone' : ''}`
      forms.set(name, () => openOverlayUpper({ ...options, chainId: lower.chainId, ...(metacopy && { blocksFrom }) }))
    }
  }
  return forms
}

let lower: Lower
let runs = 0

test('random changes show the same through every form, while it is open and after opening it again', async () => {
  lower = await makeLower(join(folder, 'lower'))
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const reference = union(lower.tree(), memoryUpper(), { now: ticking() })
      const answers = steps.map((each) => take(reference, each))
      const shown = shownBy(reference)
      reference.close()
      for (const [name, open] of uppers(join(folder, `run-${runs++}`))) {
        const first = union(lower.tree(), open(), { now: ticking() })
        expect(
          steps.map((each) => take(first, each)),
          `${name}: answers`,
        ).toEqual(answers)
        expect(shownBy(first), `${name}: open`).toEqual(shown)
        first.close()
        const second = union(lower.tree(), open(), { now: ticking() })
        expect(shownBy(second), `${name}: opened again`).toEqual(shown)
        second.close()
      }
    }),
    { numRuns: 150 },
  )
})

test('changes go on after opening again as if it had never been closed', async () => {
  lower ??= await makeLower(join(folder, 'lower'))
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 5 }), (parts) => {
      const reference = union(lower.tree(), memoryUpper(), { now: ticking() })
      const answers = parts.flat().map((each) => take(reference, each))
      const shown = shownBy(reference)
      reference.close()
      for (const [name, open] of uppers(join(folder, `run-${runs++}`))) {
        const now = ticking()
        const got = parts.flatMap((part) => {
          const view = union(lower.tree(), open(), { now })
          const answered = part.map((each) => take(view, each))
          view.close()
          return answered
        })
        expect(got, `${name}: answers`).toEqual(answers)
        const last = union(lower.tree(), open())
        expect(shownBy(last), name).toEqual(shown)
        last.close()
      }
    }),
    { numRuns: 80 },
  )
})

const shownBy = (view: WritableUnion): Snapshot => withoutNewNumbers(snapshotOfTree(view), isNewHere)
