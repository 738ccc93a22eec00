/** The types that commands talk about, in one place; the values come with `StoreCommand.library()`, when they are needed. */
export type {
  Change,
  Container,
  ContainerRecord,
  Descriptor,
  Image,
  ImageSink,
  ImageSource,
  Kind,
  Listed,
  Operation,
  Progress,
  Stat,
  Store,
  StoredImage,
  Tree,
  Usage,
  WritableUnion,
} from '../index.ts'

/** The whole public library. */
export type Library = typeof import('../index.ts')
