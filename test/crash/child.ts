import { existsSync, writeSync } from 'node:fs'
import { codeOf } from '../../src/model/errors.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import { byPath } from './by-path.ts'
import { openUnion, type Place } from './forms.ts'
import { scenarios } from './scenarios.ts'
import { type State, stateOf } from './state.ts'
import { signpost } from './strace.ts'

/** What the program is told. */
export interface Order {
  readonly place: Place
  readonly scenario: string
  /** A call will fail: the union is looked at afterwards, and has to go on. */
  readonly failing: boolean
}

/** What it answers when a call failed. */
export interface Outcome {
  /** Of the change; absent: it worked. */
  readonly code?: string
  /** Of the same change once more, when it did not. */
  readonly again?: string
  /** Of closing. */
  readonly closing?: string
  /** What the union shows after the change, and what one shows that is opened beside it. */
  readonly live: State
  readonly fresh: State
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
const view = openUnion(order.place)
pass('acting')
if (!order.failing) {
  const code = attempt(() => scenario.act(byPath(view)))
  pass('closing')
  view.close()
  pass('end')
  writeSync(1, JSON.stringify({ code }))
} else {
  const code = attempt(() => scenario.act(byPath(view)))
  pass('looking')
  const live = stateOf(view)
  const beside = openUnion(order.place, true)
  const fresh = stateOf(beside)
  beside.close()
  const again = code === undefined ? undefined : attempt(() => scenario.act(byPath(view)))
  pass('closing')
  const closing = attempt(() => view.close())
  pass('end')
  const outcome = { live, fresh, code, again, closing }
  writeSync(1, JSON.stringify(outcome))
}
