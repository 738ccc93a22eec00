/** The thread that serves what `mounting.ts` mounts. */
import { serveInThread } from '../../src/fuse/thread.ts'
import { openServed, type Served } from './served.ts'

await serveInThread((served: Served) => openServed(served))
