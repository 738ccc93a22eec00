import { describe, expect, test } from 'vitest'
import { Attention, spell } from '../../src/fuse/attention.ts'

/** What asking once takes, and being woken, in milliseconds. */
const askingTakes = 0.0005
const wakingTakes = 0.02

/**
 * A client that asks again so many milliseconds after the answer, on a machine of which the clock goes on by asking and sleeping alone.
 * With `needsOurProcessor` it comes to ask only while nobody else runs.
 */
function machine({ processors = 2, needsOurProcessor = false, counted = true } = {}) {
  let now = 1000
  let waited = 0
  let due = 0
  let left = 0
  const counts = { asked: 0, slept: 0 }
  const wishes: string[] = []
  const others = { keepAwake: () => wishes.push('awake'), letSleep: () => wishes.push('asleep') }
  const attention = new Attention({ now: () => now, waited: counted ? () => waited : undefined, processors, others })
  const requests = {
    take(): number | undefined {
      counts.asked++
      now += askingTakes
      if (left === 0) return undefined
      return now >= due && !(needsOurProcessor && due > 0) ? 40 : 0
    },
    sleep(milliseconds = Number.POSITIVE_INFINITY): void {
      if (due > now + milliseconds) {
        now += milliseconds
        return
      }
      counts.slept++
      now = Math.max(now, due) + wakingTakes
      due = 0
    },
  }
  return {
    wishes,
    /** Serves so many requests, each so long after the one before; how often it asked and slept meanwhile, and how long it took. */
    serve(many: number, gap: number, { others = 0 } = {}) {
      const before = { ...counts, now }
      left = many
      for (; left > 0; left--) {
        due = now + gap
        if (attention.next(requests) !== 40) throw new Error('it has ended')
        // Who else is there takes the processor for a part of the time.
        waited += others * 0.03
        now += others * 0.03
      }
      return { asked: counts.asked - before.asked, slept: counts.slept - before.slept, took: now - before.now }
    },
    end() {
      left = 0
      due = 0
      return attention.next(requests)
    },
  }
}

describe('the attention of a server', () => {
  test('sleeps between requests that come seldom, and asks for none', () => {
    expect(machine().serve(100, 5)).toMatchObject({ slept: 100, asked: 100 })
  })

  test('stays awake while one comes soon after the other', () => {
    const { serve } = machine()
    expect(serve(1000, 0.01).slept).toBe(1)
  })

  test('goes to sleep when no more come, after one spell of asking', () => {
    const { serve } = machine()
    serve(100, 0.01)
    const { asked, slept } = serve(1, 1000)
    expect(slept).toBe(1)
    expect(asked * askingTakes).toBeGreaterThan(spell)
    expect(asked * askingTakes).toBeLessThan(2 * spell)
    expect(serve(10, 1000).slept).toBe(10)
  })

  test('stops asking where requests come only once it sleeps, for longer each time', () => {
    const { serve } = machine({ needsOurProcessor: true })
    const first = serve(1000, 0.01)
    expect(first.slept).toBe(1000)
    const later = serve(100_000, 0.01)
    expect((later.asked - later.slept) * askingTakes).toBeLessThan(0.01 * later.took)
  })

  test('leaves the processor to others who want it, and asks again when they have gone', () => {
    const { serve } = machine()
    serve(100, 0.01)
    serve(10_000, 0.01, { others: 1 })
    const among = serve(100_000, 0.01, { others: 1 })
    expect(among.slept).toBeGreaterThan(90_000)
    serve(100_000, 0.01)
    expect(serve(1000, 0.01).slept).toBeLessThan(10)
  })

  test('has once been in the way, and is trusted again when it no longer is', () => {
    const { serve } = machine()
    serve(100, 0.01)
    serve(200, 0.01, { others: 1 })
    serve(10_000, 0.01)
    expect(serve(10_000, 0.01).slept).toBe(0)
  })

  test('never asks where there is one processor, or where nobody says who waits for one', () => {
    expect(machine({ processors: 1 }).serve(1000, 0.01)).toMatchObject({ slept: 1000, asked: 1000 })
    expect(machine({ counted: false }).serve(1000, 0.01)).toMatchObject({ slept: 1000, asked: 1000 })
  })

  test('keeps the other processors awake from when requests come quickly until none has come for a while', () => {
    const { serve, wishes } = machine()
    serve(10, 5)
    expect(wishes).toEqual([])
    serve(1000, 0.01)
    serve(10, 1)
    expect(wishes).toEqual(['awake'])
    serve(10, 20)
    expect(wishes).toEqual(['awake', 'asleep'])
    serve(1000, 0.01)
    expect(wishes).toEqual(['awake', 'asleep', 'awake'])
  })

  test('leaves the other processors alone where it is never awake itself', () => {
    const { serve, wishes } = machine({ processors: 1 })
    serve(1000, 0.01)
    expect(wishes).toEqual([])
  })

  test('hears the end awake and asleep', () => {
    const asleep = machine()
    expect(asleep.end()).toBeUndefined()
    const awake = machine()
    awake.serve(100, 0.01)
    expect(awake.end()).toBeUndefined()
  })
})
