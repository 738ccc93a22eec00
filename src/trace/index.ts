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
export { layerAlone } from './layer-alone.ts'
export type { LayerStack, OpenLayer } from './layer-stack.ts'
export { type Clearing, standing, type Trail, Trails, type Turn } from './trail.ts'
