import { gunzipSync, gzipSync } from 'node:zlib'
import { type ImportOptions, importLayer, rebuildIndex } from '../../../src/layer/index.ts'
import { digestOf } from '../../../src/model/digest.ts'
import { PlyError } from '../../../src/model/errors.ts'
import { compressionOf } from '../../../src/stream/compression.ts'
import { zstdDecoders } from '../../../src/sys/libzstd.ts'
import { rawFrame, skippable } from '../../stream/zstd-writing.ts'
import { mutateGzip } from '../mutate/gzip.ts'
import { mutateTar } from '../mutate/tar.ts'
import { mutateZstd } from '../mutate/zstd.ts'
import { tarRefusals } from '../oracle/check-tar.ts'
import { choiceOf, streamInCuts } from '../oracle/cuts.ts'
import { foldAlone, viewOf, walkIndex } from '../oracle/index-walk.ts'
import { must, nameOf, outcomeOf, Violation } from '../oracle/outcome.ts'
import { readFiles } from '../oracle/read-view.ts'
import { mostOutput } from '../oracle/streams.ts'
import { Random } from '../random.ts'
import { sparseSeeds } from '../seeds/sparse.ts'
import { tarSeeds } from '../seeds/tars.ts'
import type { Target } from '../target.ts'

const importRefusals = [...tarRefusals, 'PLY_BAD_COMPRESSION', 'PLY_DIGEST_MISMATCH', 'PLY_SIZE_MISMATCH'] as const
const mediaTypes = [
  undefined,
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.oci.image.layer.v1.tar',
] as const

/** Whole blobs: decompressed, hashed, indexed, built again from the tar, read and stacked (layer-semantics I-01 to I-03). */
export const layer: Target = {
  name: 'layer',
  covers: ['layer', 'stream', 'tar', 'stack'],
  largest: 32 << 10,
  seeds: async () =>
    [...tarSeeds(), ...sparseSeeds().slice(-8)].map((tar, i) => [tar, gzipSync(tar), zstdOf(tar)][i % 3]!),
  mutate: mutateBlob,
  run,
}

async function run(blob: Buffer): Promise<string> {
  const choice = choiceOf(blob)
  const mediaType = mediaTypes[(choice >>> 3) % 3]
  const options: ImportOptions = { zstd: zstdDecoders(), ...(mediaType && { mediaType }) }
  const kept = new Kept()
  const tar = new Kept()
  const imported = await outcomeOf([...importRefusals, 'PLY_TOO_LARGE'], () =>
    importLayer(streamInCuts(blob), { blob: kept, openTar: async () => tar }, expecting(options, blob, choice)),
  )
  if (imported.value === undefined) return nameOf(imported)
  const { compression, diffId, tarSize } = imported.value
  must(kept.bytes.equals(blob), 'the blob was not kept as it is')
  const content = compression === 'none' ? blob : tar.bytes
  must(digestOf(content) === diffId && content.length === tarSize, 'the tar is not what its diffID says')
  const index = await outcomeOf(['PLY_UNREPRESENTABLE'], () => written(imported.value))
  const rebuilt = await outcomeOf(['PLY_UNREPRESENTABLE'], async () =>
    written(await rebuildIndex(streamInCuts(content), { expected: { diffId, size: tarSize } })),
  )
  must(
    nameOf(index) === nameOf(rebuilt),
    'built again it is something else',
    () => `${nameOf(index)}, ${nameOf(rebuilt)}`,
  )
  if (index.value === undefined) return nameOf(index)
  if (!index.value.equals(rebuilt.value!)) throw new Violation('the index is another one when it is built again')
  walkIndex(index.value)
  const view = viewOf(index.value, content)
  const files = readFiles(view, new Random(String(choice)))
  view.close()
  const folded = await foldAlone(() => viewOf(index.value, content), ['PLY_BAD_LAYER', 'PLY_UNREPRESENTABLE'])
  if (folded.value !== undefined) walkIndex(folded.value.bytes)
  return `${compression} ${Math.ceil(Math.log2(files + 1))} ${nameOf(folded)}`
}

/** Now and then more is known of the blob, rightly or wrongly. */
function expecting(options: ImportOptions, blob: Buffer, choice: number): ImportOptions {
  const expected = [
    {},
    { digest: digestOf(blob), size: blob.length },
    { digest: digestOf(Buffer.from('another')) },
    { size: blob.length - 1 },
    {},
    {},
    {},
    {},
  ]
  return { ...options, expected: expected[(choice >>> 9) % 8]! }
}

class Kept {
  readonly #chunks: Buffer[] = []
  #size = 0
  write(chunk: Uint8Array): void {
    this.#size += chunk.length
    // Bombs are for another target; here every byte of the tar is looked at.
    if (this.#size > mostOutput) throw new PlyError('PLY_TOO_LARGE', { what: 'the tar', limit: mostOutput })
    this.#chunks.push(Buffer.from(chunk))
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

async function written(indexed: Awaited<ReturnType<typeof rebuildIndex>>): Promise<Buffer> {
  const sink = new Kept()
  await indexed.writeIndex(sink)
  return sink.bytes
}

function mutateBlob(input: Buffer, other: Buffer, random: Random): Buffer {
  if (random.chance(0.3))
    return compressionOf(input) === 'zstd' ? mutateZstd(input, other, random) : mutateGzip(input, other, random)
  const tar = mutateTar(plain(input), plain(other), random)
  return random.pick([() => tar, () => gzipSync(tar, { level: 1 }), () => zstdOf(tar)])()
}

/** The tar inside, if a plain way leads there. */
function plain(blob: Buffer): Buffer {
  if (compressionOf(blob) === 'zstd') return unframed(blob)
  if (compressionOf(blob) !== 'gzip') return blob
  try {
    return gunzipSync(blob, { maxOutputLength: 1 << 18 })
  } catch {
    // Damaged ones are changed as they are.
    return blob
  }
}

function zstdOf(content: Buffer): Buffer {
  return Buffer.concat([skippable(Buffer.from('x')), rawFrame(content, { block: 4096 })])
}

/** The reverse of `zstdOf`. */
function unframed(blob: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 9 + 6; at + 3 <= blob.length; ) {
    const header = blob.readUIntLE(at, 3)
    const end = at + 3 + (header >> 3)
    parts.push(blob.subarray(at + 3, end))
    at = end
    if (header & 1) break
  }
  return Buffer.concat(parts)
}
