import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeCache } from '../../src/build/cache/format.ts'
import {
  type BuildEvent,
  type BuildOptions,
  BuiltSteps,
  build,
  type Layer,
  memoryUpper,
  openBuildCache,
  openStore,
  plainLayer,
  type Store,
  union,
  writeBuildCache,
} from '../../src/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { noXattrs } from '../../src/model/entry.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { encodeHeader, endMarker, paddingOf } from '../../src/tar/index.ts'
import { temporary } from '../support/temporary.ts'
import { ownRegistry } from '../transport/registry/own-registry.ts'

const treeOf = (files: Parameters<typeof plainLayer>[0]) =>
  union([plainLayer({ '/': { directory: true }, ...files })], memoryUpper())

const dockerfile = [
  'FROM scratch AS tools',
  'COPY tool /bin/tool',
  'FROM scratch',
  'ARG TOKEN',
  'ENV A=1',
  'WORKDIR /app',
  'COPY src .',
  'COPY --from=tools /bin/tool /bin/',
  'COPY end /',
].join('\n')
const files = { tool: { content: '#!', mode: 0o755 }, 'src/a': 'a', 'src/b': 'b'.repeat(10_000), end: 'the end' }

async function built(store: Store, options: Partial<BuildOptions> = {}) {
  const events: BuildEvent[] = []
  const image = await build(store, {
    dockerfile,
    context: treeOf(files),
    platform: 'linux/amd64',
    args: { TOKEN: 'only-for-this-machine' },
    ...options,
    onEvent: (event) => events.push(event),
  })
  const warnings = events.flatMap((event) => (event.what === 'warning' && event.rule === undefined ? [event.text] : []))
  const states = events.flatMap((event) =>
    event.what === 'step' && ['cached', 'done'].includes(event.state) ? [event.state] : [],
  )
  return { digest: image.digest, states: states.sort().join(' '), warnings }
}

/** Builds in a store of its own, and writes what it has made. */
async function writtenTo(reference: string, mode: 'min' | 'max' = 'max', options: Partial<BuildOptions> = {}) {
  await using store = await openStore(':memory:')
  const steps = new BuiltSteps()
  const first = await built(store, { ...options, made: steps })
  const descriptor = await writeBuildCache(steps, reference, { mode })
  return { ...first, descriptor }
}

async function builtFrom(...references: string[]) {
  await using store = await openStore(':memory:')
  const caches = references.map((reference) => openBuildCache(reference))
  try {
    return await built(store, { caches })
  } finally {
    for (const cache of caches) await cache[Symbol.asyncDispose]()
  }
}

function tarOf(files: Readonly<Record<string, string>>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const fields = { type: '0', name, linkName: '', mode: 0o644, uid: 0, gid: 0, size: text.length, mtime: 0n } as const
    const padding = new Uint8Array(paddingOf(text.length))
    return [encodeHeader({ ...fields, major: 0, minor: 0, xattrs: noXattrs }), Buffer.from(text), padding]
  })
  return Buffer.concat([...blocks, endMarker])
}

