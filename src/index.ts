/** plyfs: layered container images as a library. Everything public is named here. */
export { PlyError, codeOf } from './model/errors.ts'
export type { ErrorCode } from './model/errors.ts'
export type { Operation, Progress } from './model/operation.ts'
