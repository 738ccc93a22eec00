import { Index } from '../../erofs/index.ts'
import { contentFormat, fileFormat, readRecords, recordSize, type SumsFormat } from '../../layer/content-sums.ts'
import { layerView, rebuildIndex, spillBytes } from '../../layer/index.ts'
import { type DiffId, type Digest, hexOf } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { Pace } from '../../model/pace.ts'
import { writeTree } from '../../stack/fold.ts'
import { type ByteSink, type ByteStream, type Bytes, memoryBytes, slice, streamOf } from '../../stream/bytes.ts'
import { decompressed } from '../../stream/compression.ts'
import { drain, Tally } from '../../stream/hash.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { openIndex } from '../layers/cached-index.ts'
import type { LayerId } from '../layers/layer-files.ts'
import { Comparison } from './comparison.ts'
import type { Survey } from './survey.ts'

/**
 * Whether every cache is byte for byte what would be built now: layers are decompressed and indexed, trees folded, spills and
 * digests read from the tars. Nothing is written. Of a layer whose blob is damaged its cached tar is the measure.
 */
export async function checkCacheContents(survey: Survey): Promise<void> {
  const built = new Map<DiffId, Bytes>()
  for (const id of survey.layers()) await checkLayer(survey, id, built)
  await checkTrees(survey, built)
  const { disk, layout } = survey.store
  if (disk.fs.existsSync(layout.fileSums)) await checkSums(survey, 'cache/files.sums', layout.fileSums, fileFormat)
  const problem = survey.reads(listFile) ? survey.store.names.problemOfList : undefined
  if (problem !== undefined) bad(survey, listFile, problem)
}

const listFile = 'cache/names.list'

function bad(survey: Survey, file: string, problem: string): void {
  const advice = 'ply fsck --repair builds it anew'
  survey.add({ kind: 'drift', code: 'bad-cache', file, problem, advice }, file)
}

const isKnown = (survey: Survey, file: string) => survey.findings.some((finding) => finding.file === file)

async function checkLayer(survey: Survey, id: LayerId, built: Map<DiffId, Bytes>): Promise<void> {
  const { disk, layout, acceptances } = survey.store
  const { diffId, descriptor } = id
  const hex = hexOf(diffId)
  const plain = descriptor.digest === diffId
  const files = {
    tar: `cache/layers/${hex}.tar`,
    index: `cache/layers/${hex}.erofs`,
    spill: `cache/layers/${hex}.spill`,
    sums: `cache/layers/${hex}.sums`,
  }
  if (!Object.values(files).some((file) => survey.reads(file)) && survey.only !== undefined) return
  using index = Comparison.open(disk, layout.indexOf(diffId))
  using tar = plain ? undefined : Comparison.open(disk, layout.tarOf(diffId))
  const fresh: Buffer[] = []
  try {
    const source = sourceOf(survey, id)
    if (source === undefined) return
    const accepted = acceptances.of(diffId)
    const options = { signal: survey.operation.signal, ...accepted, expected: { diffId } }
    const made = await rebuildIndex(tar === undefined ? source : teed(source, tar), options)
    await made.writeIndex({
      write(chunk) {
        index?.write(chunk)
        if (index === undefined || index.differs) fresh.push(Buffer.from(chunk))
      },
    })
  } catch (error) {
    // Then it is the blob that is bad, which has been told, or the cached tar in its place.
    if (!/^PLY_(BAD_|DIGEST_|UNSUPPORTED|BUDGET)|^EIO$|^PLY_BLOB_NOT_FOUND$/.test(codeOf(error) ?? '')) throw error
    if (survey.bad.has(descriptor.digest) && tar !== undefined) bad(survey, files.tar, 'it is not the tar of its layer')
    return
  }
  if (index !== undefined) survey.counted.bytes += index.size
  if (tar !== undefined) survey.counted.bytes += tar.size
  if (index?.ends() === false && !isKnown(survey, files.index)) bad(survey, files.index, index.problem)
  if (tar?.ends() === false && !isKnown(survey, files.tar)) bad(survey, files.tar, tar.problem)
  if (index === undefined || index.differs) {
    const again: Buffer[] = []
    // What was equal before the difference was not kept.
    if (index !== undefined) for (const part of index.before()) again.push(part)
    built.set(diffId, memoryBytes(Buffer.concat([...again, ...fresh])))
  }
  if (tar?.differs === true) return
  await checkOfTar(survey, id, files, built)
}

/** What lies beside the tar and is read from it: spill and digests. */
async function checkOfTar(
  survey: Survey,
  { diffId, descriptor }: LayerId,
  files: { readonly spill: string; readonly sums: string },
  built: ReadonlyMap<DiffId, Bytes>,
): Promise<void> {
  const { disk, layout, homeOf } = survey.store
  const path = descriptor.digest === diffId ? homeOf(diffId).blobOf(diffId) : layout.tarOf(diffId)
  const hasSpill = disk.fs.existsSync(layout.spillOf(diffId))
  const hasSums = disk.fs.existsSync(layout.sumsOf(diffId))
  if ((!hasSpill && !hasSums) || !disk.fs.existsSync(path) || survey.bad.has(descriptor.digest)) return
  const index = indexOf(survey, diffId, built)
  const spill = spillBytes(index, () => fileBytes(disk, path))
  const tar = fileBytes(disk, path)
  try {
    if (hasSpill && !isKnown(survey, files.spill)) {
      const same = spill !== undefined && (await sameContent(spill, survey, layout.spillOf(diffId)))
      if (!same) bad(survey, files.spill, 'it is not what the tar of its layer says')
    }
    if (hasSums) await checkSums(survey, files.sums, layout.sumsOf(diffId), contentFormat(diffId), { tar, spill })
  } finally {
    spill?.close()
    index.close()
    tar.close()
  }
}

