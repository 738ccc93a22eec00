// Mounts the container of fuse.mjs and says `ready`; unmounts when its input ends. fuse-mount.mjs REQUEST
import { once } from 'node:events'
import { mountFuse } from '../../.modules/fuse/mount-fuse.js'

const mount = await mountFuse({
  ...JSON.parse(process.argv[2]),
  program: new URL('fuse-serving.mjs', import.meta.url),
})
console.log('ready')
process.stdin.resume()
await once(process.stdin, 'end')
await mount.unmount()
