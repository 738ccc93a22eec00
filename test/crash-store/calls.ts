/** One system call of a traced process, as strace wrote it down with `-f -y -xx`. */
export interface Call {
  readonly thread: number
  readonly name: string
  readonly arguments: readonly string[]
  /** What it answered; -1 for an error, NaN if the process died in it. */
  readonly result: number
  /** Where in the log it began and where it was done: two calls of two threads may overlap. */
  readonly start: number
  readonly end: number
  readonly injected: boolean
}

/** All calls of a log, in the order in which they were done. */
export function parseLog(log: string): Call[] {
  const calls: Call[] = []
  const begun = new Map<number, { readonly text: string; readonly start: number }>()
  for (const [number, line] of log.split('\n').entries()) {
    const [, pid = '0', text = ''] = /^(?:(\d+) +)?(.*)$/.exec(line)!
    const thread = Number(pid)
    if (text.endsWith('<unfinished ...>')) {
      begun.set(thread, { text: text.slice(0, -'<unfinished ...>'.length), start: number })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)
    const before = resumed ? begun.get(thread) : undefined
    if (resumed) begun.delete(thread)
    const call = parseCall((before?.text ?? '') + (resumed?.[1] ?? text))
    if (call) calls.push({ thread, start: before?.start ?? number, end: number, ...call })
  }
  for (const [thread, { text, start }] of begun) {
    const call = parseCall(`${text})`)
    if (call) calls.push({ thread, start, end: Number.POSITIVE_INFINITY, ...call })
  }
  return calls
}

function parseCall(text: string): Pick<Call, 'name' | 'arguments' | 'result' | 'injected'> | undefined {
  const name = /^(\w+)\(/.exec(text)?.[1]
  if (name === undefined) return undefined
  const { values, end } = split(text, name.length + 1)
  const answer = /^\) *= (-?\d+|\?)/.exec(text.slice(end))?.[1]
  const result = answer === undefined || answer === '?' ? Number.NaN : Number(answer)
  return { name, arguments: values, result, injected: text.endsWith('(INJECTED)') }
}

/** Arguments up to the bracket that closes the call. Strings are in hexadecimal: no bracket or comma of theirs is seen. */
function split(text: string, from: number): { readonly values: string[]; readonly end: number } {
  const values: string[] = []
  let depth = 0
  let start = from
  let at = from
  for (; at < text.length; at++) {
    const c = text[at]!
    if (c === '"') at = Math.max(at, text.indexOf('"', at + 1))
    else if ('([{<'.includes(c) && !(c === '<' && text[at + 1] === '<')) depth++
    else if (depth > 0 && ')]}>'.includes(c)) depth--
    else if (c === ',' && depth === 0) {
      values.push(text.slice(start, at).trim())
      start = at + 1
    } else if (c === ')') break
  }
  if (at > start) values.push(text.slice(start, at).trim())
  return { values, end: at }
}

/** The bytes of a string argument. @throws if strace has cut it off */
export function bytesOf(argument: string): Buffer {
  const [, hex, rest] = /^"((?:\\x[0-9a-f]{2})*)"(.*)$/.exec(argument) ?? []
  if (hex === undefined || rest !== '') throw new Error(`not a whole string: ${argument.slice(0, 100)}`)
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex')
}

/** The value of an xattr, which may be empty and nowhere. @throws if strace has cut it off */
export const xattrOf = (argument: string): Buffer => (argument === 'NULL' ? Buffer.alloc(0) : bytesOf(argument))

export const textOf = (argument: string): string => bytesOf(argument).toString('latin1')

/** The number of a descriptor, `undefined` for AT_FDCWD, and the path that the kernel knew for it. */
export function descriptorOf(argument: string): { readonly fd: number | undefined; readonly path: string } {
  const [, number, hex = ''] = /^(-?\w+)(?:<(.*)>)?/.exec(argument) ?? []
  const path = Buffer.from(hex.replaceAll('\\x', ''), 'hex').toString('latin1')
  return { fd: number === 'AT_FDCWD' ? undefined : Number(number), path }
}
