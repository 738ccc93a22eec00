import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { processorWait } from '../../src/sys/processor-wait.ts'

/** As the kernel says it, in nanoseconds. */
const asCounted = () => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1])

test('a thread knows how long it has waited for a processor', () => {
  const wait = processorWait()!
  const from = asCounted()
  const now = wait.now() * 1e6
  const to = asCounted()
  wait.close()
  expect(from).toBeGreaterThan(0)
  expect(now).toBeGreaterThan(from - 1)
  expect(now).toBeLessThan(to + 1)
})
