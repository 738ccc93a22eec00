/** The program of the thread that serves a mount: opens what it is told from its store, and serves it. */
import { type Opened, serveInThread } from '../fuse/thread.ts'
import { PlyError } from '../model/errors.ts'
import { mappedTree, type OwnerShift } from '../stack/mapped-tree.ts'
import type { Container } from '../store/containers/containers.ts'
import type { MountQuestion } from '../store/mounts/questions.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { shiftedUnion } from '../union/shifted-union.ts'
import type { Served } from './fuse-mount.ts'
import { shiftOf } from './owner-ranges.ts'

await serveInThread(async ({ standing, owners }: Served): Promise<Opened> => {
  const { root, options } = standing.store
  const store = await openStore(root, options)
  const shift = owners && shiftOf(owners)
  const { subject } = standing
  switch (subject.kind) {
    case 'container':
      return served(await store.containers.open(subject.name, { readOnly: options.readOnly ?? false }), store, shift)
    case 'snapshot':
      return served(
        await store.containers.open(`${subject.container}@${subject.snapshot}`, { readOnly: true }),
        store,
        shift,
      )
    case 'image': {
      const tree = await store.tree(standing.manifest)
      return { tree: shift ? mappedTree(tree, shift) : tree }
    }
    default:
      return subject satisfies never
  }
})

function served(container: Container, store: Store, shift: OwnerShift | undefined): Opened {
  return {
    tree: shift ? shiftedUnion(container.tree, shift) : container.tree,
    control: (asked) => answered(container, asked as MountQuestion),
    async close() {
      await container.close()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Answers what other processes ask of a container that is mounted here. */
async function answered(container: Container, asked: MountQuestion): Promise<unknown> {
  switch (asked.ask) {
    case 'sync':
      container.tree.sync()
      return null
    case 'snapshot':
      return container.snapshot(asked.name)
    case 'clone': {
      await using twin = await container.clone(asked.name)
      const { name, image, manifest, created, upper, snapshots } = twin
      return { name, image, manifest, created, upper, snapshots }
    }
    default:
      throw new PlyError('ENOTTY', { syscall: 'ioctl' })
  }
}
