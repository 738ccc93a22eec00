import { existsSync, writeSync } from 'node:fs'
import { codeOf } from '../../src/model/errors.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { byPath } from './by-path.ts'
import { openUnion, type Place } from './forms.ts'
import { scenarios } from './scenarios.ts'
import { type State, stateOf } from './state.ts'
import { signpost } from './strace.ts'

/** What the program is told. */
export interface Order {
  readonly place: Place
  readonly scenario: string
  /** A call will fail before it is closed: the union is looked at afterwards, and has to go on. */
  readonly looks: boolean
}

/** What it answers when a call failed. */
export interface Outcome {
  /** Of opening; it was then opened once more. */
  readonly opening?: string
  /** Of the change; absent: it worked. */
  readonly code?: string
  /** Of the same change once more, when it did not. */
  readonly again?: string
  /** Of closing. */
  readonly closing?: string
  /** What the union shows after the change, and what one shows that is opened beside it; absent: nobody looked. */
  readonly live?: State
  readonly fresh?: State
}

const order: Order = JSON.parse(process.argv[2]!)
const scenario = scenarios.find(({ name }) => name === order.scenario)!
// The library of system calls is loaded before anything is counted.
readXattrs('/')
const pass = (name: string): void => void existsSync(signpost(name))

const attempt = (does: () => void): string | undefined => {
  try {
    does()
    return undefined
  } catch (error) {
    return codeOf(error) ?? String(error)
  }
}

pass('opening')
let view: RestackableUnion | undefined
const opening = attempt(() => void (view = openUnion(order.place)))
view ??= openUnion(order.place)
pass('acting')
const code = attempt(() => scenario.act(byPath(view!)))
pass('looking')
const [live, fresh] = order.looks ? [stateOf(view), besides()] : []
const again = code !== undefined && order.looks ? attempt(() => scenario.act(byPath(view!))) : undefined
pass('closing')
const closing = attempt(() => view!.close())
pass('end')
const outcome: { [Name in keyof Outcome]: Outcome[Name] | undefined } = { opening, code, again, closing, live, fresh }
writeSync(1, JSON.stringify(outcome))

/** What is seen by somebody who opens the same upper for reading. */
function besides(): State {
  const other = openUnion(order.place, true)
  try {
    return stateOf(other)
  } finally {
    other.close()
  }
}
