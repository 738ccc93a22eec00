import { tmpdir } from 'node:os'
import type { ExtractReport, ForeignUpperOptions } from '../extract/index.ts'
import type { Image } from '../image/image.ts'
import type { ImportJudgement } from '../image/layer-report.ts'
import type { Operation } from '../model/operation.ts'
import type { SignatureRequirement } from '../signature/index.ts'
import type { Tree } from '../stack/tree.ts'
import type { ByteSink, ByteStream } from '../stream/bytes.ts'
import type { DecompressionOptions } from '../stream/compression.ts'
import { zstdDecoders } from '../sys/libzstd.ts'
import type { RegistryOptions } from './registry/options.ts'

/** What every transport takes. The signal and the listener serve the opening; later calls take their own. */
export interface TransportOptions extends Operation {
  /** `os/arch[/variant]`: what to choose from an index; default: linux on this machine's architecture. */
  readonly platform?: string | undefined
  /** Where temporary files are made; default: the system's place. They are gone when the call or the source ends. */
  readonly temporaryDirectory?: string | undefined
  /** How to speak with registries (`docker://`); default: as podman and docker do. */
  readonly registry?: RegistryOptions | undefined
}

/** `lenient` and `limits` are for layers that have to be decompressed to know what they are (layer-semantics Z-02, Z-03). */
export interface SourceOptions extends TransportOptions, Pick<ImportJudgement, 'lenient' | 'limits'> {
  /** What `-` reads; default: standard input. */
  readonly input?: ByteStream | undefined
  /** An image and its merged file system by reference, for `upper:`; whoever reads closes the tree. A store has both. */
  readonly baseOf?:
    | ((reference: string, operation: Operation) => Promise<{ readonly image: Image; readonly tree: Tree }>)
    | undefined
  /** Hand out only images that a signature vouches for. @see signedSource */
  readonly signatures?: SignatureRequirement | undefined
  /** Hears what is odd about an upper directory. */
  readonly onUpperWarning?: ForeignUpperOptions['onWarning']
}

export interface SinkOptions extends TransportOptions {
  /** What `-` writes; default: standard output. */
  readonly output?: ByteSink | undefined
  /** The merged file system of an image, for `tar:` and `rootfs:`; whoever writes closes it. A store has it. */
  readonly treeOf?: ((image: Image, operation?: Operation) => Promise<Tree>) | undefined
  /** Hears how an extraction to `rootfs:` went. */
  readonly onExtracted?: ((report: ExtractReport) => void) | undefined
}

export function temporaryDirectoryOf(options: TransportOptions): string {
  return options.temporaryDirectory ?? tmpdir()
}

export function decompressionOf({ lenient, limits }: SourceOptions): DecompressionOptions {
  return { zstd: zstdDecoders(), lenient, maxWindow: limits?.zstdWindow }
}

/** The details that mean standard input or output. */
export const standardStream = '-'
