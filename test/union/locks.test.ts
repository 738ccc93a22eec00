import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { advisoryLocks, type LockKind, lockGranted } from '../../src/union/locks.ts'
import { caught } from './upper-contract.ts'

const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const [a, b, c] = [{ owner: 'a' }, { owner: 'b' }, { owner: 'c' }]
const whole = { start: 0, end: Number.POSITIVE_INFINITY }
const span = (start: number, end: number) => ({ start, end })

describe('flock', () => {
  test('shared locks stand beside each other, an exclusive one stands alone', () => {
    const locks = advisoryLocks()
    expect(locks.flock(1, a, 'shared')).toBe(true)
    expect(locks.flock(1, b, 'shared')).toBe(true)
    expect(locks.flock(1, c, 'exclusive')).toBe(false)
    expect(locks.flock(2, c, 'exclusive')).toBe(true)
    locks.flock(1, a, 'none')
    locks.release(1, b)
    expect(locks.flock(1, c, 'exclusive')).toBe(true)
    expect(locks.flock(1, c, 'exclusive')).toBe(true)
    expect(locks.flock(1, a, 'shared')).toBe(false)
  })

  test('a lock that is changed is given up first, and lost if the new one cannot be had', () => {
    const locks = advisoryLocks()
    locks.flock(1, a, 'shared')
    locks.flock(1, b, 'shared')
    expect(locks.flock(1, a, 'exclusive')).toBe(false)
    expect(locks.flock(1, b, 'exclusive')).toBe(true)
    expect(locks.flock(1, b, 'shared')).toBe(true)
    expect(locks.flock(1, a, 'shared')).toBe(true)
  })

  test('who waits gets the lock in turn, all the shared ones at once', () => {
    const locks = advisoryLocks()
    const got: string[] = []
    locks.flock(1, a, 'exclusive')
    locks.flock(1, b, 'shared', () => got.push('b'))
    locks.flock(1, { owner: 'x' }, 'exclusive', () => got.push('x'))
    const cancel = locks.flock(1, { owner: 'y' }, 'exclusive', () => got.push('y'))
    locks.flock(1, c, 'shared', () => got.push('c'))
    expect(got).toEqual([])
    locks.release(1, a)
    expect(got).toEqual(['b', 'c'])
    cancel()
    locks.release(1, b)
    locks.release(1, c)
    expect(got).toEqual(['b', 'c', 'x'])
  })

  test('waiting can be awaited, and ends with an abort', async () => {
    const locks = advisoryLocks()
    locks.flock(1, a, 'exclusive')
    const controller = new AbortController()
    const aborted = lockGranted((granted) => locks.flock(1, b, 'exclusive', granted), controller)
    const waiting = lockGranted((granted) => locks.flock(1, c, 'exclusive', granted))
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'EINTR' })
    locks.release(1, a)
    await waiting
    expect(locks.flock(1, b, 'shared')).toBe(false)
  })
})

