import type { History } from '../model/documents.ts'
import type { Image, Layer } from './image.ts'

/** One step in the making of an image, with the layer it made. */
export interface HistoryStep {
  /** What the config says of the step; empty for a layer that it does not describe. */
  readonly step: History
  /** Absent for a step that changed the configuration only. */
  readonly layer?: Layer
}

/** How an image was made, oldest step first. Every layer stands in exactly one step, also where the config forgot it. */
export function historyOf(image: Image): HistoryStep[] {
  const layers = image.layers[Symbol.iterator]()
  const steps: HistoryStep[] = []
  for (const step of image.config.history ?? []) {
    const layer = step.empty_layer === true ? undefined : layers.next().value
    steps.push(layer === undefined ? { step } : { step, layer })
  }
  for (const layer of layers) steps.push({ step: {}, layer })
  return steps
}
