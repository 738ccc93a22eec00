// Many processes do everything to one store at once, and one is killed every second: no error, no damage, nothing left.
//
//   node scripts/crowd.mjs
//   --processes 8, --seconds 300, --kill-every 1 (seconds)
//   --on DIRECTORY     where the store is made
import { runProgram } from './bundled-program.mjs'

await runProgram('test/crowd/main.ts')
