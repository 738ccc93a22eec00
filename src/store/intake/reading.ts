import type { ImportReport, LayerLimits } from '../../layer/index.ts'
import { importLayer } from '../../layer/index.ts'
import type { DiffId, Digest } from '../../model/digest.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteSink, ByteStream } from '../../stream/bytes.ts'
import type { Compression, ZstdDecoders } from '../../stream/compression.ts'

/** What is to be read, and how it is judged: plain data, which another thread can be given. */
export interface Reading {
  readonly expected: { readonly digest: Digest; readonly size: number; readonly diffId: DiffId }
  readonly mediaType: string
  readonly strict?: boolean | undefined
  readonly lenient?: boolean | undefined
  readonly limits?: Partial<LayerLimits> | undefined
}

/** What was found: plain data again. */
export interface Found {
  readonly report: ImportReport
  readonly forgiven: number
  readonly refersBelow: boolean
  readonly tarSize: number
  readonly compression: Compression
}

/** Where a layer is written to. What is opened is written in order and not closed here. */
export interface ReadingTargets {
  readonly blob: ByteSink
  openTar(): Promise<ByteSink>
  openIndex(): Promise<ByteSink>
}

/** Reads a layer once and writes its blob, its tar where that is not the blob, and its index. @throws as `importLayer` does */
export async function readLayer(
  blob: ByteStream,
  into: ReadingTargets,
  { expected, mediaType, strict, lenient, limits }: Reading,
  { zstd, ...operation }: { readonly zstd?: ZstdDecoders | undefined } & Operation = {},
): Promise<Found> {
  const options = { strict, lenient, limits, mediaType, expected, ...operation, ...(zstd && { zstd }) }
  const { findings, refersBelow, tarSize, compression, writeIndex } = await importLayer(blob, into, options)
  await writeIndex(await into.openIndex(), operation)
  return { report: findings.report(), forgiven: findings.forgiven, refersBelow, tarSize, compression }
}
