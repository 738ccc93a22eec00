import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { codeOf } from '../../src/model/errors.ts'
import { canonicalJson } from '../../src/model/json.ts'
import {
  manifestOrIndex,
  parseArchiveManifest,
  parseConfig,
  parseIndex,
  parseManifest,
} from '../../src/model/parse-documents.ts'

const digest = digestOf(Buffer.from('x'))
const layer = { mediaType: mediaTypes.ociLayerGzip, digest, size: 5 }
const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(Buffer.from('c')), size: 7 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const imageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } }

describe('documents that are fine', () => {
  test('a manifest keeps the fields that nobody knows', () => {
    const given = { ...manifest, 'org.example': { a: [1] }, layers: [{ ...layer, data: 'QQ==' }] }
    expect(parseManifest(bytes(given))).toEqual(given)
  })

  test('the same layer twice is fine', () => {
    expect(parseManifest(bytes({ ...manifest, layers: [layer, layer] })).layers).toHaveLength(2)
  })

  test('null stands for nothing, as Go writes empty lists and maps', () => {
    expect(parseManifest(bytes({ ...manifest, layers: null, annotations: null }))).toEqual({ ...manifest, layers: [] })
    const parsed = parseConfig(
      bytes({
        ...imageConfig,
        history: null,
        created: null,
        config: { Env: null, Labels: null, Cmd: null, User: 'a' },
      }),
    )
    expect(parsed).toEqual({ ...imageConfig, config: { Cmd: null, User: 'a' } })
    expect(parseIndex(bytes({ schemaVersion: 2, manifests: null })).manifests).toEqual([])
  })

  test('a config keeps the fields that nobody knows', () => {
    const given = {
      ...imageConfig,
      docker_version: '1',
      config: { OnBuild: ['x'] },
      history: [{ created_by: 'a', x: 1 }],
    }
    expect(parseConfig(bytes(given))).toEqual(given)
  })

  test('a config without architecture has an empty one', () => {
    expect(parseConfig(bytes({ rootfs: { type: 'layers', diff_ids: [] } }))).toMatchObject({ architecture: '', os: '' })
  })

  test('a member named __proto__ is a member', () => {
    const parsed = parseConfig(Buffer.from(`{"__proto__":{"os":"evil"},${JSON.stringify(imageConfig).slice(1)}`))
    expect(parsed.os).toBe('linux')
    expect(({} as { os?: string }).os).toBeUndefined()
    expect(canonicalJson(parsed).toString()).toContain('"__proto__":{"os":"evil"}')
  })
})

