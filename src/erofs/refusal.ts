import { PlyError } from '../model/errors.ts'

/** The error for what an index cannot hold. `path` is for people. */
export function unrepresentable(path: string, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path, where: 'an index', reason })
}
