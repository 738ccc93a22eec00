import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { build, buildPlatforms, checkBuild } from '../../src/build/build.ts'
import type { BuildEvent } from '../../src/build/options.ts'
import { manifestsIn, memoryUpper, openStore, plainLayer, union } from '../../src/index.ts'
import { checkRunnable } from '../../src/run/emulation.ts'
import { temporary } from '../support/temporary.ts'

const context = () => union([plainLayer({ '/': { directory: true }, a: 'x' })], memoryUpper())

describe('the checks of a build', () => {
  test('warn with what the images below say, and of nothing that nobody knows', async () => {
    await using store = await openStore(':memory:')
    const below = await build(store, { dockerfile: 'FROM scratch\nENV HERE=1\n', platform: 'linux/arm64' })
    await store.write(below, 'below')
    const dockerfile = 'FROM below\nLABEL a=$HERE b=$NOWHERE\nFROM absent AS other\nLABEL a=$UNKNOWN\n'
    expect(await checkBuild(store, { dockerfile, platform: 'linux/arm64' })).toMatchObject([
      { rule: 'UndefinedVar', line: 2, text: expect.stringContaining('NOWHERE') },
    ])
    expect(
      await checkBuild(store, { dockerfile: 'FROM base', contexts: { base: below }, platform: 'linux/amd64' }),
    ).toMatchObject([
      { rule: 'InvalidBaseImagePlatform', line: 1, text: 'base is for linux/arm64, and linux/amd64 is wanted' },
    ])
  })

  test('are events of a build, before anything is done', async () => {
    await using store = await openStore(':memory:')
    const events: BuildEvent[] = []
    const dockerfile = 'FROM scratch\nCOPY a /\nCMD x\n'
    await build(store, { dockerfile, context: context(), ignored: ['a'], onEvent: (event) => events.push(event) })
    expect(events.slice(0, 2)).toMatchObject([
      { what: 'warning', rule: 'CopyIgnoredFile', line: 2 },
      { what: 'warning', rule: 'JSONArgsRecommended', line: 3 },
    ])
    expect(events.slice(2).every(({ what }) => what === 'step')).toBe(true)
  })

  test('end a build that says so, in the file or by an argument', async () => {
    await using store = await openStore(':memory:')
    const failed = {
      code: 'PLY_BAD_DOCKERFILE',
      details: { line: 3 },
      message: expect.stringContaining('JSONArgsRecommended: '),
    }
    const dockerfile = '# check=error=true\nFROM scratch\nCMD x\n'
    await expect(build(store, { dockerfile })).rejects.toMatchObject(failed)
    const args = { BUILDKIT_DOCKERFILE_CHECK: 'error=true;skip=JSONArgsRecommended' }
    await build(store, { dockerfile, args })
  })
})

describe('a build for several platforms', () => {
  test('is an index of their images, each as it is built alone', async () => {
    await using store = await openStore(':memory:')
    const options = { dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\nCMD x\n', context: context() }
    const events: BuildEvent[] = []
    const platforms = ['linux/arm64', 'linux/amd64', 'linux/riscv64', 'linux/arm/v6']
    const index = await buildPlatforms(store, { ...options, platforms, onEvent: (event) => events.push(event) })
    expect(index.index.manifests.map(({ platform }) => platform?.architecture)).toEqual([
      'arm64',
      'amd64',
      'riscv64',
      'arm',
    ])
    const alone = await build(store, { ...options, platform: 'linux/riscv64' })
    expect([...manifestsIn(index)][2]!.descriptor.digest).toBe(alone.digest)
    expect(events.filter(({ what }) => what === 'warning')).toHaveLength(1)
    expect(new Set(events.flatMap((event) => (event.what === 'step' ? [event.platform] : [])))).toEqual(
      new Set(platforms),
    )
    await store.writeParcel(index, 'all')
    expect((await store.image('all', { platform: 'linux/riscv64' })).digest).toBe(alone.digest)
  })

  test('fails with what is wrong, and not with the others that were stopped for it', async () => {
    await using store = await openStore(':memory:')
    const dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /x\n'
    const files = union([plainLayer({ '/': { directory: true }, arm64: 'x' })], memoryUpper())
    const platforms = ['linux/arm64', 'linux/amd64']
    await expect(buildPlatforms(store, { dockerfile, context: files, platforms })).rejects.toMatchObject({
      message: expect.stringContaining('/amd64 is not there to be copied'),
    })
    await expect(buildPlatforms(store, { dockerfile, context: files, platforms: ['a b'] })).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
    const twice = ['linux/arm64', 'arm64/']
    await expect(buildPlatforms(store, { dockerfile, context: files, platforms: twice })).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
  })

  test('squashes what it adds, and nothing of what was there', async () => {
    await using store = await openStore(':memory:')
    const below = await build(store, { dockerfile: 'FROM scratch\nCOPY a /\nCOPY a /b\n', context: context() })
    await store.write(below, 'below')
    const dockerfile = 'FROM below AS one\nCOPY a /c\nFROM one\nCOPY a /d\nCOPY a /e\n'
    const image = await build(store, { dockerfile, context: context(), squash: true })
    expect(image.layers.map(({ diffId }) => diffId).slice(0, 2)).toEqual(below.layers.map(({ diffId }) => diffId))
    expect(image.layers).toHaveLength(3)
    expect((await build(store, { dockerfile, context: context(), squash: true, noCache: true })).digest).toBe(
      image.digest,
    )
  })
})

describe('a command for another machine', () => {
  test('is refused where the kernel does not emulate it in containers', () => {
    const directory = temporary()
    const foreign = { os: 'linux', architecture: 's390x' }
    const refused = { code: 'PLY_UNSUPPORTED', message: expect.stringContaining('linux/s390x') }
    const attempt = () => checkRunnable(foreign, directory)
    expect(attempt).toThrow(expect.objectContaining(refused))
    writeFileSync(`${directory}/status`, 'enabled\n')
    writeFileSync(`${directory}/qemu-s390x`, 'enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: OC\noffset 0\n')
    expect(attempt).toThrow(expect.objectContaining(refused))
    writeFileSync(`${directory}/qemu-s390x`, 'enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: OCF\noffset 0\n')
    expect(attempt).not.toThrow()
    writeFileSync(`${directory}/status`, 'disabled\n')
    expect(attempt).toThrow(expect.objectContaining(refused))
    checkRunnable({ os: 'linux', architecture: process.arch }, directory)
  })
})
