import type { Layer } from '../../image/image.ts'
import { codeOf, PlyError } from '../../model/errors.ts'

const aboutLayers = ['PLY_BAD_LAYER', 'PLY_BUDGET', 'PLY_BAD_COMPRESSION', 'PLY_UNSUPPORTED']

/** What was thrown about a layer, with the place in its image that it has: `details.layer` (0 is the base) and `diffId`. */
export function ofLayer(error: unknown, at: number, { diffId }: Partial<Pick<Layer, 'diffId'>> = {}): unknown {
  if (!(error instanceof PlyError) || !aboutLayers.includes(codeOf(error)!) || 'layer' in error.details) return error
  return new PlyError(error.code, { ...error.details, layer: at, ...(diffId && { diffId }) }, { cause: error })
}
