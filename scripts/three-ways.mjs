// Whole images mounted by the kernel, by FUSE and as a copy: each is compared with its tree entry by entry, then the same things are
// done in a container through each way, and the changes and the committed layer have to be the same.
//
//   node scripts/three-ways.mjs IMAGE...      oci:DIR, docker-archive:FILE, or a path
//   --as root|fusermount3|namespace|"namespace of many" (root): who mounts; an ordinary user, through fusermount3, in a user namespace with no
//     other users, or in one with those of /etc/subuid: by FUSE and as a copy
//   --on DIRECTORY where the stores are made
//
// Needs root; takes as much room as three copies of the image.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/mount/three-ways-images.ts')
