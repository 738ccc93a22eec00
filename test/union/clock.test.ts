import { expect, test } from 'vitest'
import { systemClock } from '../../src/union/clock.ts'

/** Runs with a wall clock in milliseconds and a monotonic one in nanoseconds that stand still until somebody moves them. */
function withClocks(check: (clocks: { wall: number; monotonic: bigint }) => void): void {
  const [now, bigint] = [Date.now, process.hrtime.bigint]
  const clocks = { wall: 5_000_000, monotonic: 777n }
  Date.now = () => clocks.wall
  process.hrtime.bigint = () => clocks.monotonic
  try {
    check(clocks)
  } finally {
    Date.now = now
    process.hrtime.bigint = bigint
  }
}

const nanoseconds = (milliseconds: number) => BigInt(milliseconds) * 1_000_000n

test('the time is that of the wall clock, with the digits below a millisecond from the monotonic one', () => {
  withClocks((clocks) => {
    const clock = systemClock()
    expect(clock()).toBe(nanoseconds(5_000_000))
    clocks.monotonic += 1n
    expect(clock()).toBe(nanoseconds(5_000_000) + 1n)
    clocks.monotonic += 9_999_998n
    expect(clock()).toBe(nanoseconds(5_000_009) + 999_999n)
  })
})

test.each([
  ['forward', 10],
  ['back', -10],
])('when somebody moves the wall clock %s the time goes along, from ten milliseconds on', (_, by) => {
  withClocks((clocks) => {
    const clock = systemClock()
    clocks.wall += by - Math.sign(by)
    expect(clock(), 'nine').toBe(nanoseconds(5_000_000))
    clocks.wall += Math.sign(by)
    expect(clock(), 'ten').toBe(nanoseconds(5_000_000 + by))
    clocks.monotonic += 5n
    expect(clock(), 'and on').toBe(nanoseconds(5_000_000 + by) + 5n)
  })
})

test('where the monotonic clock runs ahead the wall clock is right', () => {
  withClocks((clocks) => {
    const clock = systemClock()
    clocks.monotonic += 10_000_000n
    expect(clock()).toBe(nanoseconds(5_000_000))
    clocks.monotonic += 3n
    expect(clock()).toBe(nanoseconds(5_000_000) + 3n)
  })
})
