import { createHash } from 'node:crypto'

/** What goes into a step, part by part: digests, or short text. */
export type StepInputs = Readonly<Record<string, string>>

/** The name of what a step makes: the same for the same inputs, 64 hexadecimal digits. */
export function keyOf(what: string, inputs: StepInputs): string {
  const parts = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify(['1', what, ...parts]))
    .digest('hex')
}

/** Variables (`NAME=VALUE`) by their names, without their values: what is kept of a step says no argument. */
export function variableDigests(variables: readonly string[]): string {
  const digests = variables.map((variable) => {
    const equals = variable.indexOf('=')
    const digest = createHash('sha256').update(variable.slice(equals + 1))
    return [variable.slice(0, equals), digest.digest('hex')]
  })
  return JSON.stringify(digests)
}

/** What has changed since the last time, for people. */
export function changesSince(last: StepInputs, inputs: StepInputs): string {
  const changed = Object.keys(inputs).filter((name) => last[name] !== inputs[name])
  const named = changed.map((name) =>
    name === 'environment' ? variablesChanged(last[name] ?? '[]', inputs[name]!) : (inputNames[name] ?? name),
  )
  return `changed: ${named.join(', ')}`
}

function variablesChanged(before: string, after: string): string {
  const [was, is] = [valuesIn(before), valuesIn(after)]
  const names = [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name))
  return names.length === 0
    ? 'the order of its variables'
    : `its variable${names.length > 1 ? 's' : ''} ${names.join(' ')}`
}

const inputNames: Readonly<Record<string, string>> = {
  below: 'what it stands on',
  files: 'the files that it copies',
  platform: 'the platform',
  command: 'the command',
  directory: 'its directory',
  user: 'its user',
  network: 'its network',
  mounts: 'what is mounted for it',
}

/** None for a record that was written otherwise. */
function valuesIn(text: string): ReadonlyMap<string, string> {
  try {
    return new Map(JSON.parse(text) as [string, string][])
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return new Map()
    throw error
  }
}
