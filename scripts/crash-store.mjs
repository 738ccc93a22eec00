// Crashes at every system call that changes a store, and losses of power between them: what is left has to be the old store or
// the new one (docs/durability.md).
//
//   node scripts/crash-store.mjs
//   --operation PATTERN, --inject kill|EIO|ENOSPC|EROFS|EDQUOT|power|both (several; both: a death, and a loss of power later), --list, --verbose
//   --every N          one point in so many (PLYFS_SEED says which)
//   --on DIRECTORY     where the stores are made: on a tmpfs it is much faster than on a disk
//
// Needs strace and root: it attaches to threads of other processes.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/crash-store/main.ts')
