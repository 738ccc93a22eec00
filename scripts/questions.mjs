// Generated questions about whole images: ls, find, du, stat and cat of ply, each against the program of that name on what the kernel
// shows of the image. Says how many there were and which answers differ.
//
//   node scripts/questions.mjs IMAGE...     oci:DIR, docker-archive:FILE, or a path
//   --count N (1000)   --seed N: a run that has been   --on DIRECTORY where the store is made
//
// Needs root, EROFS, `npm run build` and GNU coreutils 9.0 or newer.
import { runProgram } from './bundled-program.mjs'

await runProgram('test/query/questions-images.ts')
