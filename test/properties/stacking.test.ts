import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diff, packChanges, packView } from '../../src/diff/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { stackedTree } from '../../src/stack/index.ts'
import { squashedView } from '../../src/stack/squash.ts'
import { sayings } from '../layer/layer.ts'
import { bytesIn } from '../support/collect.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { archive } from '../tar/raw.ts'
import { applyTar, NotJudged, Refused } from './apply-tar.ts'
import { expectSame } from './differences.ts'
import { ableModel, drawEdits } from './draw.ts'
import { perform } from './edits.ts'
import { copied, type Inode, pathsIn, plainDirectory } from './inode.ts'
import { oracleTree } from './oracle-tree.ts'
import { Dice, holds, toss, tosses } from './seed.ts'
import { partText, somePart, withoutOrder } from './some-layer.ts'
import { atOnce, foldedBytes, imported, type Layer, merged, openFolded, someArrival, viewsOf } from './stack.ts'

const minutes = 60_000
const lenient = { strict: false } as const

/** What the oracle says of a layer, or why it says nothing. */
function judged(below: Inode, tar: Buffer): Inode | Refused | NotJudged {
  try {
    return applyTar(below, tar)
  } catch (error) {
    if (error instanceof Refused || error instanceof NotJudged) return error
    throw error
  }
}

/** Answers `undefined` for a layer that is refused. */
async function importedOrRefused(tar: Buffer, dice: Dice): Promise<Layer | undefined> {
  try {
    return await imported(tar, someArrival(dice), lenient)
  } catch (error) {
    if (!(error instanceof PlyError) || codeOf(error) !== 'PLY_BAD_LAYER') throw error
    return undefined
  }
}

/** Whether all hardlinks of a stack have what they need (H-06): it can be walked. */
function stands(layers: readonly Layer[]): boolean {
  const tree = stackedTree(viewsOf(layers))
  const walk = (directory: number): void => {
    for (const { ino, kind } of tree.list(directory)) if (kind === 'directory') walk(ino)
  }
  try {
    walk(tree.root)
    return true
  } catch (error) {
    if (!(error instanceof PlyError) || codeOf(error) !== 'PLY_BAD_LAYER') throw error
    return false
  }
}

test(
  'A-03: layers that no tool would write stack to what a reading in two passes makes of them, and are refused where it refuses',
  async () => {
    let accepted = 0
    let refused = 0
    let open = 0
    await holds('strange layers against a second reading', 3000, tosses({ min: 1, max: 4 }, 10), async (batches) => {
      const layers: Layer[] = []
      let below = plainDirectory()
      for (const batch of batches) {
        const dice = new Dice(batch[0] ?? 0)
        const parts = batch.map((one) => somePart(new Dice(one)))
        const tar = archive(...parts.map(({ bytes }) => bytes))
        const opinion = judged(below, tar)
        const layer = await importedOrRefused(tar, dice)
        if (opinion instanceof NotJudged) {
          open++
          continue
        }
        const works = layer !== undefined && stands([...layers, layer])
        if (works === opinion instanceof Refused) {
          const verdict = opinion instanceof Refused ? opinion.message : 'nothing is wrong with it'
          expect.fail(`${verdict}: ${parts.map(partText).join(', ')}`)
        }
        if (opinion instanceof Refused || !layer) {
          refused++
          continue
        }
        accepted++
        layers.push(layer)
        below = opinion
        expectSame(await merged(layers, dice), below)
      }
    })
    console.log(`of these layers ${accepted} were stacked, ${refused} refused by both, ${open} left to other tests`)
    expect(accepted).toBeGreaterThan(open)
  },
  5 * minutes,
)

test(
  'A-01, W-03, W-12, H-05: in whatever order a layer was written, it says the same, and its stack is the same',
  async () => {
    const cases = fc.tuple(toss, tosses({ min: 1, max: 3 }, 14))
    await holds('layers written in another order', 2000, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const layers: Layer[] = []
      const others: Layer[] = []
      for (const batch of batches) {
        const parts = withoutOrder(batch.map((one) => somePart(new Dice(one))))
        const [layer, other] = await Promise.all(
          [parts, dice.shuffled(parts)].map((order) =>
            imported(archive(...order.map(({ bytes }) => bytes)), atOnce, lenient),
          ),
        )
        expect(sayings(other!.view)).toEqual(sayings(layer!.view))
        const works = stands([...layers, layer!])
        expect(stands([...others, other!])).toBe(works)
        if (!works) continue
        layers.push(layer!)
        others.push(other!)
      }
      expect(treeEntries(await merged(others, dice))).toEqual(treeEntries(await merged(layers, dice)))
    })
  },
  5 * minutes,
)

/** A layer of some edits, as the product exports it, or one that no tool would write. */
async function someLayer(batch: readonly number[], model: Inode, dice: Dice): Promise<Layer | undefined> {
  if (dice.once(2)) return importedOrRefused(archive(...batch.map((one) => somePart(new Dice(one)).bytes)), dice)
  const before = oracleTree(copied(model))
  const was = pathsIn(model)
  for (const one of batch) {
    for (const edit of drawEdits(new Dice(one), model, was, ableModel)) perform(model, edit, 5n)
  }
  const after = oracleTree(model)
  const items = packChanges(diff(before, after), { before, after }, { opaque: dice.once(2) })
  return imported(await bytesIn(packLayer(items)), atOnce, lenient)
}

test(
  'A-02, A-04: a stack that is folded at once, in any groups or with layers squashed is the same tree, byte for byte',
  async () => {
    const cases = fc.tuple(toss, tosses({ min: 1, max: 6 }, 10))
    await holds('stacks folded in groups, and squashed', 2000, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const model = plainDirectory()
      const layers: Layer[] = []
      for (const batch of batches) {
        // A layer may be in a stack twice.
        const again = layers.length > 0 && dice.once(8)
        const layer = again ? dice.pick(layers) : await someLayer(batch, model, dice)
        if (layer && stands([...layers, layer])) layers.push(layer)
      }
      const whole = await foldedBytes(layers)
      const inSteps = async (sizeOfStep: () => number) => {
        let bytes: Buffer | undefined
        for (let done = 0; done < layers.length; ) {
          const step = layers.slice(done, done + sizeOfStep())
          bytes = await foldedBytes(step, bytes && openFolded(bytes, layers))
          done += step.length
        }
        return bytes ?? whole
      }
      expect((await inSteps(() => 1)).equals(whole)).toBe(true)
      expect((await inSteps(() => 1 + dice.below(3))).equals(whole)).toBe(true)
      const entries = dice.once(4) ? treeEntries(openFolded(whole, layers)) : undefined
      if (entries) expect(treeEntries(await merged(layers, dice))).toEqual(entries)
      if (layers.length === 0) return

      const from = dice.below(layers.length)
      const to = from + 1 + dice.below(layers.length - from)
      const [below, above] = [layers.slice(0, from), layers.slice(to)]
      const squashed = squashedView(viewsOf(layers.slice(from, to)), { bottom: from === 0 && dice.once(2) })
      expect((await foldedBytes([...below, { view: squashed }, ...above])).equals(whole)).toBe(true)
      if (!entries) return
      const items = packView(squashed, { below: () => stackedTree(viewsOf(below)) })
      const tar = await bytesIn(packLayer(items, { nanoseconds: true }))
      const layer = await imported(tar, atOnce, { strict: true })
      expect(treeEntries(await merged([...below, layer, ...above], dice))).toEqual(entries)
    })
  },
  5 * minutes,
)
