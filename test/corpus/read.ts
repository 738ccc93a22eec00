import { Index } from '../../src/erofs/index.ts'
import { importLayer, layerView, rebuildIndex } from '../../src/layer/index.ts'
import type { IndexedLayer } from '../../src/layer/index-tar.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { inChunks } from '../support/collect.ts'
import type { Case, CaseOptions } from './case.ts'

export interface Read {
  readonly view: IndexedView
  readonly index: Buffer
  /** What came out of the blob. */
  readonly tar: Buffer
  readonly warnings: readonly string[]
}

class Sink {
  readonly #chunks: Buffer[] = []
  write(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk))
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

type Options = CaseOptions & { readonly strict?: boolean }

/** The layer of a blob, given in chunks of so many bytes. */
export async function readBlob(blob: Buffer, chunkSize = blob.length || 1, options: Options = {}): Promise<Read> {
  const tar = new Sink()
  let opened = false
  const openTar = async () => {
    opened = true
    return tar
  }
  const layer = await importLayer(inChunks(blob, chunkSize), { blob: { write() {} }, openTar }, options)
  return indexed(layer, opened ? tar.bytes : blob)
}

/** The same from the tar. */
export async function readTar(tar: Buffer, { mediaType: _, ...options }: Options): Promise<Read> {
  return indexed(await rebuildIndex(inChunks(tar, 4096), options), tar)
}

async function indexed(layer: IndexedLayer, tar: Buffer): Promise<Read> {
  const sink = new Sink()
  await layer.writeIndex(sink)
  const index = sink.bytes
  const view = layerView(Index.open(memoryBytes(index)), () => memoryBytes(tar))
  return { view, index, tar, warnings: layer.findings.report().warnings.map(({ rule }) => rule) }
}

export interface Refusal {
  readonly code: string
  readonly rule: string | undefined
}

/** How reading ended that should have failed. What is no coded error is thrown on. */
export async function refusalOf(reading: Promise<unknown>): Promise<Refusal | 'accepted'> {
  try {
    await reading
    return 'accepted'
  } catch (error) {
    if (!(error instanceof PlyError)) throw error
    const { rule } = error.details
    const code = codeOf(error)!
    if (code === 'PLY_BUDGET') return { code, rule: 'section 17' }
    return { code, rule: typeof rule === 'string' ? rule : /\b[A-Z]-\d\d\b/.exec(error.message)?.[0] }
  }
}

/** Chunks that no block and no record fits into. */
export function chunkSizes({ blob }: Case): readonly number[] {
  return blob.length > 1 << 17 ? [4093, 65_537] : [1, 7, 509, 513, 4093]
}
