import { isDeepStrictEqual } from 'node:util'
import { PlyError } from '../model/errors.ts'
import { append } from './append.ts'
import { composeImage } from './assemble.ts'
import { configure } from './configure.ts'
import { type HistoryStep, historyOf } from './history.ts'
import type { Image } from './image.ts'

/**
 * The image on another base: the layers of `newBase`, and on them those that the image has above `oldBase`. Its history is
 * put together in the same way. Its configuration stays as it is (environment, entrypoint, platform and all else), also where
 * it came from the old base; annotations that name the base follow. Media types are those of the new base's family.
 *
 * Nothing is read but the documents. What the layers find below them changes: a store compares them with the new base when
 * it takes the image in (layer-semantics H-06, N-13).
 *
 * @throws PLY_USAGE if the layers of `oldBase` are not the lowest of the image, saying where they differ
 */
export function rebase(image: Image, oldBase: Image, newBase: Image): Image {
  checkBase(image, oldBase)
  let made = newBase
  for (const { step, layer } of stepsAbove(image, oldBase)) {
    made = layer === undefined ? configure(made, { history: step }) : append(made, layer, step)
  }
  const { rootfs: _, ...config } = image.config
  const { annotations, ...manifest } = image.manifest
  const described = annotations && withBase(annotations, newBase)
  return composeImage({
    manifest: {
      ...manifest,
      mediaType: made.manifest.mediaType ?? made.descriptor.mediaType,
      config: made.manifest.config,
      ...(described !== undefined && { annotations: described }),
    },
    config: { ...config, history: made.config.history ?? [] },
    layers: made.layers,
  })
}

/** @throws PLY_USAGE if the layers of `oldBase` are not the lowest of the image, saying where they differ */
export function checkBase(image: Image, oldBase: Image): void {
  const at = oldBase.layers.findIndex(({ diffId }, number) => image.layers[number]?.diffId !== diffId)
  if (at < 0) return
  const found = image.layers[at]?.diffId
  const instead = found === undefined ? `the image has only ${image.layers.length} layers` : `the image has ${found}`
  const reason = `the image was not built on this base: its layer ${at} is ${oldBase.layers[at]!.diffId}, and ${instead}`
  throw new PlyError('PLY_USAGE', { reason: `${reason}; name the image that it was built on` })
}

/** The steps in which an image was made from its base. */
function stepsAbove(image: Image, base: Image): readonly HistoryStep[] {
  const steps = historyOf(image)
  const ofBase = base.config.history ?? []
  const shared = ofBase.every((step, at) => isDeepStrictEqual(step, image.config.history?.[at]))
  const layers = ofBase.filter((step) => step.empty_layer !== true).length
  if (shared && layers === base.layers.length) return steps.slice(ofBase.length)
  // The base was rewritten, or says nothing of itself: what follows its last layer is taken for the image's own.
  let left = base.layers.length
  const last = left === 0 ? -1 : steps.findIndex(({ layer }) => layer !== undefined && --left === 0)
  return steps.slice(last + 1)
}

/** Annotations of OCI's image-spec that name the image an image was built on. */
const baseDigest = 'org.opencontainers.image.base.digest'
const baseName = 'org.opencontainers.image.base.name'

/** A name that the old base had is not the new one's. */
function withBase(annotations: Readonly<Record<string, string>>, base: Image): Readonly<Record<string, string>> {
  const { [baseName]: _, ...rest } = annotations
  return rest[baseDigest] === undefined ? rest : { ...rest, [baseDigest]: base.digest }
}
