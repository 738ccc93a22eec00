import { appendFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { copy, openSink, openSource, plainLayer } from '../../src/index.ts'
import { digestOf } from '../../src/model/digest.ts'
import { dockerArchive, tarOf } from '../cli/run-ply.ts'
import { archive, member } from '../tar/raw.ts'
import type { Provocation } from './ground.ts'
import { layout } from './layouts.ts'

const tar = () => archive(member({ name: 'file' }, 'content'))
const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip'

/** Errors of images that are named or read wrongly, or are wrong themselves. */
export const imageErrors: readonly Provocation[] = [
  {
    code: 'PLY_ABORTED',
    what: 'a load that is stopped',
    says: /stopped on request/,
    prepare: async ({ at }) => ['load', at('base.tar'), '-t', 'other'],
    signal: AbortSignal.abort(),
  },
  {
    code: 'PLY_AMBIGUOUS',
    what: 'a layout with two images, of which none is named',
    says: /holds several images; name one of: .*one.*two/,
    prepare: async ({ at }) => ['ls', layout(at('two'), tar(), { names: ['one', 'two'] }), '/'],
  },
  {
    code: 'PLY_BAD_ARCHIVE',
    what: 'a text that is called an archive',
    says: /not an image archive: .*text/,
    prepare: async (ground) => ['load', `docker-archive:${ground.put('text', 'no archive\n'.repeat(1000))}`],
  },
  {
    code: 'PLY_BAD_COMPRESSION',
    what: 'a gzip layer that is cut short, and called by its digest',
    says: /compressed bytes are damaged.*Z-04/,
    async prepare({ at }) {
      const cut = gzipSync(tar()).subarray(0, -20)
      return ['load', `${layout(at('cut'), cut, { layer: { mediaType: gzip }, diffId: digestOf(tar()) })}:1`]
    },
  },
  {
    code: 'PLY_BAD_DOCUMENT',
    what: 'an index that is no JSON',
    says: /index\.json.* is not valid/,
    async prepare(ground) {
      layout(ground.at('oci'), tar())
      ground.put('oci/index.json', '{')
      return ['load', `oci:${ground.at('oci')}:1`]
    },
  },
  {
    code: 'PLY_BAD_LAYER',
    what: 'a hardlink to what is not there',
    says: /layer entry alias: a hardlink to .*\([A-Z]-\d\d\)/,
    async prepare({ at }) {
      const linked = archive(member({ name: 'alias', type: '1', linkName: 'nowhere' }))
      return ['load', `${layout(at('oci'), linked)}:1`]
    },
  },
  {
    code: 'PLY_BAD_REFERENCE',
    what: 'a name in upper case',
    says: /not a reference: "UPPER CASE"/,
    prepare: async () => ['inspect', 'UPPER CASE'],
  },
  {
    code: 'PLY_BLOB_NOT_FOUND',
    what: 'a layout without its layer',
    says: /no blob sha256:[0-9a-f]{64} in \S+oci/,
    prepare: async ({ at }) => ['load', `${layout(at('oci'), tar(), { lies: undefined })}:1`],
  },
  {
    code: 'PLY_BUDGET',
    what: 'a layer with more entries than may be',
    says: /exceeds the budget of 1.*--limit entries=VALUE/s,
    async prepare({ at }) {
      const two = archive(member({ name: 'one' }, '1'), member({ name: 'two' }, '2'))
      return ['load', `${layout(at('oci'), two)}:1`, '--limit', 'entries=1']
    },
  },
  {
    code: 'PLY_CHANGED',
    what: 'an archive into which somebody else writes meanwhile',
    says: /\S+out\.tar changed while it was being read/,
    async prepare({ at, store }) {
      const image = await (await store()).image('base:1')
      const path = at('out.tar')
      const sink = await openSink(`docker-archive:${path}`)
      await sink.write(image, 'x:1')
      return async () => {
        appendFileSync(path, 'x'.repeat(10_240))
        await sink.write(image, 'x:2')
      }
    },
  },
  {
    code: 'PLY_DIGEST_MISMATCH',
    what: 'a layer that is another one',
    says: /expected sha256:[0-9a-f]{64} but the bytes hash to sha256:/,
    async prepare({ at }) {
      const other = tar()
      other[512]! ^= 1
      return ['load', `${layout(at('oci'), tar(), { lies: other })}:1`]
    },
  },
  {
    code: 'PLY_EXISTS',
    what: 'a directory to write to that holds something else',
    says: /\S+full exists already and is not empty/,
    prepare: async (ground) => ['copy', 'base:1', `oci:${ground.folder('full', { file: 'x' })}:1`],
  },
  {
    code: 'PLY_IMAGE_NOT_FOUND',
    what: 'an image that is not there',
    says: /no image named nothing:latest in \S+store; list them with: ply images/,
    prepare: async () => ['inspect', 'nothing'],
  },
  {
    code: 'PLY_IMAGE_NOT_FOUND',
    what: 'a tag that a layout does not have',
    says: /no image named .*2.* in \S+oci; it has: .*1/,
    prepare: async ({ at }) => ['ls', `${layout(at('oci'), tar())}:2`, '/'],
  },
  {
    code: 'PLY_PLATFORM_NOT_FOUND',
    what: 'an image for another platform',
    says: /has no image for linux\/s390x; it has: linux\/amd64/,
    prepare: async ({ at }) => ['load', `${layout(at('oci'), tar())}:1`, '--platform', 'linux/s390x'],
  },
  {
    code: 'PLY_SIZE_MISMATCH',
    what: 'a layer with fewer bytes than its descriptor says',
    says: /expected 99999 bytes but there are \d+/,
    prepare: async ({ at }) => ['load', `${layout(at('oci'), tar(), { layer: { size: 99_999 } })}:1`],
  },
  {
    code: 'PLY_UNKNOWN_TRANSPORT',
    what: 'a place that nobody knows',
    says: /unknown transport carrier-pigeon; known: .*oci/,
    prepare: async () => ['load', 'carrier-pigeon:/coop'],
  },
  {
    code: 'PLY_UNREPRESENTABLE',
    what: 'a name that no layer can hold',
    says: /cannot be written to a layer/,
    prepare: async () => async () => plainLayer({ '/a\0b': 'x' }),
  },
  {
    code: 'PLY_UNSIGNED',
    what: 'an image without a signature, where one is asked for',
    says: /no signature vouches for .*oci/,
    async prepare(ground) {
      const reference = `${layout(ground.at('oci'), tar())}:1`
      return ['verify', reference, '--key', ground.put('key.pem', (await keys()).publicKey)]
    },
  },
  {
    code: 'PLY_BAD_KEY',
    what: 'a key that is none',
    says: /text.* is not a key that can be used/,
    prepare: async (ground) => ['sign', 'base:1', '--key', ground.put('text', 'no key')],
  },
  {
    code: 'PLY_UNSUPPORTED',
    what: 'another digest algorithm',
    says: /digest algorithm sha512 is not supported/,
    async prepare({ at }) {
      return ['load', `${layout(at('oci'), tar(), { layer: { digest: `sha512:${'0'.repeat(128)}` } })}:1`]
    },
  },
  {
    code: 'PLY_USAGE',
    what: 'a value that cannot be read',
    says: /--depth: expected an integer but received: many.*ply tree --help/s,
    prepare: async () => ['tree', 'base:1', '--depth', 'many'],
  },
  {
    code: 'PLY_BAD_DOCKERFILE',
    what: 'an instruction that there is not',
    says: /Dockerfile:2: .*FRMO/,
    prepare: async (ground) => ['build', ground.folder('context', { Dockerfile: 'FROM scratch\nFRMO x\n' })],
  },
  {
    code: 'PLY_TOO_LARGE',
    what: 'a Dockerfile of 17 MB',
    says: /Dockerfile.* is larger than 16777216 bytes/,
    prepare: async (ground) => [
      'build',
      ground.folder('context', { Dockerfile: `FROM scratch\n${'#\n'.repeat(17 << 19)}` }),
    ],
  },
  {
    code: 'ENOENT',
    what: 'a file that is not there',
    says: /no such file or directory.*nothing/,
    prepare: async ({ at }) => ['load', at('nothing.tar')],
  },
  {
    code: 'PLY_EXISTS',
    what: 'an extraction into what is not empty',
    says: /exists already/,
    async prepare(ground) {
      await dockerArchive(ground.at('again.tar'), 'x:1', [{ a: await tarOf({}) }])
      return async () =>
        copy(
          await openSource(`docker-archive:${ground.at('again.tar')}`),
          await openSink(`dir:${ground.folder('d', { x: 'x' })}`),
        )
    },
  },
]

async function keys() {
  const { generateKeyPairSync } = await import('node:crypto')
  return generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
}
