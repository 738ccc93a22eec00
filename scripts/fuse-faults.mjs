// Kills the server of a FUSE mount at random moments, again and again, while programs work in it: each writes, moves, links and removes
// over a populated lower layer, and tells in a file what was answered. After each kill all of that has to be there, the step that was not
// answered wholly or not at all, and nothing hangs; the store has to be sound. Some rounds kill it while it mounts or unmounts, some end well.
//
//   node scripts/fuse-faults.mjs
//   --minutes N (10), --form overlay|portable (both, by turns), --programs N (3), --on DIRECTORY where the store is made, --seed N,
//   --keep what went wrong, --verbose
//
// Needs root and /dev/fuse.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/faults/main.ts', { alone: true })
