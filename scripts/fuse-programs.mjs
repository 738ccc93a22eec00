// Programs at the size that users have them, in FUSE mounts of containers, over uppers of both forms: git clone of 10,000 files, npm ci
// of this project (from npm's own cache) and its build, dpkg -i in a chroot, tar x of 20,000 files, make -j2, SQLite with 10,000
// transactions, fio --verify, shared mappings. What they left has to be the same when it is mounted again, and the store sound.
// test/e2e/fuse-programs.test.ts runs the same in small.
//
//   node scripts/fuse-programs.mjs --image oci:DIRECTORY:TAG      an image of Debian, as bench/gen.mjs makes them
//   --as root|fusermount3|namespace|"namespace of many" (root): whose programs they are; an ordinary user's, through fusermount3, in a user
//     namespace with no other users, or in one with those of /etc/subuid
//   --form overlay|portable (both; an ordinary user writes the second only), --case PATTERN, --on DIRECTORY where the store is made,
//   --scale small, --patience SECONDS a case
//
// Needs root and /dev/fuse; what else is not installed is said.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/programs/main.ts', { alone: true })
