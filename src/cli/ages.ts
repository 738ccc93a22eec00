const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** How long ago a time was, in docker's words. `since` is RFC 3339; empty for an absent or unreadable one. */
export function humanAge(since: string | undefined, now: number = Date.now()): string {
  const then = since === undefined ? Number.NaN : Date.parse(since)
  if (Number.isNaN(then)) return ''
  const seconds = Math.floor((now - then) / 1000)
  return seconds < 0 ? 'in the future' : `${humanDuration(seconds)} ago`
}

/** A length of time in docker's words. */
function humanDuration(seconds: number): string {
  if (seconds < 1) return 'Less than a second'
  if (seconds < 2) return '1 second'
  if (seconds < minute) return `${seconds} seconds`
  if (seconds < 2 * minute) return 'About a minute'
  if (seconds < hour) return `${Math.floor(seconds / minute)} minutes`
  const hours = Math.round(seconds / hour)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(seconds / day)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}

/** Nanoseconds since the epoch as RFC 3339, with every digit that is not zero. */
export function rfc3339(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const date = new Date(Number((nanoseconds - fraction) / 1_000_000n))
  if (Number.isNaN(date.getTime())) return `@${nanoseconds / 1_000_000_000n}`
  const digits = fraction.toString().padStart(9, '0').replace(/0+$/, '')
  return date.toISOString().replace('.000Z', digits === '' ? 'Z' : `.${digits}Z`)
}

/** A time for `ls -l`: to the minute, in UTC. */
export function listTime(nanoseconds: bigint): string {
  return rfc3339(nanoseconds).slice(0, 16).replace('T', ' ')
}
