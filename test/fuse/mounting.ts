/**
 * A process that mounts: its argument says what and where. It says `ready`, serves until its input ends, unmounts, and says `done`; what
 * is in the way of unmounting is cut off. Whatever its input says makes it exit at once.
 */
import { once } from 'node:events'
import { type FuseMountRequest, mountFuse } from '../../src/fuse/mount-fuse.ts'

const mount = await mountFuse(JSON.parse(process.argv[2]!) as FuseMountRequest)
process.stdout.write('ready\n')
process.stdin.on('data', () => process.exit(3))
await once(process.stdin, 'end')
try {
  await mount.unmount()
} catch (error) {
  process.stderr.write(`${error}\n`)
  await mount.unmount({ force: true })
}
process.stdout.write('done\n')