function indexOf({ store: { disk, layout } }: Survey, diffId: DiffId, built: ReadonlyMap<DiffId, Bytes>): Index {
  const bytes = built.get(diffId)
  if (bytes !== undefined) return Index.open({ ...bytes, close() {} }, { uuidSeed: diffId })
  return openIndex(disk, { path: layout.indexOf(diffId), of: diffId, what: `layer ${diffId}`, writable: false })
}

/** The tar of a layer: from its blob, or from the cache where that is all there is. */
function sourceOf(survey: Survey, { diffId, descriptor }: LayerId): ByteStream | undefined {
  const { disk, layout, blobs, zstd, acceptances } = survey.store
  const { digest } = descriptor
  if (survey.bad.has(digest)) {
    if (digest === diffId || !disk.fs.existsSync(layout.tarOf(diffId))) return undefined
    return streamOf(fileBytes(disk, layout.tarOf(diffId)))
  }
  if (digest === diffId) return blobs.stream(digest, survey.operation)
  const { lenient, limits } = acceptances.of(diffId)
  const options = { ...survey.operation, lenient, maxWindow: limits?.zstdWindow, ...(zstd && { zstd }) }
  return decompressed(blobs.stream(digest, survey.operation), options).stream
}

async function* teed(stream: ByteStream, sink: ByteSink): ByteStream {
  for await (const chunk of stream) {
    sink.write(chunk)
    yield chunk
  }
}

async function sameContent(
  content: Bytes,
  { store: { disk }, counted, operation }: Survey,
  path: string,
): Promise<boolean> {
  using file = Comparison.open(disk, path)
  if (file === undefined) return true
  counted.bytes += file.size
  const pace = new Pace(operation.signal)
  const chunk = Buffer.allocUnsafe(1 << 20)
  for (let at = 0; at < content.size && !file.differs; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, content.size - at))
    content.read(part, at)
    file.write(part)
    if (pace.due(64)) await pace.rest()
  }
  return file.ends()
}

async function checkTrees(survey: Survey, built: ReadonlyMap<DiffId, Bytes>): Promise<void> {
  const { disk, layout } = survey.store
  const done = new Set<Digest>()
  for (const { layers, chain } of survey.marked.images)
    for (const [at, chainId] of chain.entries()) {
      const file = `cache/trees/${hexOf(chainId)}.erofs`
      if (done.has(chainId) || !survey.reads(file) || isKnown(survey, file)) continue
      done.add(chainId)
      using tree = Comparison.open(disk, layout.treeOf(chainId))
      if (tree === undefined) continue
      survey.counted.bytes += tree.size
      const views = []
      try {
        for (const { diffId } of layers.slice(0, at + 1))
          views.push(layerView(indexOf(survey, diffId, built), () => memoryBytes(new Uint8Array(0))))
        await writeTree(tree, { views, chainId, ...survey.operation })
        if (!tree.ends()) bad(survey, file, tree.problem)
      } catch (error) {
        // A layer that is gone or damaged has been told; its tree cannot be compared.
        if (!['ENOENT', 'PLY_BAD_INDEX'].includes(codeOf(error) ?? '')) throw error
      } finally {
        for (const view of views) view.close()
      }
    }
}

/** Whether a file of digests holds nothing but whole records, and these are right as far as what they speak of is here. */
async function checkSums(
  survey: Survey,
  file: string,
  path: string,
  format: SumsFormat,
  content?: { readonly tar: Bytes; readonly spill: Bytes | undefined },
): Promise<void> {
  const { disk } = survey.store
  if (!survey.reads(file)) return
  const bytes = fileBytes(disk, path)
  const records: Buffer[] = []
  try {
    survey.counted.bytes += bytes.size
    const size = recordSize(format)
    readRecords(bytes, format, (chunk, at) => void records.push(Buffer.from(chunk.subarray(at + 8, at + size))))
    const rest = bytes.size - records.length * size
    if (rest > 0) return bad(survey, file, `${rest} bytes in it are no records, which costs what they said and no more`)
  } finally {
    bytes.close()
  }
  if (content === undefined) return
  for (const record of records) {
    const high = record.readUInt32LE(4)
    const from = high >= 2 ** 31 ? content.spill : content.tar
    const offset = (high % 2 ** 31) * 2 ** 32 + record.readUInt32LE(0)
    const size = record.readUInt32LE(12) * 2 ** 32 + record.readUInt32LE(8)
    const tally = new Tally()
    if (from !== undefined && offset + size <= from.size) await drain(streamOf(slice(from, offset, size)), tally)
    if (tally.digest() === `sha256:${record.toString('hex', 16)}`) continue
    return bad(survey, file, 'a digest in it is not that of the content that it speaks of')
  }
}
