import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const report = fileURLToPath(new URL('../../bench/report.mjs', import.meta.url))

/** The benchmarks are programs of Node: what they say is asked of one. */
function answer(expression: string): unknown {
  const program = `import { picture, regressions } from ${JSON.stringify(report)}; console.log(JSON.stringify(${expression}))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  return stderr === '' ? JSON.parse(stdout) : stderr
}
const page = (import_: string, lookup: string) =>
  JSON.stringify(
    `## import\n\n- CPU, of the floor: **${import_}** (target: at most 1.25)\n\n## lookup\n\n- each: **${lookup} ms** (target: at most 5 ms)\n`,
  )

test('what has become more than 15 % slower is named, with its case', () => {
  const now = page('1.30', '2.40')
  expect(answer(`regressions(${page('1.10', '2.30')}, ${now})`)).toEqual([
    '- import: CPU, of the floor: 1.1 before, 1.3 now (+18 %)',
  ])
  expect(answer(`regressions(${now}, ${now})`)).toEqual([])
  expect(answer(`regressions(undefined, ${now}) ?? 'nothing to compare with'`)).toBe('nothing to compare with')
})

test('the picture has a bar for each contender that ran and each ratio that could be had', () => {
  const cases = [
    {
      name: 'import <a> & b',
      results: [
        { name: 'ply', cpu: 1, wall: 2 },
        { name: 'podman pull', leftOut: 'podman is not installed' },
      ],
      ratios: [
        { what: 'CPU', value: 0.5, limit: 1 },
        { what: 'of podman', value: null, limit: 1 },
      ],
    },
  ]
  const drawn = answer(`picture(${JSON.stringify(cases)})`) as string
  expect([drawn.startsWith('<svg '), drawn.endsWith('</svg>\n')]).toEqual([true, true])
  expect(drawn).toContain('import &lt;a> &amp; b')
  // The ground, and two bars.
  expect(drawn.match(/<rect /g)).toHaveLength(3)
})
