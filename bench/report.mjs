// What a run says beside its numbers: what has become slower since the one before, and a picture of all of it.

/** Ratios and times by case and name, from the text of a report. */
export function recordsOf(report) {
  const records = new Map()
  let title = ''
  for (const line of report.split('\n')) {
    title = /^## (.*)/.exec(line)?.[1] ?? title
    const [, what, value, unit] = /^- (.+): \*\*([\d.e+-]+)([^*]*)\*\*/.exec(line) ?? []
    if (what !== undefined) records.set(`${title}: ${what}`, { value: Number(value), unit })
  }
  return records
}

/** Lines about what has become more than 15 % slower since a report. `undefined` if there was none. */
export function regressions(before, now, allowed = 1.15) {
  if (before === undefined) return undefined
  const old = recordsOf(before)
  return [...recordsOf(now)]
    .filter(([name, { value }]) => old.has(name) && value > old.get(name).value * allowed)
    .map(([name, { value, unit }]) => {
      const was = old.get(name).value
      return `- ${name}: ${was}${unit} before, ${value}${unit} now (+${Math.round((value / was - 1) * 100)} %)`
    })
}

const width = 900
const names = 260
const row = 16

/**
 * A picture (SVG): of each case the contenders' CPU time as bars, ours dark, of each ratio where it stands before its target.
 *
 * @param cases `{ name, results: [{ name, cpu, wall }], ratios: [{ what, value, limit, unit }] }`
 */
export function picture(cases) {
  const parts = []
  let y = 24
  const text = (x, at, value, more = '') => parts.push(`<text x="${x}" y="${at}" ${more}>${escaped(value)}</text>`)
  const bar = (at, share, label, fill, value) => {
    text(names - 8, at + 11, label, 'text-anchor="end"')
    const length = Math.max(1, Math.min(1, share) * (width - names - 110))
    parts.push(`<rect x="${names}" y="${at + 2}" width="${length.toFixed(1)}" height="${row - 5}" fill="${fill}"/>`)
    text(names + length + 6, at + 11, value)
  }
  for (const { name, results = [], ratios = [] } of cases) {
    text(12, y, name, 'font-weight="bold"')
    y += 8
    const most = Math.max(...results.map(({ cpu }) => cpu ?? 0))
    for (const one of results.filter(({ cpu }) => cpu !== undefined)) {
      const ours = /^ply/.test(one.name)
      bar(
        y,
        one.cpu / most,
        one.name,
        ours ? '#0b6e4f' : '#b9c2c9',
        `${one.cpu.toFixed(2)} s CPU, ${one.wall.toFixed(2)} s`,
      )
      y += row
    }
    for (const { what, value, limit, unit = '' } of ratios.filter(({ value }) => comparable(value))) {
      const met = value <= limit
      bar(y, value / limit / 2, what, met ? '#7fb7a3' : '#d1495b', `${value.toPrecision(3)}${unit} of ${limit}${unit}`)
      y += row
    }
    // Where the target is: half way.
    if (ratios.length > 0) {
      const x = names + (width - names - 110) / 2
      parts.push(
        `<line x1="${x}" x2="${x}" y1="${y - ratios.length * row}" y2="${y}" stroke="#333" stroke-dasharray="2 2"/>`,
      )
    }
    y += 28
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="11" fill="#222">
<rect width="${width}" height="${y}" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

/** Not of what is not installed, or failed. */
export function comparable(value) {
  return Number.isFinite(value) && value > 0
}

function escaped(text) {
  const shown = text.length > 46 ? `${text.slice(0, 45)}…` : text
  return shown.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/’/g, '&#8217;')
}
