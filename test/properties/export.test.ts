import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diff, packChanges, packTree } from '../../src/diff/index.ts'
import { type PackItem, packLayer } from '../../src/layer/index.ts'
import { stackedTree } from '../../src/stack/index.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { applyTar } from './apply-tar.ts'
import { expectSame } from './differences.ts'
import { ableModel, drawEdits } from './draw.ts'
import { perform } from './edits.ts'
import { exported } from './exported.ts'
import { at, copied, pathsIn, plainDirectory } from './inode.ts'
import { oracleTree } from './oracle-tree.ts'
import { Dice, holds, toss, tosses } from './seed.ts'
import { imported, type Layer, merged, someArrival, viewsOf } from './stack.ts'

const cases = fc.tuple(toss, tosses({ min: 1, max: 3 }, 12))
const minutes = 60_000

test(
  'E-15, E-13, M-07, M-08: whatever is done to a file system, its exported changes bring it about on the layers below',
  async () => {
    await holds('random edits, exported, imported, stacked', 20_000, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const times = { nanoseconds: dice.once(3), sourceEpoch: dice.once(4) ? 1_000_000_000 : undefined }
      const directoryTimes = !dice.once(3)
      let now = 2_000_000_000_500_000_000n
      let model = plainDirectory()
      let applied = plainDirectory()
      const layers: Layer[] = []
      for (const batch of batches) {
        const previous = model
        model = copied(model)
        const was = pathsIn(model)
        for (const one of batch) {
          for (const edit of drawEdits(new Dice(one), model, was, ableModel))
            perform(model, edit, (now += 1_000_000_000n))
        }
        const after = oracleTree(model)
        const before = dice.once(2) ? oracleTree(previous) : stackedTree(viewsOf(layers))
        const whole = layers.length === 0 && dice.once(2)
        const opaque = dice.once(3)
        const items = () =>
          whole
            ? packTree(after)
            : packChanges(diff(before, after, { ...times, directoryTimes }), { before, after }, { opaque })
        const tar = await bytesIn(packLayer(items(), times))
        if (dice.once(20)) await sameBytes(tar, items, times)

        // First what the archive says, read by a reader of its own; then what the product makes of it.
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

/** E-13: the bytes do not depend on how the items come. */
async function sameBytes(tar: Buffer, items: () => AsyncIterable<PackItem>, times: object): Promise<void> {
  expect((await bytesIn(packLayer(await valuesOf(items()), times))).equals(tar)).toBe(true)
  async function* slowly() {
    for await (const item of items()) {
      await new Promise((resolve) => setImmediate(resolve))
      yield item
    }
  }
  expect((await bytesIn(packLayer(slowly(), times))).equals(tar)).toBe(true)
}
