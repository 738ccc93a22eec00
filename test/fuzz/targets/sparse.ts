import { mutateSparse } from '../mutate/sparse.ts'
import { mutateTar } from '../mutate/tar.ts'
import { spansOf } from '../mutate/tar-members.ts'
import { checkTar } from '../oracle/check-tar.ts'
import { sparseSeeds } from '../seeds/sparse.ts'
import type { Target } from '../target.ts'

/** Archives with sparse members of all four forms (layer-semantics section 8), their maps above all. */
export const sparse: Target = {
  name: 'sparse',
  covers: ['tar', 'layer'],
  largest: 64 << 10,
  seeds: async () => sparseSeeds(),
  mutate(input, other, random) {
    const spans = spansOf(input)
    if (spans.length === 0 || random.chance(0.3)) return mutateTar(input, other, random)
    let bytes: Buffer = Buffer.from(input)
    for (let changes = 1 + random.small(3); changes > 0; changes--) {
      const left = spansOf(bytes)
      if (left.length > 0) bytes = mutateSparse(bytes, left, random)
    }
    return bytes
  },
  run: checkTar,
}
