import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'

/** A layer is made of trees whose every byte is known to be the right one. @throws PLY_UNSUPPORTED */
export function checkVerified(...trees: readonly Tree[]): void {
  if (!trees.some((tree) => tree.unverified)) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: 'a layer made of what was not verified',
    reason: 'only headers of the tree were read; open it without verify: false',
  })
}
