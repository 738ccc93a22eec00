import { tmpdir } from 'node:os'
import { Index } from '../../erofs/index.ts'
import { parcelFrom } from '../../image/copy.ts'
import type { Image, ImageSource, Layer } from '../../image/image.ts'
import type { ImportJudgement } from '../../image/layer-report.ts'
import {
  imageOfParcel,
  type ManifestParcel,
  type Parcel,
  type ParcelBlob,
  type ParcelProblem,
} from '../../image/parcel.ts'
import { importLayer } from '../../layer/index.ts'
import type { Digest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { isIndexType, isManifestType } from '../../model/parse-documents.ts'
import { formatPlatform } from '../../model/platform.ts'
import { zstdDecoders } from '../../sys/libzstd.ts'
import { nameless } from '../../transport/spool.ts'
import { checkChain } from './chain-check.ts'
import type { ReadLayer } from './taken.ts'
import type { Validity, ValidityFinding } from './validity.ts'

/** How much of an image is read. */
export interface ValidateOptions extends Operation, Pick<ImportJudgement, 'lenient' | 'limits'> {
  /** Which of a source's images; default: the one its reference named. */
  readonly name?: string | undefined
  /** Only the structure, the digests of manifests and configs, and the sizes of what lies at rest: no layer is read. */
  readonly fast?: boolean | undefined
  /** Where indexes of layers are laid down for as long as it takes; default: the system's place. */
  readonly temporaryDirectory?: string | undefined
}

/** What bytes fail with that are not what they should be; anything else is no answer. */
const integrity =
  /^PLY_(?:BAD_(?!REFERENCE)|DIGEST_MISMATCH|SIZE_MISMATCH|BLOB_NOT_FOUND|TOO_LARGE|UNSUPPORTED|BUDGET|DAMAGED)/

/**
 * Checks an image, an index or an artifact wherever it is, from end to end: documents parse, agree with each other and with what
 * leads to them; every blob hashes to its name and has its size; every layer hashes to its diffID too, is what its media type says,
 * and keeps the rules of docs/layer-semantics.md, also those that only the layers below show. Each blob is read once, nothing is
 * kept, and memory does not grow with the size of layers.
 *
 * @throws what opening the place throws; PLY_ABORTED. What is wrong with the bytes is a finding.
 */
export async function validate(source: Parcel | ImageSource, options: ValidateOptions = {}): Promise<Validity> {
  const validation = new Validation(options)
  let parcel: Parcel
  try {
    parcel = 'is' in source ? source : await parcelFrom(source, options.name, validation.reading)
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (!integrity.test(code)) throw error
    // Not even its digest is known.
    const finding = { where: 'manifest', severity: 'error', code, reason: (error as Error).message } as const
    const document = 'sha256:' as Digest
    return { documents: 0, blobs: 0, bytes: 0, findings: [{ document, ...finding }], valid: false }
  }
  using _ = validation
  return validation.of(parcel)
}

class Validation implements Disposable {
  readonly #options: ValidateOptions
  readonly #findings: ValidityFinding[] = []
  /** Layers that were read, by blob and diffID; `undefined` for one that could not be. */
  readonly #read = new Map<string, ReadLayer | undefined>()
  readonly #drained = new Set<Digest>()
  readonly #close: (() => void)[] = []
  #bytes = 0
  #blobs = 0

  constructor(options: ValidateOptions) {
    this.#options = options
  }

  get reading(): Operation & ParcelProblem {
    const { signal } = this.#options
    return {
      signal,
      onProblem: (descriptor, error) => this.#failed(descriptor.digest, 'manifest', error),
    }
  }

  async of(parcel: Parcel): Promise<Validity> {
    let documents = 0
    const seen = new Set<Digest>()
    const visit = async (one: Parcel): Promise<void> => {
      if (seen.has(one.descriptor.digest)) return
      seen.add(one.descriptor.digest)
      documents++
      checkAborted(this.#options.signal)
      this.#mediaType(one)
      if (one.is === 'index') for (const member of one.members) await visit(member)
      else await this.#manifest(one)
    }
    await visit(parcel)
    const findings = this.#findings
    const valid = findings.every(({ severity }) => severity === 'warning')
    return { digest: parcel.descriptor.digest, documents, blobs: this.#blobs, bytes: this.#bytes, findings, valid }
  }

  [Symbol.dispose](): void {
    for (const close of this.#close.splice(0)) close()
  }

  /** What leads to a document and the document itself say the same of it. */
  #mediaType({ is, descriptor, ...rest }: Parcel): void {
    const { digest, mediaType } = descriptor
    const document = 'index' in rest ? rest.index : rest.manifest
    const own = document.mediaType
    const known = is === 'index' ? isIndexType(mediaType) : isManifestType(mediaType)
    if (!known)
      this.#odd(
        digest,
        is,
        `what leads to it calls it ${mediaType}, which is no type of ${is === 'index' ? 'an index' : 'a manifest'}`,
      )
    else if (own !== undefined && own !== mediaType)
      this.#wrong(digest, is, `what leads to it calls it ${mediaType}, and it calls itself ${own}`)
  }

  async #manifest(parcel: ManifestParcel): Promise<void> {
    const { fast = false, signal } = this.#options
    const { digest, platform } = parcel.descriptor
    let image: Image | undefined
    try {
      image = await imageOfParcel(parcel, { signal })
    } catch (error) {
      this.#failed(digest, 'config', error)
    }
    if (image !== undefined) this.#agree(image, platform)
    const blobs = new Map(parcel.blobs.map((blob) => [blob.descriptor.digest, blob]))
    const all = [...parcel.manifest.layers, parcel.manifest.config].map((one) => blobs.get(one.digest)!)
    for (const [at, blob] of all.entries()) {
      const where =
        at === all.length - 1 ? 'config' : image === undefined ? (`blob ${at}` as const) : (`layer ${at}` as const)
      if (blob.elsewhere)
        this.#odd(digest, where, `it is not here, but at ${blob.descriptor.urls?.join(', ') ?? 'no address'}`)
      else if (fast) this.#size(digest, where, blob)
      else if (image === undefined || where === 'config') await this.#drain(digest, where, blob)
      else await this.#layer(digest, at, image.layers[at]!)
    }
    if (image !== undefined && !fast) await this.#chain(digest, image)
  }

  #agree({ digest, config, manifest, layers }: Image, platform: Descriptor['platform']): void {
    if (config.os === '' || config.architecture === '')
      this.#wrong(digest, 'config', 'it names no os or no architecture')
    const steps = config.history?.filter((step) => step.empty_layer !== true).length
    if (steps !== undefined && steps !== layers.length)
      this.#wrong(digest, 'history', `it describes ${steps} layers, and there are ${layers.length}`)
    if (platform !== undefined && platform.os !== 'unknown') {
      const { os, architecture, variant } = config
      const says = formatPlatform({ os, architecture, ...(variant !== undefined && { variant }) })
      if (formatPlatform(platform) !== says)
        this.#odd(digest, 'config', `its index says that it is for ${formatPlatform(platform)}, and it says ${says}`)
    }
    for (const [at, { mediaType }] of manifest.layers.entries()) {
      if (!/^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./.test(mediaType))
        this.#odd(digest, `layer ${at}`, `${mediaType} is no type of a layer`)
    }
  }

  /** What lies at rest has its size, and is there. */
  #size(document: Digest, where: ValidityFinding['where'], { descriptor, atRest }: ParcelBlob): void {
    if (atRest === undefined) return
    try {
      const bytes = atRest()
      const { size } = bytes
      bytes.close()
      if (size !== descriptor.size)
        this.#add(document, where, 'PLY_SIZE_MISMATCH', `expected ${descriptor.size} bytes but there are ${size}`)
    } catch (error) {
      this.#failed(document, where, error)
    }
  }

  async #drain(document: Digest, where: ValidityFinding['where'], blob: ParcelBlob): Promise<void> {
    const { digest, size } = blob.descriptor
    if (this.#drained.has(digest)) return
    this.#drained.add(digest)
    try {
      let done = 0
      for await (const chunk of blob.compressed({ signal: this.#options.signal })) {
        done += chunk.length
        this.#options.onProgress?.({ what: digest, done, total: size })
      }
      this.#count(done)
    } catch (error) {
      this.#failed(document, where, error)
    }
  }

  /** One pass over a layer: both digests, the size, the media type, and every rule that it alone can break. */
  async #layer(document: Digest, at: number, layer: Layer): Promise<void> {
    const { descriptor, diffId } = layer
    const key = `${descriptor.digest} ${diffId}`
    const where = `layer ${at}` as const
    if (this.#read.has(key)) {
      if (this.#read.get(key) === undefined)
        this.#add(
          document,
          where,
          'PLY_BAD_LAYER',
          `blob ${descriptor.digest} is not what it should be, as said before`,
        )
      return
    }
    this.#read.set(key, undefined)
    const { signal, onProgress, lenient, limits, temporaryDirectory = tmpdir() } = this.#options
    const nowhere = { write() {} }
    try {
      const made = await importLayer(
        layer.compressed({ signal }),
        { blob: nowhere, openTar: async () => nowhere },
        {
          mediaType: descriptor.mediaType,
          expected: { digest: descriptor.digest, size: descriptor.size, diffId },
          zstd: zstdDecoders(),
          lenient,
          limits,
          signal,
          onProgress,
        },
      )
      this.#count(made.blob.size)
      const file = nameless(temporaryDirectory)
      this.#close.push(() => file.close())
      let size = 0
      await made.writeIndex({
        async write(chunk) {
          await file.write(chunk, size)
          size += chunk.length
        },
      })
      const bytes = file.bytes(size)
      const { findings, refersBelow, tarSize, compression } = made
      this.#tell(document, at, findings.report().warnings)
      // What only the layers below show comes after these.
      const openIndex = () => Index.open({ ...bytes, close() {} })
      this.#read.set(key, { findings, refersBelow, tarSize, compression, openIndex })
    } catch (error) {
      this.#failed(document, where, error)
    }
  }

  async #chain(document: Digest, { layers }: Image): Promise<void> {
    const read = layers.map(({ descriptor, diffId }) => this.#read.get(`${descriptor.digest} ${diffId}`))
    // What a layer means that stands on one that cannot be read, nobody knows.
    const known = read.indexOf(undefined)
    const whole = (known < 0 ? read : read.slice(0, known)) as ReadLayer[]
    const said = whole.map(({ findings }) => findings.report().warnings.length)
    try {
      const all = whole.map((one) => ({
        ...one,
        refers: one.refersBelow ? ('in every way' as const) : ('nothing' as const),
      }))
      await checkChain(all, { signal: this.#options.signal })
      for (const [at, { findings }] of whole.entries())
        this.#tell(document, at, findings.report().warnings.slice(said[at]))
    } catch (error) {
      const { layer } = (error as { readonly details?: { readonly layer?: unknown } }).details ?? {}
      this.#failed(document, typeof layer === 'number' ? `layer ${layer}` : 'manifest', error)
    }
  }

  #tell(
    document: Digest,
    at: number,
    warnings: readonly { readonly rule: string; readonly entry: string; readonly text: string }[],
  ): void {
    for (const { rule, entry, text } of warnings)
      this.#findings.push({ document, where: `layer ${at}`, severity: 'warning', code: rule, entry, reason: text })
  }

  #count(bytes: number): void {
    this.#blobs++
    this.#bytes += bytes
  }

  #wrong(document: Digest, where: ValidityFinding['where'], reason: string): void {
    this.#add(document, where, 'PLY_BAD_DOCUMENT', reason)
  }

  #odd(document: Digest, where: ValidityFinding['where'], reason: string): void {
    this.#findings.push({ document, where, severity: 'warning', code: 'odd', reason })
  }

  #add(document: Digest, where: ValidityFinding['where'], code: string, reason: string): void {
    this.#findings.push({ document, where, severity: 'error', code, reason })
  }

  /** @throws what is no answer: an abort, a network that fails, a disk that is full */
  #failed(document: Digest, where: ValidityFinding['where'], error: unknown): void {
    const thrown = codeOf(error) ?? ''
    // A blob that lies in a file, and does not.
    const code = thrown === 'ENOENT' ? 'PLY_BLOB_NOT_FOUND' : thrown
    if (!integrity.test(code)) throw error
    this.#add(document, where, code, (error as Error).message)
  }
}
