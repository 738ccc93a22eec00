import { writeSync } from 'node:fs'
import type { Lower } from '../overlay/lower.ts'
import { MountedOver } from './overlay-mount.ts'
import { type Turns, takeTurns } from './turns.ts'

/** What the program is told: it is run where `unshare -Ur` made it root of nothing. */
export interface RootlessOrder {
  readonly lower: Omit<Lower, 'tree'>
  /** Where the lower tree is mounted already. */
  readonly lowerDir: string
  readonly folder: string
  readonly turns: Turns
}

const { lower, lowerDir, folder, turns }: RootlessOrder = JSON.parse(process.argv[2]!)
const done = takeTurns(turns, { lower, folder, kernel: new MountedOver(lowerDir, folder) })
writeSync(1, JSON.stringify(done))
