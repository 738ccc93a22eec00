import { availableParallelism } from 'node:os'
import { constants, createGunzip } from 'node:zlib'
import { codeOf, PlyError } from '../model/errors.ts'
import { Pace } from '../model/pace.ts'
import type { ByteStream } from './bytes.ts'
import { codecOptions, through } from './codec.ts'
import { Deflating } from './deflating.ts'
import { inflatedLeniently } from './gzip-members.ts'
import { type GunzipHandle, gunzipHandle } from './zlib-handle.ts'

/**
 * What a gzip stream holds: all of its members, one after the other (layer-semantics Z-02). NUL bytes after the last one are
 * padding; any other bytes there are refused, or left out with `lenient`, which `onTrailing` then hears of.
 *
 * @throws PLY_BAD_COMPRESSION at the place of the damage, truncation included (Z-04).
 */
export async function* gunzipped(
  source: ByteStream,
  { lenient = false, onTrailing }: { readonly lenient?: boolean; readonly onTrailing?: (() => void) | undefined } = {},
): ByteStream {
  if (lenient) {
    yield* inflatedLeniently(source, onTrailing)
    return
  }
  const handle = gunzipHandle()
  try {
    if (handle === undefined) yield* through(source, createGunzip(codecOptions), refuseAllButPadding)
    else yield* inflated(source, handle)
  } catch (error) {
    throw codeOf(error)?.startsWith('Z_') ? damaged(error) : error
  }
}

/** All into one buffer: a chunk belongs to its reader until the next one is asked for. */
async function* inflated(source: ByteStream, handle: GunzipHandle): ByteStream {
  const output = Buffer.allocUnsafeSlow(codecOptions.chunkSize)
  // Nothing here waits for anything: others must get their turn, and a signal must be heard.
  const pace = new Pace(undefined)
  let ended = false
  try {
    for await (const chunk of source) {
      if (ended) {
        refuseAllButPadding(chunk)
        continue
      }
      for (let at = 0; ; at = chunk.length - handle.left) {
        handle.write(chunk, at, output)
        const { room, left } = handle
        if (pace.due(16)) await pace.rest()
        if (room < output.length) yield output.subarray(0, output.length - room)
        if (room === 0) continue
        ended = left > 0
        if (ended) refuseAllButPadding(chunk.subarray(chunk.length - left))
        break
      }
    }
    if (!ended) handle.end(output)
  } finally {
    handle.close()
  }
}

function refuseAllButPadding(rest: Uint8Array): 'more' {
  for (let i = 0; i < rest.length; i++) {
    if (rest[i] !== 0) {
      throw followed()
    }
  }
  return 'more'
}

function followed(cause?: unknown): PlyError {
  const reason = 'bytes other than NUL follow the last gzip member (layer-semantics Z-02)'
  return new PlyError('PLY_BAD_COMPRESSION', { reason, rule: 'Z-02', option: 'lenient' }, { cause })
}

function damaged(error: unknown): PlyError {
  // The first header was looked at before this was taken for gzip: it is what comes after a member.
  if ((error as Error).message === 'incorrect header check') return followed(error)
  const reason = `gzip: ${(error as Error).message} (layer-semantics Z-04)`
  return new PlyError('PLY_BAD_COMPRESSION', { reason, rule: 'Z-04' }, { cause: error })
}

/**
 * The settings that every gzip layer made by plyfs has. They are part of what it promises: the same tar gives the same blob, with
 * any chunking and any number of cores, as long as the zlib underneath is the same. Level 4 is 1.5 times as fast as 6 and 3 to 4 % larger.
 */
export const gzipSettings = {
  level: 4,
  memLevel: 8,
  windowBits: 15,
  strategy: constants.Z_DEFAULT_STRATEGY,
  /** Bytes that are compressed at a time. Each block sees the 32 KiB before it, so the cut costs no space. */
  block: 1 << 20,
} as const

/** No flags, no name, no time, system 255 (unknown): nothing that differs from one machine to the next (RFC 1952, 2.3). */
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)
/** Blocks that are compressed at the same time, unless somebody says otherwise; libuv has four threads for them. */
const usualWorkers = () => Math.min(4, availableParallelism()) + 1

/** What can be asked of a compressor. What is left out is as it is pinned here. */
export interface CompressorOptions {
  readonly level?: number | undefined
  /** How much is compressed at the same time. It makes no difference to the bytes (layer-semantics E-13). */
  readonly workers?: number | undefined
}

/**
 * The bytes as one gzip member, made block by block on the thread pool. At most `workers` blocks are in memory, and their memory is
 * used again: a new megabyte for each would set the garbage collector to work (docs/decisions/exporting.md).
 */
export async function* gzipped(
  source: ByteStream,
  { level = gzipSettings.level, workers = usualWorkers() }: CompressorOptions = {},
): ByteStream {
  yield header
  const { block, ...settings } = gzipSettings
  const deflating = new Deflating(block, { ...settings, level, chunkSize: codecOptions.chunkSize })
  const pending: Promise<readonly Uint8Array[]>[] = []
  const start = (flush: number) => {
    const one = deflating.start(flush)
    // It may fail before its turn has come, or when the reader has left.
    one.catch(() => {})
    pending.push(one)
  }
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      // A full block waits for the next byte: the last one is closed in another way.
      if (deflating.isFull) start(constants.Z_SYNC_FLUSH)
      if (pending.length >= workers) yield* await pending.shift()!
      at += deflating.take(chunk, at)
    }
  }
  start(constants.Z_FINISH)
  while (pending.length > 0) yield* await pending.shift()!
  yield deflating.trailer()
}
