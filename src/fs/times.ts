import { wrongType } from './validation.ts'

/** A time: seconds (number or digits), a `Date`, or exact nanoseconds as a bigint. */
export type TimeLike = number | string | Date | bigint

/** Nanoseconds since the epoch; a number below zero is now, as Node has it. @throws ERR_INVALID_ARG_TYPE */
export function nanosecondsOf(time: TimeLike, name = 'time'): bigint {
  if (typeof time === 'bigint') return time
  if (typeof time === 'string' && String(Number(time)) !== 'NaN' && time.trim() !== '') return ofSeconds(Number(time))
  if (time instanceof Date && !Number.isNaN(time.getTime())) return BigInt(time.getTime()) * 1_000_000n
  if (typeof time !== 'number' || !Number.isFinite(time)) return wrongType(name, ['Date', 'Time in seconds'], time)
  return time < 0 ? BigInt(Date.now()) * 1_000_000n : ofSeconds(time)
}

function ofSeconds(seconds: number): bigint {
  const whole = Math.floor(seconds)
  // A double has no room for nanoseconds in our century: microseconds are what it can mean.
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e6)) * 1000n
}
