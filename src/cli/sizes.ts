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
