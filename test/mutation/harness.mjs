import { AsyncLocalStorage } from 'node:async_hooks'
import { format } from 'node:util'

export { expect } from 'vitest'

/**
 * What the tests import from vitest, in one process that stays: files are loaded once, and each of their tests can then run as often
 * as there are mutants. A process of vitest for every mutant takes seconds, and there are thousands.
 */

/** @typedef {{ id: string, file: string, name: string, run: () => unknown, around: Group[] }} Case */
/** @typedef {{ name: string, before: (() => unknown)[], after: (() => unknown)[] }} Group */

/** @type {Map<string, Case>} */
export const cases = new Map()

let file = ''
/** @type {Group[]} */
let groups = []
const running = new AsyncLocalStorage()

/** Loads a file whose tests are known by the name of the file they were written in. */
export async function load(name, url) {
  file = name
  groups = [{ name: '', before: [], after: [] }]
  await import(url)
}

/** Runs one case with its hooks; what it throws, or what its cleaning up throws, is its failure. */
export async function run({ run: body, around }) {
  const finished = []
  try {
    for (const { before } of around) for (const hook of before) await hook()
    await running.run(finished, body)
  } finally {
    for (const hook of finished.reverse()) await hook()
    for (const { after } of around) for (const hook of after) await hook()
  }
}

export function test(name, ...rest) {
  const body = rest.find((one) => typeof one === 'function')
  if (body) add(String(name), () => body({}))
}

export function describe(name, ...rest) {
  const body = rest.find((one) => typeof one === 'function')
  const outer = groups
  groups = [...outer, { name: String(name), before: [], after: [] }]
  body()
  groups = outer
}

test.each = eachWith(test)
describe.each = eachWith(describe)
test.skipIf = (condition) => (condition ? () => undefined : test)
test.runIf = (condition) => test.skipIf(!condition)
test.skip = () => undefined
test.todo = () => undefined
export const it = test

// Around each of their tests, not around all: a test may run alone here, and again.
export const beforeAll = (hook) => void groups.at(-1).before.push(hook)
export const beforeEach = beforeAll
export const afterAll = (hook) => void groups.at(-1).after.push(hook)
export const afterEach = afterAll
export const onTestFinished = (hook) => void running.getStore().push(hook)

function eachWith(register) {
  return (table) => (name, body, options) => {
    for (const [i, row] of table.entries()) {
      const args = Array.isArray(row) ? row : [row]
      // The number keeps apart what the same words would name twice.
      const title = typeof name === 'string' ? format(name.replace(/\$[\w.]+/g, ''), ...args).split('\n', 1)[0] : name
      register(`${title} #${i + 1}`, () => body(...args), options)
    }
  }
}

function add(name, body) {
  const whole = [...groups.map((group) => group.name), name].filter(Boolean).join(' ')
  let id = `${file}#${whole}`
  for (let again = 2; cases.has(id); again++) id = `${file}#${whole} (${again})`
  cases.set(id, { id, file, name: whole, run: body, around: groups })
}
