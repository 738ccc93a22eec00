/**
 * The byte-exact tar codec: headers of every common layout, extended headers as bytes, GNU long names, sparse maps,
 * offsets of everything. It knows nothing of images and whiteouts.
 */
export { encodeHeader, endMarker, paddingOf, writeHeader } from './encode.ts'

export { badLayer, type Member, type MemberFields, type MemberType, type TarWarning } from './member.ts'
export { type TarListener, type TarOptions, TarReader } from './reader.ts'
export { type ArchiveBytes, scanTar } from './scan.ts'
export type { SparseMap } from './sparse-map.ts'