describe('ranges', () => {
  test('are split where one in the middle is given up or changed, and one again where they touch', () => {
    const locks = advisoryLocks()
    locks.range(1, a, 'exclusive', span(0, 100))
    locks.range(1, a, 'none', span(40, 60))
    expect(locks.blocking(1, b, 'shared', span(50, 51))).toBeUndefined()
    expect(locks.blocking(1, b, 'shared', whole)).toEqual({ kind: 'exclusive', start: 0, end: 40, owner: a })
    expect(locks.blocking(1, b, 'shared', span(40, 200))).toEqual({ kind: 'exclusive', start: 60, end: 100, owner: a })
    locks.range(1, a, 'shared', span(20, 40))
    expect(locks.blocking(1, b, 'exclusive', span(25, 26))).toMatchObject({ kind: 'shared', start: 20, end: 40 })
    expect(locks.blocking(1, b, 'shared', span(20, 60))).toBeUndefined()
    locks.range(1, a, 'exclusive', span(20, 60))
    expect(locks.blocking(1, b, 'shared', span(99, 100))).toEqual({ kind: 'exclusive', start: 0, end: 100, owner: a })
  })

  test('of one owner never keep that owner away, and go with any descriptor of theirs', () => {
    const locks = advisoryLocks()
    locks.range(1, a, 'exclusive', whole)
    expect(locks.range(1, a, 'shared', span(5, 10))).toBe(true)
    expect(locks.range(1, b, 'shared', span(5, 10))).toBe(true)
    expect(locks.range(1, b, 'shared', span(4, 10))).toBe(false)
    locks.release(1, a)
    expect(locks.range(1, b, 'exclusive', whole)).toBe(true)
  })

  test('a range is not empty and starts nowhere before the file', () => {
    const locks = advisoryLocks()
    expect(codeOf(caught(() => locks.range(1, a, 'shared', span(5, 5))))).toBe('EINVAL')
    expect(codeOf(caught(() => locks.range(1, a, 'none', span(-1, 5))))).toBe('EINVAL')
    expect(codeOf(caught(() => locks.blocking(1, a, 'shared', span(5, 4))))).toBe('EINVAL')
  })

  test('who waits gets the range when the last that kept it away is gone', () => {
    const locks = advisoryLocks()
    const got: string[] = []
    locks.range(1, a, 'exclusive', span(0, 10))
    locks.range(1, b, 'shared', span(20, 30))
    locks.range(1, c, 'exclusive', whole, () => got.push('c'))
    locks.range(1, a, 'none', whole)
    expect(got).toEqual([])
    locks.release(1, b)
    expect(got).toEqual(['c'])
    expect(locks.range(1, a, 'shared', span(1000, 1001))).toBe(false)
  })

  test('who would wait for who waits for them is told EDEADLK, over any number of others', () => {
    const locks = advisoryLocks()
    locks.range(1, a, 'exclusive', whole)
    locks.range(2, b, 'exclusive', whole)
    locks.range(3, c, 'exclusive', whole)
    const cancel = locks.range(2, a, 'exclusive', span(0, 1), () => {})
    locks.range(3, b, 'shared', span(7, 8), () => {})
    expect(codeOf(caught(() => locks.range(1, c, 'shared', whole, () => {})))).toBe('EDEADLK')
    // Not waiting is never a deadlock, and without the one in between there is none.
    expect(locks.range(1, c, 'shared', whole)).toBe(false)
    cancel()
    let got = false
    locks.range(1, c, 'shared', whole, () => (got = true))
    locks.release(1, a)
    expect(got).toBe(true)
  })

  test(`come out as if each byte had a lock of its own (seed ${seed})`, () => {
    const owners = [a, b, c]
    const kinds = ['shared', 'exclusive', 'none'] as const
    const step = fc.record({
      owner: fc.nat(2),
      kind: fc.constantFrom<LockKind | 'none'>(...kinds),
      start: fc.nat(15),
      length: fc.integer({ min: 1, max: 16 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const locks = advisoryLocks()
        const bytes = owners.map(() => new Array<LockKind | 'none'>(32).fill('none'))
        for (const { owner, kind, start, length } of steps) {
          const end = start + length
          const clashes = bytes.some(
            (held, other) =>
              other !== owner &&
              held
                .slice(start, end)
                .some(
                  (has) => has !== 'none' && kind !== 'none' && 'exclusive' === (kind === 'exclusive' ? kind : has),
                ),
          )
          expect(locks.range(1, owners[owner]!, kind, { start, end })).toBe(!clashes)
          if (!clashes) bytes[owner]!.fill(kind, start, end)
        }
        const observer = {}
        for (let at = 0; at < 32; at++) {
          const one = locks.blocking(1, observer, 'exclusive', { start: at, end: at + 1 })
          const holders = bytes.map((held) => held[at]).filter((has) => has !== 'none')
          expect(one?.kind).toBe(holders[0])
        }
      }),
      { seed, numRuns: 300 },
    )
  })

  test('ten thousand of one owner, and ten thousand that wait, are no burden', () => {
    const locks = advisoryLocks()
    const before = process.cpuUsage()
    for (let i = 0; i < 10_000; i++) locks.range(1, a, 'exclusive', span(i * 10, i * 10 + 5))
    for (let i = 0; i < 10_000; i++) locks.range(1, a, 'none', span(i * 10, i * 10 + 5))
    let got = 0
    const owners = Array.from({ length: 10_000 }, (_, i) => ({ i }))
    locks.flock(2, a, 'exclusive')
    for (const owner of owners) locks.flock(2, owner, 'exclusive', () => got++)
    locks.flock(2, a, 'none')
    for (const owner of owners) locks.release(2, owner)
    expect(got).toBe(10_000)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(5000)
  })
})