describe('documents that are refused, naming the field', () => {
  const wrong = (change: object) => bytes({ ...manifest, ...change })
  test.each([
    ['text', Buffer.from('hello'), /not JSON/],
    ['nothing', Buffer.alloc(0), /not JSON/],
    ['a list', bytes([]), /it is a list, not an object/],
    ['null', bytes(null), /it is missing/],
    ['no version', wrong({ schemaVersion: undefined }), /schemaVersion is missing/],
    ['another version', wrong({ schemaVersion: 3 }), /schemaVersion is 3, not 2/],
    [
      'an index’s type',
      wrong({ mediaType: mediaTypes.ociIndex }),
      /mediaType is ".*index.*", not the type of a manifest/,
    ],
    ['both kinds', wrong({ manifests: [] }), /manifests/],
    ['no config', wrong({ config: undefined }), /config is missing/],
    ['layers as text', wrong({ layers: 'x' }), /layers is "x", not a list/],
    ['a layer as number', wrong({ layers: [layer, 5] }), /layers\[1\] is 5, not an object/],
    ['a negative size', wrong({ layers: [{ ...layer, size: -1 }] }), /layers\[0\]\.size is -1/],
    ['a fraction', wrong({ layers: [{ ...layer, size: 0.5 }] }), /layers\[0\]\.size is 0\.5/],
    [
      'a size past 2^53',
      Buffer.from(JSON.stringify(manifest).replace('"size":5', '"size":1e300')),
      /layers\[0\]\.size/,
    ],
    ['a size as text', wrong({ layers: [{ ...layer, size: '5' }] }), /layers\[0\]\.size is "5"/],
    ['no size', wrong({ layers: [{ ...layer, size: undefined }] }), /layers\[0\]\.size is missing/],
    ['an odd digest', wrong({ layers: [{ ...layer, digest: 'sha256:../../etc' }] }), /layers\[0\]\.digest is "sha256:/],
    ['one digest, two sizes', wrong({ layers: [layer, { ...layer, size: 6 }] }), /two sizes, 5 and 6/],
    ['numbers in annotations', wrong({ annotations: { a: 1 } }), /annotations\.a is 1, not a text/],
    [
      'a platform without os',
      wrong({ layers: [{ ...layer, platform: { architecture: 'x' } }] }),
      /platform\.os is missing/,
    ],
  ])('%s', (_, raw, reason) => {
    expect(() => parseManifest(raw)).toThrow(
      expect.objectContaining({ code: 'PLY_BAD_DOCUMENT', message: expect.stringMatching(reason) }),
    )
  })

  test.each([
    ['no rootfs', { ...imageConfig, rootfs: undefined }, /rootfs is missing: this is not the config of an image/],
    ['another rootfs', { ...imageConfig, rootfs: { type: 'zfs', diff_ids: [] } }, /rootfs\.type is "zfs"/],
    ['an odd diffID', { ...imageConfig, rootfs: { type: 'layers', diff_ids: ['a'] } }, /rootfs\.diff_ids\[0\]/],
    ['Env as object', { ...imageConfig, config: { Env: { A: 'b' } } }, /config\.Env is an object, not a list/],
    [
      'empty_layer as text',
      { ...imageConfig, history: [{ empty_layer: 'yes' }] },
      /history\[0\]\.empty_layer is "yes"/,
    ],
    ['os as number', { ...imageConfig, os: 5 }, /os is 5, not a text/],
  ])('a config with %s', (_, document, reason) => {
    expect(() => parseConfig(bytes(document))).toThrow(
      expect.objectContaining({ code: 'PLY_BAD_DOCUMENT', message: expect.stringMatching(reason) }),
    )
  })

  test('sha512 is refused as what it is', () => {
    const raw = wrong({ layers: [{ ...layer, digest: `sha512:${'a'.repeat(128)}` }] })
    expect(() => parseManifest(raw)).toThrow(
      expect.objectContaining({ code: 'PLY_UNSUPPORTED', message: expect.stringContaining('layers[0].digest') }),
    )
  })

  test('schema 1 is refused as what it is', () => {
    expect(() => parseManifest(bytes({ schemaVersion: 1, fsLayers: [] }))).toThrow(
      expect.objectContaining({ code: 'PLY_UNSUPPORTED' }),
    )
  })

  test('more than 4 MiB are not looked at', () => {
    expect(() => parseManifest(Buffer.alloc((4 << 20) + 1, ' '))).toThrow(/limit is 4194304/)
  })

  test('deep nesting neither overflows the stack nor passes', () => {
    const deep = Buffer.from(`{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`)
    expect(() => parseManifest(deep)).toThrow(/nested deeper/)
    const texts = Buffer.from(JSON.stringify({ ...manifest, note: `\\"${'['.repeat(1000)}` }))
    expect(parseManifest(texts)).toMatchObject({ schemaVersion: 2 })
  })

  test('what is both a manifest and an index is neither', () => {
    expect(() => manifestOrIndex(bytes({ ...manifest, manifests: [] }), 'x')).toThrow(/at once/)
    expect(manifestOrIndex(bytes(manifest), 'x')).toBe('manifest')
    expect(manifestOrIndex(bytes({ schemaVersion: 2, manifests: [] }), 'x')).toBe('index')
  })

  test('a docker-archive without images is refused', () => {
    expect(() => parseArchiveManifest(bytes([]))).toThrow(/lists no image/)
    expect(() => parseArchiveManifest(bytes([{ Config: 'a', Layers: [1] }]))).toThrow(/\[0\]\.Layers\[0\] is 1/)
    expect(parseArchiveManifest(bytes([{ Config: 'a', RepoTags: null, Layers: ['b'] }]))).toEqual([
      { config: 'a', repoTags: [], layers: ['b'] },
    ])
  })

  test('no JSON makes a parser fail with anything but a code', () => {
    const parsers = [parseManifest, parseIndex, parseConfig, parseArchiveManifest]
    const value = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), tie('manifest')),
      manifest: fc.record(
        {
          schemaVersion: fc.constantFrom(1, 2, '2', null),
          mediaType: fc.constantFrom(...Object.values(mediaTypes), 5),
          config: fc.oneof(fc.constant(config), tie('value')),
          layers: fc.oneof(fc.constant([layer]), fc.array(tie('value')), tie('value')),
          manifests: fc.array(tie('value')),
          rootfs: fc.oneof(fc.constant(imageConfig.rootfs), tie('value')),
          history: tie('value'),
        },
        { requiredKeys: [] },
      ),
    })).value
    fc.assert(
      fc.property(value, (document) => {
        for (const parse of parsers) {
          try {
            parse(bytes(document))
          } catch (error) {
            expect(codeOf(error)).toMatch(/^PLY_(BAD_DOCUMENT|UNSUPPORTED)$/)
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('canonical JSON does not depend on the order in which a value was built', () => {
  expect(canonicalJson({ b: 1, a: [{ d: null, c: undefined }] }).toString()).toBe('{"a":[{"d":null}],"b":1}')
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value).toString())).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

function bytes(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document))
}
