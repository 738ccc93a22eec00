import type { Random } from '../random.ts'
import { mutateBytes } from './bytes.ts'

const keys = [
  'schemaVersion',
  'mediaType',
  'config',
  'layers',
  'manifests',
  'digest',
  'size',
  'annotations',
  'platform',
  'os',
]
  .concat([
    'architecture',
    'variant',
    'rootfs',
    'type',
    'diff_ids',
    'history',
    'created',
    'Env',
    'Cmd',
    'Labels',
    'urls',
    'data',
  ])
  .concat([
    'empty_layer',
    'Config',
    'RepoTags',
    'Layers',
    'Volumes',
    'ExposedPorts',
    'User',
    '__proto__',
    'constructor',
    '',
  ])
const values: readonly unknown[] = [
  null,
  true,
  0,
  1,
  2,
  -1,
  1.5,
  1e21,
  2 ** 53,
  '',
  'x',
  'layers',
  [],
  {},
  [null],
  { a: 1 },
  '\0',
  '\ud800',
]
const words = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  'linux/arm64/v8',
  'docker.io/library/',
  'localhost:5000/',
  ':latest',
].concat([
  '@sha256:',
  'oci:',
  'docker://',
  'dir:',
  '[::1]:5000/',
  '0'.repeat(64),
  'null',
  'true',
  '1e999',
  '"',
  '{"',
  '\\u0000',
  '-0',
  '[[[[',
])

/** Changes a JSON document where it means something, or its text. */
export function mutateJson(input: Buffer, other: Buffer, random: Random): Buffer {
  let document: unknown
  try {
    document = JSON.parse(input.toString('utf8'))
  } catch {
    return mutateBytes(input, other, random, { words })
  }
  if (random.chance(0.15)) return mutateBytes(input, other, random, { words })
  const holder = { document }
  for (let changes = 1 + random.small(4); changes > 0; changes--) change(holder, random)
  return Buffer.from(JSON.stringify(holder.document) ?? '')
}

/** Goes down to somewhere in the document and changes what is there. */
function change(document: object, random: Random): void {
  let at = document as Record<string, unknown>
  for (;;) {
    const names = Object.keys(at)
    const name = random.pick(names)
    const down = name === undefined ? undefined : at[name]
    if (typeof down === 'object' && down !== null && random.chance(0.75)) {
      at = down as Record<string, unknown>
      continue
    }
    const put = (key: string, value: unknown) =>
      Object.defineProperty(at, key, { value, enumerable: true, configurable: true, writable: true })
    const choice = random.below(6)
    if (name === undefined || choice === 0)
      put(Array.isArray(at) ? String(names.length) : random.pick(keys), structuredClone(random.pick(values)))
    else if (choice === 1 && at !== document) Array.isArray(at) ? at.splice(Number(name), 1) : delete at[name]
    else if (choice === 2) put(random.pick(Array.isArray(at) ? names : keys), structuredClone(down))
    else if (choice === 3 && typeof down === 'string') put(name, mutatedText(down, random))
    else if (choice === 4 && typeof down === 'number') put(name, down + random.pick([-1, 1, 0.5, 2 ** 53]))
    else put(name, structuredClone(random.pick(values)))
    return
  }
}

function mutatedText(text: string, random: Random): string {
  const bytes = Buffer.from(text)
  return mutateBytes(bytes, bytes, random, { words }).toString('utf8')
}
