import type { IndexBuilder } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import { badLayer } from '../tar/index.ts'
import { type LayerLimits, overBudget } from './limits.ts'
import { join, whiteoutPrefix } from './names.ts'

/** A directory that a walk arrived at. */
export interface Arrival {
  readonly directory: number
  /** From the root, symlinks followed. */
  readonly path: ByteString
  /** Components of the path. */
  readonly depth: number
}

/** What a walk does at a component that is not a directory yet. */
export interface Steps {
  /** Nothing is there. `undefined` ends the walk. */
  missing(directory: number, name: ByteString): number | undefined
  /** A whiteout is there. `undefined` ends the walk. */
  whiteout(directory: number, name: ByteString): number | undefined
  /** A directory is there. `false` ends the walk. */
  directory(inode: number): boolean
  /** Something else is there. `undefined` ends the walk. */
  obstacle(directory: number, name: ByteString, path: ByteString): number | undefined
}

/** A walk that ended before its last component. */
export interface Ended {
  readonly directory: undefined
  /** The whole path, with the symlinks followed that were met. */
  readonly path: ByteString
}

/**
 * Goes from the root down a path of directories, following the symlinks that the layer has made so far, confined to
 * the root (layer-semantics N-11).
 *
 * @throws PLY_BAD_LAYER N-11 for a loop, PLY_BUDGET for a path that is too deep.
 */
export function walk(
  builder: IndexBuilder,
  path: ByteString,
  entry: ByteString,
  limits: LayerLimits,
  steps: Steps,
): Arrival | Ended {
  const inodes = [builder.root]
  const names: ByteString[] = []
  // What is still to be walked, next component last.
  const todo = path === '' ? [] : path.split('/').reverse()
  let followed = 0
  while (todo.length > 0) {
    const name = todo.pop()!
    if (name === '' || name === '.') continue
    if (name === '..') {
      // Only the text of a symlink gets here; at the root it stays there, as for a process that lives in it.
      if (names.pop() !== undefined) inodes.pop()
      continue
    }
    const directory = inodes.at(-1)!
    if (names.length >= limits.depth) throw overBudget(entry, 'its path', limits, 'depth')
    let next = builder.child(directory, name)
    const kind = next === undefined ? undefined : builder.kind(next)
    if (next !== undefined && kind === 'symlink') {
      if (++followed > limits.symlinkSteps) {
        const reason = `its path goes through more than ${limits.symlinkSteps} symlinks, or through a loop of them`
        throw badLayer(entry, 'N-11', reason, 'limits.symlinkSteps')
      }
      const target = builder.target(next)
      if (target.startsWith('/')) {
        inodes.length = 1
        names.length = 0
      }
      for (const component of target.split('/').reverse()) todo.push(component)
      continue
    }
    if (next === undefined) {
      if (name.startsWith(whiteoutPrefix)) throw badLayer(entry, 'N-10', `a component of its path starts with .wh.`)
      if (name.length > 255) throw badLayer(entry, 'N-08', 'a component of its path is longer than 255 bytes')
      next = steps.missing(directory, name)
    } else if (kind === 'directory') {
      if (!steps.directory(next)) next = undefined
    } else if (kind === 'character' && builder.facts(next).whiteout) next = steps.whiteout(directory, name)
    else next = steps.obstacle(directory, name, join(names.join('/'), name))
    names.push(name)
    if (next === undefined) return { directory: undefined, path: [...names, ...todo.reverse()].join('/') }
    inodes.push(next)
  }
  return { directory: inodes.at(-1)!, path: names.join('/'), depth: names.length }
}
