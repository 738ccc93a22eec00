import type { Descriptor } from '../model/documents.ts'
import { checkAborted } from '../model/operation.ts'
import type { Image, ImageSink, ImageSource } from './image.ts'
import type { WriteOptions } from './layer-report.ts'

export interface CopyOptions extends WriteOptions {
  /** Which of the source's images; default: the one its reference named, or the only one. */
  readonly name?: string | undefined
  /** `os/arch[/variant]`, to choose from an index. */
  readonly platform?: string | undefined
  /** The name in the sink; default: the one its reference named. */
  readonly as?: string | undefined
}

/**
 * Takes an image from one place to another. Manifest, config and layers keep their bytes wherever the target can hold
 * them. Answers the descriptor of what was written.
 *
 * @throws PLY_ABORTED, and what the source and the sink throw
 */
export async function copy(
  source: Image | ImageSource,
  sink: ImageSink,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const { name, platform, as, ...writing } = options
  const { signal, onProgress } = writing
  checkAborted(signal)
  const image =
    'rawManifest' in source
      ? source
      : await source.image(name, { signal, onProgress, ...(platform !== undefined && { platform }) })
  return sink.write(image, as, writing)
}
