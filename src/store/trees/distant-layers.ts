import { tmpdir } from 'node:os'
import { Index } from '../../erofs/index.ts'
import type { Image, Layer } from '../../image/image.ts'
import { type IndexedView, importLayer, layerView, scanLayer } from '../../layer/index.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteSink, Bytes } from '../../stream/bytes.ts'
import { zstdDecoders } from '../../sys/libzstd.ts'
import { arriving } from '../../transport/arriving.ts'
import { pacedStream } from '../../transport/file.ts'
import { nameless } from '../../transport/spool.ts'
import { ofLayer } from '../intake/of-layer.ts'
import type { LayerId } from '../layers/layer-files.ts'
import { absentLayer } from './absent-layer.ts'
import { KeptContents } from './kept-contents.ts'

/** A layer that a store has, open; `undefined` if it has none. */
export type LayerLender = (layer: LayerId) => IndexedView | undefined

export interface DistantLayersOptions {
  /** Whether contents can be read. Otherwise only those that `keep` was called for, and what lies in a file uncompressed. */
  readonly contents: boolean
  /** What need not be brought here. */
  readonly lend?: LayerLender | undefined
  /** `false`: of what lies in a file uncompressed only the headers are read, and nothing is compared with a digest. */
  readonly verify?: boolean | undefined
}

/** Of a smaller blob the contents are kept in any case: it is not worth asking for twice. Bytes. */
const worthLeaving = 64 << 10

/**
 * The layers of an image that is elsewhere, brought here one by one as they are needed: each is read once, checked, and indexed as
 * it comes. Its index, and its tar where contents are wanted, lie in files without a name, so that nothing stays however it ends. What
 * lies uncompressed in a file of this machine is read where it lies.
 */
export class DistantLayers {
  readonly #image: Image
  readonly #options: DistantLayersOptions
  readonly #views: IndexedView[]
  readonly #kept = new Map<number, { readonly layer: Layer; readonly contents: KeptContents }>()
  readonly #files: { close(): void }[] = []
  /** Whether something is read where its source has it, which has to stay open. */
  inPlace = false
  /** Whether of some layer only headers were read. */
  unverified = false

  constructor(image: Image, options: DistantLayersOptions) {
    this.#image = image
    this.#options = options
    this.#views = image.layers.map(() => absentLayer)
  }

  /** One for each layer, base first; those that are not here answer no question. */
  get views(): readonly IndexedView[] {
    return this.#views
  }

  /**
   * Brings the layers `from` to `to` here, several at a time. @throws as `importLayer`, with the place in the image; what the source
   * throws; PLY_ABORTED
   */
  async bring(from: number, to: number, operation: Operation): Promise<void> {
    const wanted: number[] = []
    for (let at = from; at <= to; at++) {
      if (this.#views[at] !== absentLayer) continue
      const lent = this.#options.lend?.(this.#image.layers[at]!)
      if (lent === undefined) wanted.push(at)
      else this.#views[at] = lent
    }
    let next = 0
    for await (const layer of arriving(
      wanted.map((at) => this.#image.layers[at]!),
      operation,
    )) {
      const at = wanted[next++]!
      try {
        this.#views[at] = await this.#read(at, layer, operation)
      } catch (error) {
        throw ofLayer(error, at, layer)
      }
    }
  }

  /** Makes a part of a layer's tar readable, where contents are not kept. Bytes. */
  async keep(at: number, offset: number, size: number, operation: Operation): Promise<void> {
    const kept = this.#kept.get(at)
    await kept?.contents.keep(kept.layer.uncompressed(operation), offset, size)
  }

  /** Safe to call twice. */
  close(): void {
    for (const view of this.#views) view.close()
    for (const file of this.#files.splice(0)) file.close()
  }

  async #read(at: number, layer: Layer, operation: Operation): Promise<IndexedView> {
    const { descriptor, diffId, atRest } = layer
    const { digest, size, mediaType } = descriptor
    // What was fetched goes with its source.
    const lies = digest === diffId && atRest !== undefined && this.#image.layers[at] === layer
    if (lies && this.#options.verify === false) return this.#scan(layer, atRest, operation)
    const tar = !lies && (this.#options.contents || size < worthLeaving) ? this.#file() : undefined
    if (!lies && tar === undefined) this.#kept.set(at, { layer: this.#image.layers[at]!, contents: new KeptContents() })
    const nowhere = { write() {} }
    const { signal, onProgress } = operation
    const { tarSize, writeIndex } = await importLayer(
      // What lies in a file is checked as it is read, and would be hashed twice if the layer did it as well.
      atRest === undefined ? layer.compressed({ signal, onProgress }) : pacedStream(atRest, { signal }),
      { blob: digest === diffId ? (tar ?? nowhere) : nowhere, openTar: async () => tar ?? nowhere },
      { expected: { digest, size, diffId }, mediaType, zstd: zstdDecoders(), signal, onProgress },
    )
    const file = this.#file()
    await writeIndex(file, { signal })
    this.inPlace ||= lies
    return layerView(Index.open(file.bytes(), { what: `layer ${diffId}` }), () => {
      if (lies) return atRest()
      if (tar !== undefined) return tar.bytes()
      const contents = this.#kept.get(at)?.contents
      if (contents === undefined) throw new PlyError('EIO', { syscall: 'open' })
      return contents.bytes(tarSize)
    })
  }

  /** Where only the headers are read: contents are refused then, not believed. */
  async #scan(layer: Layer, atRest: () => Bytes, { signal }: Operation): Promise<IndexedView> {
    const { digest, size } = layer.descriptor
    const bytes = atRest()
    try {
      if (bytes.size !== size)
        throw new PlyError('PLY_SIZE_MISMATCH', { what: digest, expected: size, actual: bytes.size })
      const view = await scanLayer(bytes, { signal })
      this.unverified = true
      return view
    } finally {
      bytes.close()
    }
  }

  #file(): ByteSink & { bytes(): Bytes } {
    const file = nameless(tmpdir())
    this.#files.push(file)
    let size = 0
    return {
      write(chunk) {
        const position = size
        size += chunk.length
        return file.write(chunk, position)
      },
      // Closed with all others.
      bytes: () => ({ ...file.bytes(size), close() {} }),
    }
  }
}