const all = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describe('a cache of builds', () => {
  test('gives an empty store elsewhere every step, and the same image: in a layout', async () => {
    const reference = `oci:${join(temporary(), 'cache')}`
    const first = await writtenTo(reference)
    expect(first.states).toBe('done done done done done')
    expect(await builtFrom(reference)).toEqual({
      digest: first.digest,
      states: 'cached cached cached cached cached',
      warnings: [],
    })
  })

  test('gives every step from a registry, where nothing is asked for that no step has made', async () => {
    const registry = await ownRegistry()
    const reference = `docker://${registry.host}/team/app:cache`
    const first = await writtenTo(reference)
    expect(await builtFrom(reference)).toMatchObject({
      digest: first.digest,
      states: 'cached cached cached cached cached',
      warnings: [],
    })
    registry.seen.length = 0
    await using store = await openStore(':memory:')
    await using cache = openBuildCache(reference)
    await built(store, {})
    // Everything is here already.
    await built(store, { caches: [cache] })
    expect(registry.seen).toEqual([])
    // Only the layer of the step that is the same comes.
    await using other = await openStore(':memory:')
    const changed = await built(other, { caches: [cache], context: treeOf({ ...files, 'src/a': 'A' }) })
    expect(changed.states).toBe('cached cached done done done')
    expect(registry.seen.filter(({ path }) => path.includes('/blobs/'))).toHaveLength(3)
  })

  test('of mode min has what the result stands on, and of mode max the other stages too', async () => {
    const directory = temporary()
    const first = await writtenTo(`oci:${directory}:min`, 'min')
    await writtenTo(`oci:${directory}:max`, 'max')
    const min = await builtFrom(`oci:${directory}:min`)
    expect(min).toMatchObject({ digest: first.digest, states: 'cached cached cached cached done' })
    expect((await builtFrom(`oci:${directory}:max`)).states).toBe('cached cached cached cached cached')
  })

  test('is the same bytes whoever builds it, and holds no argument', async () => {
    const directory = temporary()
    const { descriptor } = await writtenTo(`oci:${join(directory, 'a')}`)
    expect((await writtenTo(`oci:${join(directory, 'b')}`)).descriptor).toEqual(descriptor)
    for (const path of all(directory))
      expect(readFileSync(path, 'latin1')).not.toMatch(/only-for-this-machine|TOKEN|WORKDIR/)
  })

  test('that cannot be reached is a warning, said once, and the next is asked', async () => {
    const good = `oci:${join(temporary(), 'cache')}`
    const first = await writtenTo(good)
    const { digest, states, warnings } = await builtFrom('oci:/nowhere/at/all', good)
    expect({ digest, states }).toEqual({ digest: first.digest, states: 'cached cached cached cached cached' })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^the cache oci:\/nowhere\/at\/all is of no use here: .*ENOENT/)
  })

  test('that is an image, or no JSON, is a warning', async () => {
    const directory = temporary()
    await using store = await openStore(':memory:')
    const image = await build(store, { dockerfile: 'FROM scratch\nCOPY <<E /x\nE\n', platform: 'linux/amd64' })
    const { openSink } = await import('../../src/index.ts')
    await using sink = await openSink(`oci:${directory}:image`)
    await sink.write(image)
    const { states, warnings } = await builtFrom(`oci:${directory}:image`)
    expect(states).toBe('done done done done done')
    expect(warnings[0]).toMatch(/it is no cache of builds/)
  })

  test('whose layers are others than it says is refused, and nothing of it is kept', async () => {
    const directory = temporary()
    const first = await writtenTo(`oci:${directory}`)
    const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))
    const blobAt = (digest: string) => join(directory, 'blobs', 'sha256', digest.slice(7))
    const manifest = JSON.parse(readFileSync(blobAt(index.manifests[0].digest), 'utf8'))
    const put = (text: string) => {
      const digest = digestOf(Buffer.from(text))
      writeFileSync(blobAt(digest), text)
      return { digest, size: text.length }
    }
    // Each step gets the layer of another one, under the name of its own.
    const turned = [...manifest.layers.slice(1), manifest.layers[0]]
    Object.assign(manifest, { layers: turned })
    index.manifests[0] = { ...index.manifests[0], ...put(JSON.stringify(manifest)) }
    writeFileSync(join(directory, 'index.json'), JSON.stringify(index))

    const root = temporary()
    await using store = await openStore(root)
    await using cache = openBuildCache(`oci:${directory}`)
    const { digest, states, warnings } = await built(store, { caches: [cache] })
    // One layer is that of another stage too, and is here by then.
    expect({ digest, states }).toEqual({ digest: first.digest, states: 'cached done done done done' })
    expect(warnings.length).toBeGreaterThan(0)
    for (const text of warnings) expect(text).toMatch(/is of no use here: .*sha256:/)
    expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
  })

  test('that is made to do harm is a warning: documents of every wrong shape', async () => {
    const key = 'a'.repeat(64)
    const layer = { diffId: digestOf(Buffer.from('x')), size: 1 }
    const { config } = encodeCache(new Map([[key, undefined]]))
    expect(JSON.parse(Buffer.from(config).toString())).toEqual({ layers: [], steps: [{ key }] })
    const { decodeCache, cacheConfigType } = await import('../../src/build/cache/format.ts')
    const manifest = {
      schemaVersion: 2,
      config: { mediaType: cacheConfigType, digest: layer.diffId, size: 1 },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.diffId, size: 1 }],
    } as const
    const decode = (value: unknown, other: object = {}) =>
      decodeCache({ ...manifest, ...other }, Buffer.from(JSON.stringify(value)), 'it')
    expect(decode({ steps: [{ key, layer: 0 }], layers: [layer] }).get(key)).toMatchObject(layer)
    for (const wrong of [
      null,
      [],
      { steps: {}, layers: [] },
      { steps: [null], layers: [] },
      { steps: [{ key: '../x' }], layers: [] },
      { steps: [{ key, layer: 1 }], layers: [layer] },
      { steps: [{ key, layer: -1 }], layers: [layer] },
      { steps: [{ key, layer: 'length' }], layers: [layer] },
      { steps: [], layers: [layer, layer] },
      { steps: [], layers: [{ ...layer, size: 1.5 }] },
      { steps: [], layers: [{ ...layer, diffId: 'sha256:0' }] },
    ])
      expect(() => decode(wrong)).toThrow(expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }))
    for (const other of [
      { config: { ...manifest.config, mediaType: 'application/json' } },
      { layers: [{ ...manifest.layers[0], urls: ['https://example.com/'] }] },
      { layers: [{ ...manifest.layers[0], mediaType: 'text/plain' }] },
    ])
      expect(() => decode({ steps: [], layers: [layer] }, other)).toThrow(
        expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }),
      )
  })

  test.each([
    ['a path that leads away', tarOf({ '../../away': 'x' }), undefined, /PLY_BAD_LAYER|leads|\.\./],
    ['a tar that is cut off', tarOf({ a: 'x'.repeat(2000) }).subarray(0, 700), undefined, /./],
    ['less than it says', tarOf({ a: 'x' }), 1_000_000, /size|bytes/],
    ['more than it says', tarOf({ a: 'x'.repeat(100_000) }), 5000, /size|bytes/],
    ['a size that no bytes grow to', tarOf({ a: 'x' }), 2 ** 45, /says that \d+ bytes become/],
  ])('with a layer that is or has %s is refused', async (_, tar, size = tar.length, why) => {
    const made = new BuiltSteps()
    await using first = await openStore(':memory:')
    const { digest } = await built(first, { made })
    const diffId = digestOf(tar)
    const read = () => streamOf(memoryBytes(tar))
    const layer: Layer = {
      descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: diffId, size },
      diffId,
      compressed: read,
      uncompressed: read,
    }
    const hostile = new BuiltSteps()
    for (const step of made.of('max')) hostile.add(step.stage === 'tools' ? { ...step, layer } : step)
    const reference = `oci:${temporary()}`
    await writeBuildCache(hostile, reference, { mode: 'max' })
    const { states, warnings, digest: second } = await builtFrom(reference)
    expect({ second, states }).toEqual({ second: digest, states: 'cached cached cached cached done' })
    expect(warnings).toEqual([expect.stringMatching(why)])
  })

  test('that cannot be written is an error', async () => {
    const path = join(temporary(), 'taken')
    mkdirSync(path)
    writeFileSync(join(path, 'file'), 'mine')
    await expect(writtenTo(`oci:${path}`)).rejects.toMatchObject({ code: 'PLY_EXISTS' })
    await expect(writtenTo(`docker-archive:${path}/x`)).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
  })
})
