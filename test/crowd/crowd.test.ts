import { expect, test } from 'vitest'
import { seed } from '../properties/seed.ts'
import { crowd } from './crowd.ts'

/** Five minutes of eight: `npm run soak`. */
const short = { processes: 4, seconds: 12, killEvery: 0.8 }

test('processes that do everything to one store at once, and are killed, see no error and leave no damage and nothing else', async () => {
  const { counts, killed, wrong } = await crowd({ ...short, seed })
  const done = [...counts]
    .filter(([what]) => what.endsWith(' worked'))
    .map(([what, count]) => `${count} ${what.split(' ')[0]}`)
  console.log(`a crowd: ${done.join(', ')}; ${killed} killed (seed ${seed})`)
  expect(wrong).toEqual([])
})
