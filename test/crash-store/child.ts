import { existsSync, promises, statSync, writeSync } from 'node:fs'
import { codeOf } from '../../src/model/errors.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import { signpost } from '../crash/strace.ts'
import { operations, type Place } from './operations.ts'

/** What the program is told. */
export interface Order {
  readonly place: Place
  readonly operation: string
  /** What strace writes: as soon as something is in it, the tracer has come. */
  readonly log: string
}

/** What it says: first its threads, then how the operation ended. */
export interface Threads {
  readonly main: number
  readonly pool: number
}

export interface Ending {
  /** Absent: it worked. */
  readonly code?: string
  readonly stack?: string
}

const order: Order = JSON.parse(process.argv[2]!)
const operation = operations.find(({ name }) => name === order.operation)!
const say = (what: Threads | Ending): void => void writeSync(1, `${JSON.stringify(what)}\n`)
// The library of system calls is loaded before anything is counted.
readXattrs('/')

// A thread's own number is in what it opens itself.
const status = await promises.readFile('/proc/thread-self/status', 'utf8')
say({ main: process.pid, pool: Number(/^Pid:\s*(\d+)/m.exec(status)![1]) })
while ((statSync(order.log, { throwIfNoEntry: false })?.size ?? 0) === 0) {
  existsSync(signpost('ready'))
  await promises.access(signpost('ready')).catch(() => {})
}
existsSync(signpost('acting'))
let ending: Ending = {}
try {
  await operation.act(order.place)
} catch (error) {
  // Where closing fails as well, that is told with what failed before.
  let first = error as Error & { readonly suppressed?: Error }
  while (first.suppressed) first = first.suppressed
  ending = { code: codeOf(first) ?? 'none', stack: String(first.stack) }
}
existsSync(signpost(ending.code === undefined ? 'acted' : 'failed'))
say(ending)
