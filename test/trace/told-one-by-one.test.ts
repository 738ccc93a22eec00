import { expect, test } from 'vitest'
import { Pace } from '../../src/model/pace.ts'
import { toldOneByOne } from '../../src/trace/told-one-by-one.ts'
import { valuesOf } from '../support/collect.ts'

const later = (value: number, after: number) => new Promise<number>((done) => setTimeout(done, after, value))

function telling(values: () => Generator<number | Promise<number>, void, undefined>, signal?: AbortSignal) {
  return toldOneByOne(() => ({ pace: new Pace(signal), values: values() }))
}

test('values come in order, whether they are there or not, also to who asks for several at once', async () => {
  const values = function* () {
    for (let at = 0; at < 300; at++) yield at % 7 === 0 ? later(at, 3 - (at % 3)) : at
  }
  const expected = Array.from({ length: 300 }, (_, at) => at)
  expect(await valuesOf(telling(values))).toEqual(expected)
  const all = telling(values)
  const asked = await Promise.all(Array.from({ length: 302 }, () => all.next()))
  expect(asked.map(({ value }) => value)).toEqual([...expected, undefined, undefined])
})

test('nothing happens before the first is asked for, and leaving early ends it', async () => {
  const happened: string[] = []
  const all = telling(function* () {
    try {
      happened.push('begun')
      yield 1
      yield 2
    } finally {
      happened.push('ended')
    }
  })
  expect(happened).toEqual([])
  for await (const value of all) {
    expect(value).toBe(1)
    break
  }
  expect(happened).toEqual(['begun', 'ended'])
  expect(await all.next()).toEqual({ done: true, value: undefined })
})

test('what goes wrong is told once, and is the end', async () => {
  for (const wrong of [() => Promise.reject(new Error('wrong')), () => expect.fail('wrong')]) {
    const all = telling(function* () {
      yield 1
      yield wrong()
      yield 2
    })
    expect((await all.next()).value).toBe(1)
    await expect(all.next()).rejects.toThrow('wrong')
    expect(await all.next()).toEqual({ done: true, value: undefined })
  }
  await expect(telling(function* () {}, AbortSignal.abort()).next()).rejects.toMatchObject({ code: 'PLY_ABORTED' })
})

test('others get a turn, and a signal stops it', async () => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 30)
  const endless = telling(function* () {
    for (let at = 0; ; at++) yield at
  }, stop.signal)
  await expect(valuesOf(endless)).rejects.toMatchObject({ code: 'PLY_ABORTED' })
})
