import type { History } from '../model/documents.ts'
import { composeImage } from './assemble.ts'
import { saysTheSame } from './compare.ts'
import { historyOf } from './history.ts'
import type { Image, Layer } from './image.ts'

/** What OCI's image-spec calls the annotation, and many a label, that says when an image was made. */
const createdKey = 'org.opencontainers.image.created'

/**
 * The image with these layers, and no time in its config, history, annotations and labels that is later than the source epoch
 * (seconds since 1970). Steps below layer `from` stay as they are. Times that cannot be read stay too.
 */
export function withLowerTimes(image: Image, sourceEpoch: number, layers: readonly Layer[], from = 0): Image {
  const latest = new Date(sourceEpoch * 1000).toISOString().replace('.000Z', 'Z')
  const lowered = (time: string) => (Date.parse(time) > sourceEpoch * 1000 ? latest : time)
  const texts = (map: Readonly<Record<string, string>> | undefined) => {
    const created = map?.[createdKey]
    return map && created !== undefined ? { ...map, [createdKey]: lowered(created) } : map
  }
  const { rootfs: _, created, config: execution, ...config } = image.config
  const annotations = texts(image.manifest.annotations)
  const labels = texts(execution?.Labels)
  let above = from === 0
  let passed = 0
  const history = historyOf(image).map(({ step, layer }): History => {
    if (layer !== undefined && ++passed > from) above = true
    // A step without a layer belongs to the base until the image's own first layer.
    return above && step.created !== undefined ? { ...step, created: lowered(step.created) } : step
  })
  const made = composeImage({
    manifest: {
      ...image.manifest,
      mediaType: image.manifest.mediaType ?? image.descriptor.mediaType,
      ...(annotations && { annotations }),
    },
    config: {
      ...config,
      ...(created !== undefined && { created: lowered(created) }),
      ...(execution && { config: { ...execution, ...(labels && { Labels: labels }) } }),
      ...(image.config.history !== undefined && { history }),
    },
    layers,
  })
  return saysTheSame(made, image) ? image : made
}
