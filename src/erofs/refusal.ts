import { PlyError } from '../model/errors.ts'

/** The error for what an index cannot hold. `path` is for people. */
export function unrepresentable(path: string, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path, where: 'an index', reason })
}

/** Says what is wrong with a damaged file: throws PLY_BAD_INDEX. */
export type Fail = (reason: string) => never
