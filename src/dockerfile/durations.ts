const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Nanoseconds of a duration as Go writes it: `1m30s`, `500ms`, `1.5h`, `0`. @throws Error */
export function durationOf(text: string): number {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text))
    throw new Error(`${text} is no duration; write it as 30s or 1m30s`)
  let sum = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(number) * units[unit!]!
  return Math.round(sum)
}
