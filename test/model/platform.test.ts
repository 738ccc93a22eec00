import { expect, test } from 'vitest'
import { bestFor, fitness, formatPlatform, parsePlatform, thisPlatform } from '../../src/model/platform.ts'

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux/x86_64', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm', 'linux/arm'],
  ['linux/arm/v7', 'linux/arm'],
  ['linux/armhf', 'linux/arm'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['LINUX/AMD64/V3', 'linux/amd64/v3'],
  ['windows/amd64', 'windows/amd64'],
])('%s is written %s', (text, normal) => {
  expect(formatPlatform(parsePlatform(text))).toBe(normal)
})

test.each(['', 'linux', 'linux/', 'a/b/c/d', 'li nux/amd64', 'linux/../x'])('%j is no platform', (text) => {
  expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
})

test('this machine runs linux images of its own architecture', () => {
  expect(formatPlatform(thisPlatform('x64'))).toBe('linux/amd64')
  expect(formatPlatform(thisPlatform('arm64'))).toBe('linux/arm64')
  expect(formatPlatform(thisPlatform('arm'))).toBe('linux/arm')
  expect(thisPlatform().os).toBe('linux')
})

test.each([
  ['linux/arm/v7', 'linux/arm/v6', true],
  ['linux/arm/v6', 'linux/arm/v7', false],
  ['linux/arm', 'linux/arm/v7', true],
  ['linux/arm64', 'linux/arm/v7', false],
  ['linux/amd64', 'linux/amd64/v2', false],
  ['linux/amd64/v3', 'linux/amd64', true],
  ['linux/amd64', 'windows/amd64', false],
  ['linux/arm/v7', 'linux/arm/odd', false],
])('a machine of %s and an image of %s: %s', (machine, image, runs) => {
  expect(fitness(parsePlatform(machine), parsePlatform(image)) > 0).toBe(runs)
})

test('the newest variant that runs is chosen, the first among equals', () => {
  const images = ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64', 'linux/arm/v6', 'linux/arm/v8']
  const best = bestFor(
    parsePlatform('linux/arm/v7'),
    images.map((text, i) => ({ text, i })),
    ({ text }) => parsePlatform(text),
  )
  expect(best).toEqual({ text: 'linux/arm/v6', i: 1 })
  expect(bestFor(parsePlatform('linux/s390x'), images, parsePlatform)).toBeUndefined()
})

test('names that every object has are names like any other', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'valueOf']) {
    const platform = { os: name, architecture: name, variant: name }
    expect(formatPlatform(platform)).toBe(`${name.toLowerCase()}/${name.toLowerCase()}/${name.toLowerCase()}`)
    expect(bestFor(platform, [platform, { os: 'linux', architecture: name }], (one) => one)).toBe(platform)
    expect(fitness(parsePlatform('linux/arm64'), platform)).toBe(0)
  }
  expect(() => parsePlatform('constructor')).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
})
