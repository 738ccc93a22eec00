/** plyfs: layered container images as a library. Everything public is named here. */

// Builds
export { build, buildPlatforms, checkBuild } from './build/build.ts'
export type { BuildCache } from './build/cache/source.ts'
export { openBuildCache } from './build/cache/source.ts'
export type { BuiltStep, WriteCacheOptions } from './build/cache/target.ts'
export { BuiltSteps, writeBuildCache } from './build/cache/target.ts'
export type { ContextOptions } from './build/context/context.ts'
export { contextTree } from './build/context/context.ts'
export type { BuildContext, OpenContextOptions } from './build/context/open-context.ts'
export { openContext } from './build/context/open-context.ts'
export type { BuildEvent, BuildOptions, BuildSettings, NamedContext } from './build/options.ts'
export type { FilesFrom, Program, ProgramOptions, ProgramStep } from './build/program/program.ts'
/** The steps of a program: one function for each instruction of a Dockerfile. */
export * as steps from './build/program/steps.ts'
export type { Reproduction } from './build/reproduce/reproduce.ts'
export { reproduce } from './build/reproduce/reproduce.ts'
export type { DifferentContent, DifferentEntry, DifferentStep } from './build/reproduce/reproduction.ts'
export type {
  CheckFinding,
  CheckReport,
  CheckRules,
  RuleName as CheckRuleName,
} from './check/index.ts'
// The gate
export { checkImage, checkRules, defaultRules, findingLine, junitReport, sarifReport } from './check/index.ts'
export type {
  Added,
  Aspect,
  Change,
  Changeset,
  Deleted,
  DiffOptions,
  Modified,
  PatchOptions,
  Renamed,
  RenameOptions,
} from './diff/index.ts'
// Trees, changes, the union
export { diff, patchOf, withRenames } from './diff/index.ts'
export type { Finding as LintFinding, LintRule } from './dockerfile/index.ts'
// The explorer
export type {
  Difference,
  Explorable,
  Exploration,
  Explored,
  FileTable,
  LayerFacts,
  Served,
  Terminal,
} from './explore/index.ts'
export { explore, exploreInTerminal, explorerPage, servePage } from './explore/index.ts'
export type {
  ExtractLayersOptions,
  ExtractOptions,
  ExtractReport,
  FileDigests,
  ForeignUpperOptions,
  LayersReport,
  OverlayForm,
  UpperWarning,
  Written,
} from './extract/index.ts'
export {
  decodeWritten,
  directoryTree,
  encodeWritten,
  extractLayers,
  extractTree,
  restoredTree,
  upperTree,
} from './extract/index.ts'
export type { UnionFs } from './fs/index.ts'
export { fsOf } from './fs/index.ts'
// Images as values, and the places they come from and go to
export { append, scratch } from './image/append.ts'
export type { ImageDifference } from './image/compare.ts'
export { compareImages } from './image/compare.ts'
export type { Configuration, Healthcheck, SetChange } from './image/configure.ts'
export { configure } from './image/configure.ts'
export type { CopyOptions } from './image/copy.ts'
export { copy, copyWhole, parcelFrom } from './image/copy.ts'
export type { ImageDescription } from './image/describe.ts'
export { describeImage } from './image/describe.ts'
export type { ChangedIndex, IndexChange } from './image/edit-index.ts'
export { addToIndex, annotateIndex, createIndex, removeFromIndex } from './image/edit-index.ts'
export type { HistoryStep } from './image/history.ts'
export { historyOf } from './image/history.ts'
export type { Image, ImageSink, ImageSource, Layer, LayerOrigin, Listed } from './image/image.ts'
export type { FileAttributes, FileSpec } from './image/layer-from.ts'
export { layerFrom } from './image/layer-from.ts'
export type { ImportJudgement, LayerReport, WriteOptions } from './image/layer-report.ts'
export type { IndexFields, IndexParcel, ManifestParcel, Parcel, ParcelBlob } from './image/parcel.ts'
export { imageOfParcel, indexOver, manifestsIn, parcelOf } from './image/parcel.ts'
export { validateImage } from './image/validate.ts'
export type { Dropped, WithImagesOptions } from './image/with-images.ts'
export { withImages } from './image/with-images.ts'
export type { ImportReport, LayerLimits, LayerView, LayerWarning } from './layer/index.ts'
export { defaultLimits } from './layer/index.ts'
export type { MarkSpace } from './layer/overlay-marks.ts'
export type { ByteString } from './model/bytes.ts'
// Values and errors
export { decodeText, displayText, encodeText } from './model/bytes.ts'
export type { ChainId, DiffId, Digest } from './model/digest.ts'
export type {
  Descriptor,
  ExecutionConfig,
  History,
  ImageConfig,
  ImageIndex,
  Manifest,
  Platform,
} from './model/documents.ts'
export type { Attributes, Kind, Stat, Xattrs } from './model/entry.ts'
export type { ErrorCode } from './model/errors.ts'
export { codeOf, errorCodes, PlyError } from './model/errors.ts'
export type { IdRange } from './model/id-mapping.ts'
export { IdMapping } from './model/id-mapping.ts'
export type { Operation, Progress } from './model/operation.ts'
export type { Phase } from './model/phases.ts'
export { onPhase } from './model/phases.ts'
export type { Reference } from './model/reference.ts'
export { splitReference } from './model/reference.ts'
// Mounts
export type { Abilities, Ability } from './mount/abilities.ts'
export { abilities } from './mount/abilities.ts'
export type { CommandEnd, CommandInMount } from './mount/command.ts'
export { runInMount } from './mount/command.ts'
export type { Diagnosis } from './mount/diagnosis.ts'
export { diagnose } from './mount/diagnosis.ts'
export { Endings, servedUntilTold } from './mount/ending.ts'
export type { MountWanted } from './mount/mount.ts'
export { mount } from './mount/mount.ts'
export type { Mounted, MountOptions, UnmountOptions } from './mount/mounted.ts'
export type { MountPlan, Plannable } from './mount/plan.ts'
export { planMount } from './mount/plan.ts'
export { unmount } from './mount/unmount.ts'
// Uppers on a disk
export type { ConversionOptions } from './overlay/convert.ts'
export { convertUpper } from './overlay/convert.ts'
export type { OverlayUpperOptions } from './overlay/overlay-upper.ts'
export { openOverlayUpper } from './overlay/overlay-upper.ts'
export type { PortableUpperOptions } from './overlay/portable-upper.ts'
export { openPortableUpper } from './overlay/portable-upper.ts'
export type { StoredUpper } from './overlay/stored-upper.ts'
export type {
  Accounts,
  FindExpression,
  FindOptions,
  FindPlan,
  Found,
  PackageOf,
  TreeUsage,
  TreeUsageOptions,
  Walked,
  WalkOptions,
} from './query/index.ts'
// Questions to a tree
export { accountsOf, find, packagesOf, parseFind, treeUsage, walkTree } from './query/index.ts'
// Running
export { clearAbandoned } from './run/abandoned.ts'
export type { RunAbilities } from './run/abilities.ts'
export { runAbilities } from './run/abilities.ts'
export type { CapabilityChanges } from './run/capabilities.ts'
export type { Running, RunOptions } from './run/run.ts'
export { run } from './run/run.ts'
export type { BindMount } from './run/spec.ts'
export type { TemporaryContainer } from './run/traces.ts'
export { temporaryContainer } from './run/traces.ts'
export type {
  Attached,
  Attachments,
  CarriedSignatures,
  Form as SignatureForm,
  ImageSignature,
  KeyKind,
  PrivateKeyOptions,
  Refused as RefusedSignature,
  SignatureRequirement,
  Signed,
  SigningKey,
  SourceAttachments,
  VerifyingKey,
  WritableAttachments,
} from './signature/index.ts'
// Signatures
export { carrySignatures, privateKeyFrom, publicKeyFrom } from './signature/index.ts'
export type { ContentDigests } from './stack/content-digests.ts'
export { contentDigest } from './stack/content-digests.ts'
export type { OwnerShift } from './stack/mapped-tree.ts'
export { mappedTree } from './stack/mapped-tree.ts'
export type { Tree, TreeEntry } from './stack/tree.ts'
export type { Collected, CollectOptions } from './store/collection/collect.ts'
export type { Explanation, Reason } from './store/collection/explain.ts'
export type { Container, ContainerRecord, Containers, Materialized, Snapshot } from './store/containers/containers.ts'
export type { UpperForm } from './store/containers/uppers.ts'
export type { RepairSource } from './store/fsck/fetch.ts'
export type {
  AffectedPaths,
  Finding,
  FindingCode,
  FindingKind,
  FsckLevel,
  FsckReport,
  Remedy,
} from './store/fsck/findings.ts'
export { fsckLevels } from './store/fsck/findings.ts'
export type { FsckOptions } from './store/fsck/fsck.ts'
export type { LowerTimesOptions } from './store/images/lower-times.ts'
export type { RebaseOptions } from './store/images/rebase.ts'
export type { RewriteOptions, SplitOptions, SquashOptions } from './store/images/rewrite.ts'
export type { StripOptions } from './store/images/strip.ts'
export type { ValidateOptions } from './store/intake/validate.ts'
export { validate } from './store/intake/validate.ts'
export type { Validity, ValidityFinding } from './store/intake/validity.ts'
export type { Wanted as MountSubjectName } from './store/mounts/ground.ts'
export type { MountRecord, MountState, RecordedMount, Via } from './store/mounts/mount-record.ts'
export type { Mounts } from './store/mounts/mount-records.ts'
export type { MountSubject } from './store/mounts/standing.ts'
export { defaultRoot, openStore } from './store/open-store.ts'
// The store
export type {
  Accounting,
  AccountingOptions,
  ContainerSizes,
  ImageSizes,
  LayerSizes,
  Sizes,
} from './store/space/accounts.ts'
export type { DedupeOptions, Deduplicated } from './store/space/dedupe.ts'
export type { Usage, UsagePart } from './store/space/usage.ts'
export type { CommitOptions, Store, StoredImage, StoreOptions } from './store/store.ts'
export { exportTree } from './store/trees/export-tree.ts'
export type { OpenLayersOptions } from './store/trees/open-layers.ts'
export { openLayers } from './store/trees/open-layers.ts'
export type { OpenTreeOptions } from './store/trees/open-tree.ts'
export { openTree, splitLayer } from './store/trees/open-tree.ts'
export type { ByteSink, ByteStream, Bytes } from './stream/bytes.ts'
export type { Compression, CompressionSettings } from './stream/compression.ts'
// What a copy to and from the disk needs that `node:fs` lacks
export { makeNode } from './sys/nodes.ts'
export { readXattrs, setXattr } from './sys/xattr.ts'
export type {
  BlameBelowOptions,
  Blamed,
  BlameOptions,
  BlameStep,
  Deed,
  LayerCause,
  LayerPair,
  LayerStack,
  LayerWaste,
  OpenLayer,
  Saying,
  Waste,
  WasteCause,
  WastedFile,
  WasteGroup,
  WasteGrouping,
} from './trace/index.ts'
// Which layer did what
export {
  blame,
  blameBelow,
  compareLayers,
  groupWaste,
  layerAlone,
  mergedTree,
  waste,
  wasteGroupings,
} from './trace/index.ts'
export type {
  AttachedFile,
  AttachOptions,
  FilesLayerOptions,
  Placement,
  RecompressedImage,
  RecompressedLayer,
  RecompressOptions,
  SignedImage,
  SignOptions,
  SyncEntry,
  SyncOptions,
  SyncStep,
  VerifiedImage,
  VerifyOptions,
} from './transport/index.ts'
export {
  attach,
  detectReference,
  filesLayer,
  openSink,
  openSource,
  parseSyncList,
  recompressed,
  referrers,
  signImage,
  sync,
  verifySignatures,
} from './transport/index.ts'
export type {
  Credentials as RegistryCredentials,
  Document,
  LoggedIn,
  LoggedOut,
  Login,
  PatienceOptions,
  Referrer,
  RegistryOptions,
  Repository,
} from './transport/registry/index.ts'
export { login, logout, openRepository } from './transport/registry/index.ts'
export { copyRange } from './union/copy-range.ts'
export type { DirectoryHandle } from './union/directory-handle.ts'
export { openDirectory } from './union/directory-handle.ts'
export type { AdvisoryLocks, LockKind, LockOwner, LockRange, RangeLock } from './union/locks.ts'
export { lockGranted } from './union/locks.ts'
export { memoryUpper } from './union/memory-upper.ts'
export type { UserTree, UserUnion } from './union/permissions.ts'
export { asUser } from './union/permissions.ts'
export type { PlainAttributes, PlainEntry } from './union/plain-layer.ts'
export { plainLayer } from './union/plain-layer.ts'
export type { Resolved } from './union/resolve.ts'
export { resolvePath } from './union/resolve.ts'
export { shiftedUnion } from './union/shifted-union.ts'
export type { WritableUnion } from './union/union.ts'
export { union } from './union/union-tree.ts'
export type { Allocation, AttributeChange, Creation, Room, Unnamed, Upper, WritableBytes } from './union/upper.ts'
export type { Capability, Credentials } from './union/user.ts'
