import { isDeepStrictEqual } from 'node:util'
import { digestOf } from '../../../src/model/digest.ts'
import { type ImageIndex, mediaTypes } from '../../../src/model/documents.ts'
import { canonicalJson } from '../../../src/model/json.ts'
import {
  manifestOrIndex,
  parseArchiveManifest,
  parseConfig,
  parseIndex,
  parseManifest,
} from '../../../src/model/parse-documents.ts'
import {
  bestFor,
  fitness,
  formatPlatform,
  normalPlatform,
  parsePlatform,
  thisPlatform,
} from '../../../src/model/platform.ts'
import { formatName, normalName, parseName, splitReference } from '../../../src/model/reference.ts'
import { mutateJson } from '../mutate/json.ts'
import { must, nameOf, type Outcome, outcomeNow } from '../oracle/outcome.ts'
import type { Target } from '../target.ts'

const documentRefusals = ['PLY_BAD_DOCUMENT', 'PLY_UNSUPPORTED', 'PLY_TOO_LARGE'] as const
const referenceRefusals = ['PLY_BAD_REFERENCE', 'PLY_UNKNOWN_TRANSPORT'] as const

/** Manifests, indexes, configs and references: what is taken reads the same when it is written and read again. */
export const documents: Target = {
  name: 'documents',
  covers: ['model'],
  largest: 8 << 10,
  seeds: async () => documentSeeds(),
  mutate: mutateJson,
  async run(input) {
    const outcomes: Outcome<unknown>[] = [
      stable(input, parseManifest),
      stable(input, parseIndex),
      stable(input, parseConfig),
      outcomeNow(documentRefusals, () => parseArchiveManifest(input)),
      outcomeNow(documentRefusals, () => manifestOrIndex(input, 'it')),
    ]
    choose(outcomes[1]!.value as ImageIndex | undefined)
    if (input.length < 500) outcomes.push(...references(input.toString('utf8')))
    return outcomes.map(answer).join(' | ')
  },
}

function stable(input: Buffer, parse: (raw: Uint8Array) => unknown): Outcome<unknown> {
  const first = outcomeNow(documentRefusals, () => parse(input))
  if (first.refusal !== undefined) return first
  const again = outcomeNow(documentRefusals, () => parse(canonicalJson(first.value)))
  must(again.refusal === undefined, 'written again it is refused', () => again.refusal!.message)
  must(isDeepStrictEqual(again.value, first.value), 'written and read again it says something else')
  return first
}

/** What an index says of platforms is compared with this machine. */
function choose(index: ImageIndex | undefined): void {
  for (const { platform } of index?.manifests ?? []) {
    if (platform === undefined) continue
    const said = formatPlatform(platform)
    must(said === formatPlatform(normalPlatform(platform)), 'a platform has two normal forms', () => said)
    must(fitness(platform, platform) > 0, 'a platform does not fit itself', () => said)
    bestFor(thisPlatform('x64'), index!.manifests, (one) => one.platform ?? platform)
  }
}

function references(text: string): Outcome<unknown>[] {
  const name = outcomeNow(referenceRefusals, () => formatName(parseName(text)))
  if (name.refusal === undefined) must(normalName(name.value) === name.value, 'a name has two normal forms', () => text)
  const platform = outcomeNow(['PLY_USAGE'], () => formatPlatform(parsePlatform(text)))
  if (platform.refusal === undefined) {
    const again = formatPlatform(parsePlatform(platform.value))
    must(again === platform.value, 'a platform has two normal forms', () => `${platform.value} ${again}`)
  }
  return [name, outcomeNow(referenceRefusals, () => splitReference(text)), platform]
}

/** What was wrong, without what is somewhere else each time. */
function answer(outcome: Outcome<unknown>): string {
  const { refusal } = outcome
  return refusal === undefined ? nameOf(outcome) : refusal.message.replace(/\d+|"[^"]*"/g, 'N').slice(0, 60)
}

function documentSeeds(): readonly Buffer[] {
  const digest = digestOf(Buffer.from('x'))
  const layer = {
    mediaType: mediaTypes.ociLayerGzip,
    digest,
    size: 5,
    annotations: { a: 'b' },
    urls: ['https://example.org/'],
  }
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(Buffer.from('c')), size: 7 }
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer, layer] }
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' }
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ mediaType: mediaTypes.ociManifest, digest, size: 9, platform }],
  }
  const imageConfig = {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: {
      Env: ['A=b'],
      Cmd: ['sh'],
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      User: 'u',
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: [digest] },
    history: [{ created_by: 'x' }, { empty_layer: true, comment: 'y' }],
  }
  const docker = [{ Config: 'config.json', RepoTags: ['a:b'], Layers: ['a/layer.tar', 'b.tar'] }]
  const texts = [
    'debian',
    'localhost:5000/team/app:tag',
    `debian@${digest}`,
    'oci:/dir:tag',
    'docker://x',
    'linux/arm64/v8',
    'x86_64',
  ]
  return [
    ...[manifest, index, imageConfig, docker, { ...manifest, manifests: [] }].map((one) => canonicalJson(one)),
    ...texts.map((text) => Buffer.from(text)),
    Buffer.from('{"__proto__":{"a":1}}'),
    Buffer.from('['.repeat(200)),
  ]
}
