//   licences.mjs            writes docs/licences.md
//   licences.mjs --print    prints it
//
// Whose code the package brings or installs, by package-lock.json; with the texts, since most of it is copied into dist/.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
/** In the page of `ply explore`, which is built before it is packed. */
const inPage = ['preact', 'd3-hierarchy']

const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'))
const nameOf = (path) => path.replace(/^.*node_modules\//, '')
const entries = Object.entries(packages)
  .filter(([path, { dev }]) => path !== '' && (dev !== true || inPage.includes(path.replace('node_modules/', ''))))
  .map(([path, { version, license = 'none given', optional = false }]) => ({
    ...{ path, version, license, optional, name: nameOf(path) },
  }))
  .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1))

const rows = new Set(entries.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`))
const texts = new Map()
for (const { path, name, optional } of entries) {
  // Of those for another machine only the names are here; their text is that of koffi.
  if (optional) continue
  const text = textIn(join(project, path))
  if (text !== undefined) texts.set(text, [...(texts.get(text) ?? []), name])
}
const sections = [...texts].map(
  ([text, names]) => `### ${[...new Set(names)].join(', ')}\n\n${text.replace(/^(?=.)/gm, '    ')}`,
)

const page = `# Licences

plyfs itself is under the Apache License 2.0 (LICENSE). Beside its own code the package installs the packages below, or has copies of them in
\`dist/\`. Written by \`node scripts/licences.mjs\`; a test compares it with package-lock.json.

| package | version | licence |
| --- | --- | --- |
${[...rows].join('\n')}

## Texts

${sections.join('\n\n')}
`
if (process.argv.includes('--print')) process.stdout.write(page)
else writeFileSync(join(project, 'docs/licences.md'), page)

function textIn(directory) {
  if (!existsSync(directory)) throw new Error(`${directory} is not installed: npm ci`)
  const file = readdirSync(directory).find((name) => /^(licen[cs]e|copying)/i.test(name))
  if (file === undefined) return undefined
  const text = readFileSync(join(directory, file), 'utf8')
    .replace(/\r/g, '')
    .replace(/[ \t]+$/gm, '')
    .trim()
  // The same for everybody, and ours.
  return /Apache License\s+Version 2\.0/.test(text) ? undefined : text
}
