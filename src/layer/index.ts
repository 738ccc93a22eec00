/**
 * What a layer archive means: tar to index in one pass, an index as what one layer says, and changes as a canonical
 * tar. The OCI spelling of whiteouts is known here and nowhere else.
 */
export {
  type ExpectedLayer,
  type ImportedLayer,
  type ImportOptions,
  type ImportTargets,
  importLayer,
  type RebuildOptions,
  rebuildIndex,
} from './import.ts'
export { type IndexedLayer, type IndexOptions, LayerIndexer } from './index-tar.ts'
export { layerView } from './layer-view.ts'
export { defaultLimits, type LayerLimits } from './limits.ts'
export { type PackItem, type PackOptions, packLayer } from './pack.ts'
export { Findings, type ImportReport, type LayerWarning } from './report.ts'
export { scanLayer } from './scan-layer.ts'
export { spillBytes } from './spill.ts'
export * from './view.ts'
