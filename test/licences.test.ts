import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))

test('docs/licences.md names every package that is installed or copied, with a licence that allows it', () => {
  const page = readFileSync(`${project}docs/licences.md`, 'utf8')
  const now = execFileSync(process.execPath, [`${project}scripts/licences.mjs`, '--print'], { encoding: 'utf8' })
  expect(page, 'write it anew: node scripts/licences.mjs').toBe(now)
  const licences = new Set([...page.matchAll(/^\| \S+ \| \d[^|]* \| (.*) \|$/gm)].map((match) => match[1]))
  expect([...licences].sort()).toEqual([
    '(MIT OR CC0-1.0)',
    '0BSD',
    'Apache-2.0',
    'BSD-3-Clause',
    'BlueOak-1.0.0',
    'ISC',
    'MIT',
  ])
})
