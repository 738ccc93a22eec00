import { inspect } from 'node:util'
import { misuse } from './refusal.ts'

/** Checks of arguments, with Node's answers to wrong ones: codes, classes and words are those of its own validators. */

const kinds = new Set(['string', 'function', 'number', 'Object', 'boolean', 'bigint'])

/** @throws ERR_INVALID_ARG_TYPE, always */
export function wrongType(name: string, expected: readonly string[], received: unknown): never {
  const types = expected.filter((type) => kinds.has(type)).map((type) => type.toLowerCase())
  const instances = expected.filter((type) => !kinds.has(type) && /^([A-Z][a-z0-9]*)+$/.test(type))
  const others = expected.filter((type) => !kinds.has(type) && !instances.includes(type))
  if (instances.length > 0 && types.includes('object')) {
    types.splice(types.indexOf('object'), 1)
    instances.push('Object')
  }
  const wanted = [
    types.length > 0 && `${types.length > 1 ? 'one of type' : 'of type'} ${listed(types)}`,
    instances.length > 0 && `an instance of ${listed(instances)}`,
    others.length > 1 && `one of ${listed(others)}`,
    others.length === 1 && `${others[0]!.toLowerCase() === others[0] ? '' : 'an '}${others[0]}`,
  ].filter((part) => part !== false)
  const what = name.includes('.') ? 'property' : 'argument'
  const message = `The "${name}" ${what} must be ${wanted.join(' or ')}. Received ${described(received)}`
  throw misuse('ERR_INVALID_ARG_TYPE', message)
}

/** @throws ERR_INVALID_ARG_VALUE, always */
export function wrongValue(name: string, received: unknown, reason = 'is invalid'): never {
  const shown = inspect(received)
  const what = name.includes('.') ? 'property' : 'argument'
  const cut = shown.length > 128 ? `${shown.slice(0, 128)}...` : shown
  throw misuse('ERR_INVALID_ARG_VALUE', `The ${what} '${name}' ${reason}. Received ${cut}`)
}

/** @throws ERR_OUT_OF_RANGE, always */
export function outOfRange(name: string, range: string, received: unknown): never {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${shownNumber(received)}`
  throw misuse('ERR_OUT_OF_RANGE', message, RangeError)
}

export function checkInteger(
  value: unknown,
  name: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number') wrongType(name, ['number'], value)
  if (!Number.isInteger(value)) outOfRange(name, 'an integer', value)
  if (value < min || value > max) outOfRange(name, `>= ${min} && <= ${max}`, value)
  return value
}

export function checkInt32(value: unknown, name: string, min = -(2 ** 31)): number {
  return checkInteger(value, name, min, 2 ** 31 - 1)
}

export function checkUint32(value: unknown, name: string, min = 0): number {
  return checkInteger(value, name, min, 2 ** 32 - 1)
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') wrongType(name, ['boolean'], value)
  return value
}

export function checkString(value: unknown, name: string): string {
  if (typeof value !== 'string') wrongType(name, ['string'], value)
  return value
}

/** Neither `null` nor an array. */
export function checkObject(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrongType(name, ['Object'], value)
}

/** A callback, or something like one. */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') wrongType(name, ['function'], value)
}

/** A descriptor: nothing is said of whether it is open. */
export function checkFd(fd: unknown): number {
  return checkInt32(fd, 'fd', 0) + 0
}

export function checkView(buffer: unknown, name = 'buffer'): NodeJS.ArrayBufferView {
  if (!ArrayBuffer.isView(buffer)) wrongType(name, ['Buffer', 'TypedArray', 'DataView'], buffer)
  return buffer as NodeJS.ArrayBufferView
}

export function checkViews(buffers: unknown): void {
  if (!Array.isArray(buffers) || !buffers.every((buffer) => ArrayBuffer.isView(buffer)))
    wrongType('buffers', ['ArrayBufferView[]'], buffers)
}

function checkEncoding(encoding: unknown): void {
  if (encoding && !Buffer.isEncoding(encoding as string)) wrongValue('encoding', encoding, 'is invalid encoding')
}

/** Options as an object, with the encoding that text stands for. @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function optionsOf<Options extends object>(given: unknown): Options & { encoding?: BufferEncoding | 'buffer' } {
  if (given === undefined || given === null || typeof given === 'function') return {} as Options
  const options = (typeof given === 'string' ? { encoding: given } : given) as { encoding?: unknown; signal?: unknown }
  if (typeof options !== 'object') wrongType('options', ['string', 'Object'], given)
  if (options.encoding !== 'buffer') checkEncoding(options.encoding)
  const { signal } = options
  if (signal !== undefined && (signal === null || typeof signal !== 'object' || !('aborted' in signal)))
    wrongType('options.signal', ['AbortSignal'], signal)
  return options as Options
}

function listed(words: readonly string[]): string {
  if (words.length < 3) return words.join(' or ')
  return `${words.slice(0, -1).join(', ')}, or ${words.at(-1)}`
}

/** `determineSpecificType` of Node. */
function described(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const { constructor: made } = value
    return made && 'name' in made ? `an instance of ${made.name}` : inspect(value, { depth: -1 })
  }
  if (typeof value === 'bigint') return `type bigint (${value}n)`
  if (typeof value === 'number') return `type number (${Object.is(value, -0) ? '-0' : value})`
  if (typeof value === 'string') {
    const text = value.length > 28 ? `${value.slice(0, 25)}...` : value
    return `type string (${text.includes("'") ? JSON.stringify(text) : `'${text}'`})`
  }
  return `type ${typeof value} (${String(value)})`
}

function shownNumber(value: unknown): string {
  const grouped = (digits: string) => digits.replace(/\B(?=(\d{3})+$)/g, '_')
  if (typeof value === 'bigint') return `${value > 2n ** 32n || value < -(2n ** 32n) ? grouped(`${value}`) : value}n`
  if (Number.isInteger(value) && Math.abs(value as number) > 2 ** 32) return grouped(String(value))
  return inspect(value)
}
