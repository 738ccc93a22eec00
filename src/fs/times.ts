import { misuse } from './refusal.ts'

/** A time: seconds (number or digits), a `Date`, or exact nanoseconds as a bigint. */
export type TimeLike = number | string | Date | bigint

/** Nanoseconds since the epoch. @throws ERR_INVALID_ARG_TYPE */
export function nanosecondsOf(time: TimeLike): bigint {
  if (typeof time === 'bigint') return time
  if (time instanceof Date) return BigInt(time.getTime()) * 1_000_000n
  const seconds = typeof time === 'string' ? Number(time) : time
  if (!Number.isFinite(seconds) || time === '') {
    throw misuse('ERR_INVALID_ARG_TYPE', 'The "time" argument must be of type number or string or an instance of Date')
  }
  const whole = Math.floor(seconds)
  // A double has no room for nanoseconds in our century: microseconds are what it can mean.
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e6)) * 1000n
}
