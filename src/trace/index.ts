/**
 * Which layer did what: the story of a path, what layers hold in vain, and what one layer says alone.
 */
export {
  type BlameBelowOptions,
  type Blamed,
  type BlameOptions,
  type BlameStep,
  blame,
  blameBelow,
  type Deed,
  type Saying,
} from './blame.ts'
export { compareLayers, type LayerCause, type LayerPair } from './compare-layers.ts'
export { layerAlone } from './layer-alone.ts'
export type { LayerStack, OpenLayer } from './layer-stack.ts'
export { mergedTree } from './merged-tree.ts'
export { type Clearing, standing, type Trail, Trails, type Turn } from './trail.ts'
export { type LayerWaste, type Waste, type WasteCause, type WastedFile, waste } from './waste.ts'
export { groupWaste, type WasteGroup, type WasteGrouping, wasteGroupings } from './waste-groups.ts'
