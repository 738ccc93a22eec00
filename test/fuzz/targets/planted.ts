import { PlyError } from '../../../src/model/errors.ts'
import { mutateBytes } from '../mutate/bytes.ts'
import { outcomeNow } from '../oracle/outcome.ts'
import type { Target } from '../target.ts'

/** A target with one of each fault: whether the fuzzer notices them is what its own test asks. */
export const planted: Target = {
  name: 'planted',
  covers: [],
  largest: 64,
  seeds: async () => [Buffer.from('a seed')],
  mutate: (input, other, random) =>
    mutateBytes(input, other, random, { words: ['type', 'rule', 'lost', 'spin', 'late', 'grow', 'exit'] }),
  async run(input) {
    const text = input.toString('latin1')
    if (text.includes('type')) (undefined as unknown as Buffer).toString()
    if (text.includes('rule')) {
      outcomeNow(['PLY_BAD_LAYER'], () => {
        throw new PlyError('PLY_BAD_LAYER', { entry: 'x', reason: 'none', rule: 'why' })
      })
    }
    if (text.includes('lost')) void Promise.reject(new Error('nobody waits for this'))
    if (text.includes('spin')) for (;;);
    if (text.includes('late')) await new Promise(() => {})
    if (text.includes('grow')) Buffer.alloc(320 << 20, 1)
    if (text.includes('exit')) process.kill(process.pid, 'SIGSEGV')
    return 'read'
  },
}
