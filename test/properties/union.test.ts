import fc from 'fast-check'
import { test } from 'vitest'
import { changes, packChanges } from '../../src/diff/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { bytesIn } from '../support/collect.ts'
import { applyTar } from './apply-tar.ts'
import { expectSame } from './differences.ts'
import { ableUnion, drawEdits } from './draw.ts'
import { perform } from './edits.ts'
import { exported } from './exported.ts'
import { at, copied, type Inode, pathsIn, plainDirectory } from './inode.ts'
import { oracleTree } from './oracle-tree.ts'
import { Dice, holds, toss, tosses } from './seed.ts'
import { imported, type Layer, merged, someArrival } from './stack.ts'
import { performOnUnion } from './union-edits.ts'

const minutes = 60_000
const cases = fc.tuple(toss, tosses({ min: 1, max: 3 }, 12))

test(
  'E-15, H-10, H-11: what is done to a container comes out of its commit, as it would have been on a plain disk',
  async () => {
    await holds('random edits of a union, exported, imported, stacked', 3000, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const times = { nanoseconds: dice.once(2) }
      const directoryTimes = dice.once(2)
      const layers: Layer[] = []
      let applied: Inode = plainDirectory()
      let now = 2_000_000_000_500_000_000n
      for (const batch of batches) {
        const [lower, upper] = [await merged(layers, dice), memoryUpper()]
        let tree = union(lower, upper, { now: () => now })
        const model = copied(applied)
        const was = pathsIn(model)
        for (const one of batch) {
          for (const edit of drawEdits(new Dice(one), model, was, ableUnion)) {
            now += 1_000_000_000n
            performOnUnion(tree, edit)
            perform(model, edit, now)
          }
        }
        expectSame(tree, model)
        if (dice.once(2)) {
          // As whoever opens the container next will find it.
          tree.sync()
          tree = union(lower, upper, { now: () => now })
          if (dice.once(2)) expectSame(tree, model)
        }

        const changed = changes(tree, { ...times, directoryTimes })
        const items = packChanges(changed, { before: tree.lower, after: tree }, { opaque: dice.once(3) })
        const tar = await bytesIn(packLayer(items, times))
        const below = applied
        applied = applyTar(applied, tar)
        const stale = (path: string, time: bigint) => !directoryTimes && time === at(below, path)?.mtime
        expectSame(oracleTree(applied), exported(model, times), stale)
        layers.push(await imported(tar, someArrival(dice), { strict: true }))
        expectSame(await merged(layers, dice), applied)
      }
    })
  },
  10 * minutes,
)
