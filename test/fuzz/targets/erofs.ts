import { mutateIndex } from '../mutate/index.ts'
import { choiceOf } from '../oracle/cuts.ts'
import { foldAlone, indexRefusals, viewOf, walkIndex } from '../oracle/index-walk.ts'
import { nameOf, outcomeNow } from '../oracle/outcome.ts'
import { indexSeeds } from '../seeds/indexes.ts'
import type { Target } from '../target.ts'

/** What may be said of a layer whose index was made to deceive. */
const foldRefusals = ['PLY_BAD_INDEX', 'PLY_BAD_LAYER', 'PLY_UNREPRESENTABLE'] as const

/** Indexes that were damaged, or made to deceive: everything in them is read, and stacked (docs/index-format.md, 4). */
export const erofs: Target = {
  name: 'erofs',
  covers: ['erofs', 'layer/layer-view.ts'],
  largest: 192 << 10,
  seeds: indexSeeds,
  mutate: mutateIndex,
  async run(input) {
    const walked = outcomeNow(indexRefusals, () => walkIndex(input))
    const folded =
      choiceOf(input) % 4 === 0 ? nameOf(await foldAlone(() => viewOf(input, Buffer.alloc(0)), foldRefusals)) : ''
    if (walked.refusal !== undefined) return `${walked.refusal.message.replace(/\d+/g, 'N')} ${folded}`
    const { kinds, names, xattrs, links } = walked.value
    const counts = [names, xattrs, links].map((count) => Math.ceil(Math.log2(count + 1)))
    return `read ${[...kinds].sort()} ${counts} ${folded}`
  },
}
