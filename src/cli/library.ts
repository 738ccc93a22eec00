/** The types that commands talk about, in one place; the values come with `StoreCommand.library()`, when they are needed. */
export type {
  Change,
  Container,
  ContainerRecord,
  Descriptor,
  Explanation,
  Finding,
  FsckLevel,
  FsckReport,
  Image,
  ImageSink,
  ImageSource,
  Kind,
  LayerLimits,
  LayerReport,
  Listed,
  Operation,
  Progress,
  RecompressedLayer,
  RegistryOptions,
  Stat,
  Store,
  StoredImage,
  Tree,
  Usage,
  WritableUnion,
  WriteOptions,
} from '../index.ts'

/** The whole public library. */
export type Library = typeof import('../index.ts')
