/** The thread that serves what `mounting.ts` mounts. */
import { setTimeout } from 'node:timers/promises'
import { serveInThread } from '../../src/fuse/thread.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Tree } from '../../src/stack/tree.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { openServed, type Served } from './served.ts'

await serveInThread((served: Served) => {
  const tree = openServed(served)
  return { tree, control: (asked) => answer(tree, asked) }
})

/** What tests ask of a mount: whether what is asked for comes back, later and failed too. */
async function answer(tree: Tree | WritableUnion, asked: unknown): Promise<unknown> {
  await setTimeout(20)
  if (asked === 'sync' && 'sync' in tree) tree.sync()
  if (asked === 'fail') throw new PlyError('ENOSPC', { syscall: 'write' })
  return { asked, names: [...tree.list(tree.root)].length }
}
