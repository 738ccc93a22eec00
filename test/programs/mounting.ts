/**
 * A process that mounts a container by FUSE as who uses the library does, for `ground.ts`. It says `ready`, serves until its input ends, and
 * unmounts. With `namespace` it is mounted for a command, in namespaces of its own, and `ready` is followed by the number of a process in them.
 */
import { once } from 'node:events'
import { IdMapping } from '../../src/model/id-mapping.ts'
import { runInMount } from '../../src/mount/command.ts'
import { Endings } from '../../src/mount/ending.ts'
import { mount } from '../../src/mount/mount.ts'
import { openStore } from '../../src/store/open-store.ts'

export interface MountingRequest {
  readonly store: string
  readonly container: string
  readonly target: string
  readonly namespace: boolean
}

const { store: root, container, target, namespace } = JSON.parse(process.argv[2]!) as MountingRequest
if (namespace) await served()
else await mounted()

async function served(): Promise<void> {
  using endings = new Endings()
  const command = ['sh', '-c', 'echo ready $$; exec cat'] as const
  const what = {
    store: { root, options: {} },
    subject: { container },
    target,
    options: { via: 'fuse' },
    command,
  } as const
  const end = await runInMount(what, { endings, onNote: (text) => process.stderr.write(`${text}\n`) })
  if (!('status' in end) || end.status !== 0) throw new Error(`the command ended: ${JSON.stringify(end)}`)
}

async function mounted(): Promise<void> {
  const [uid, gid] = [process.geteuid!(), process.getegid!()]
  // What is root's in the image belongs to who mounts it.
  const owners = uid === 0 ? undefined : { uids: IdMapping.parse(`0:${uid}:1`), gids: IdMapping.parse(`0:${gid}:1`) }
  await using store = await openStore(root)
  await using _ = await mount({ store, container }, target, { via: 'fuse', ...(owners && { owners }) })
  process.stdout.write('ready\n')
  process.stdin.resume()
  await once(process.stdin, 'end')
}
