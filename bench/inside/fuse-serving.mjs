// The thread that serves the container of fuse.mjs.

import { serveInThread } from '../../.modules/fuse/thread.js'
import { openStore } from '../../.modules/index.js'

await serveInThread(async ({ root, upperForm, container: name }) => {
  const store = await openStore(root, { upperForm })
  const container = await store.containers.open(name)
  return { tree: container.tree, close: () => container.close() }
})
