/** Nanoseconds since the epoch. */
export type Clock = () => bigint

const drift = 10_000_000n

/**
 * The machine's time in nanoseconds. `Date` alone has milliseconds, so two writes in a row would carry one time; the
 * monotonic clock gives the digits below, and is set again when somebody moves the wall clock.
 */
export function systemClock(): Clock {
  let offset = wall() - process.hrtime.bigint()
  return () => {
    const now = offset + process.hrtime.bigint()
    const apart = now - wall()
    if (apart < drift && apart > -drift) return now
    offset = wall() - process.hrtime.bigint()
    return wall()
  }
}

function wall(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
