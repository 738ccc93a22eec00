/** The thread that serves a container of a store, for `ground.ts`. */
import { serveInThread } from '../../src/fuse/thread.ts'
import { openStore } from '../../src/store/open-store.ts'

await serveInThread(
  async ({ store: root, container: name }: { readonly store: string; readonly container: string }) => {
    const store = await openStore(root)
    const container = await store.containers.open(name)
    return {
      tree: container.tree,
      async close() {
        await container.close()
        await store[Symbol.asyncDispose]()
      },
    }
  },
)
