const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** Bytes as docker writes them: SI units, three significant digits. `1234567` → `1.23MB`. */
export function humanSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))}${units[unit]}`
}

const powers = ['', 'K', 'M', 'G', 'T', 'P', 'E']

/** Bytes as `ls -h` and `du -h` write them: in powers of 1024, rounded up. `1234567` → `1.2M`. */
export function binarySize(bytes: number): string {
  let power = 0
  let unit = 1
  while (bytes >= 1024 * unit && power < powers.length - 1) {
    unit *= 1024
    power++
  }
  const tenths = Math.ceil((bytes * 10) / unit)
  if (power === 0) return String(bytes)
  if (tenths < 100) return `${(tenths / 10).toFixed(1)}${powers[power]}`
  const whole = Math.ceil(bytes / unit)
  return whole === 1024 && power < powers.length - 1 ? `1.0${powers[power + 1]}` : `${whole}${powers[power]}`
}

/** So many things: `1 image`, `2 images`. */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}

const factors: Readonly<Record<string, number>> = {
  ...{ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/**
 * Reads a whole number with a unit: k, M, G, T count in thousands, Ki, Mi, Gi, Ti in 1024s, and a B behind them means nothing.
 * `undefined` if it is none.
 */
export function amountOf(text: string): number | undefined {
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d+)?)([kMGT]|[KMGT]i)?B?$/.exec(text) ?? []
  const amount = Math.floor(Number(number) * factors[unit]!)
  return number === '' || !Number.isSafeInteger(amount) ? undefined : amount
}
