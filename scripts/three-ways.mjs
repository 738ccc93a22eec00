// Whole images mounted by the kernel, by FUSE and as a copy: each is compared with its tree entry by entry, then the same things are
// done in a container through each way, and the changes and the committed layer have to be the same.
//
//   node scripts/three-ways.mjs IMAGE...      oci:DIR, docker-archive:FILE, or a path
//
// Needs root; takes as much room as two copies of the image.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/mount/three-ways-images.ts')
