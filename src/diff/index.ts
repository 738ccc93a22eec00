/**
 * Differences between any two trees, and what a layer has to say to bring them about (layer-semantics, section 16).
 */

export { type Compared, differingAspects, type Precision } from './aspects.ts'
export type { Added, Aspect, Change, Changeset, Deleted, Modified } from './change.ts'
export { changes } from './changes.ts'
export { ContentComparison, type Contents } from './content.ts'
export { type DiffOptions, diff } from './diff.ts'
export type { Skipped, Skipping } from './entry-items.ts'
export { equalXattrs } from './exported.ts'
export { type PackChangesOptions, packChanges } from './pack-changes.ts'
export { packTree } from './pack-tree.ts'
export { type PackViewOptions, packView, type ViewPart } from './pack-view.ts'
export { type PatchOptions, patchOf } from './patch.ts'
export { type Renamed, type RenameOptions, withRenames } from './renames.ts'
export { type SplitViewOptions, splitView } from './split-view.ts'
export { type Mentions, mentionsOf, PathSet, type StillLinked, withoutPaths } from './without-paths.ts'
