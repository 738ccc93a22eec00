import fc from 'fast-check'

// The same cases for every mutant, or luck would notice some. Few of them, and the first that fails will do: it need not be the smallest.
const most = process.env.PLYFS_MUTATED === 'union' ? 20 : 60
const fixed = { seed: Number(process.env.PLYFS_SEED ?? 7), endOnFailure: true, verbose: 0 }

const assert = (property, { numRuns = 100, ...rest } = {}) =>
  fc.assert(property, { ...rest, ...fixed, numRuns: Math.min(numRuns, most) })

export default { ...fc, assert }
