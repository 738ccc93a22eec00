/** Where images come from and go to: archives, layouts, directories. One file a transport. */
export { detectReference } from './detect.ts'
export { openSink, openSource } from './open.ts'
export type { SinkOptions, SourceOptions, TransportOptions } from './options.ts'
export type { RecompressedImage, RecompressedLayer, RecompressOptions } from './recompress.ts'
export { recompressed } from './recompress.ts'
export type { SignedImage, SignOptions, VerifiedImage, VerifyOptions } from './signing.ts'
export { signImage, verifySignatures } from './signing.ts'
