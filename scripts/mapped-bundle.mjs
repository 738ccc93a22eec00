//   mapped-bundle.mjs [DIRECTORY]      default: this project
//
// What bundle.mjs makes, with maps to the sources in the place of what is compiled before: for `npm run coverage`, over a build. Programs do not name
// their maps: Node would write them down with everything that a process has run.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const sources = fileURLToPath(new URL('../src', import.meta.url))
const built = join(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)), 'dist')
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const external = Object.keys(dependencies)

await bundle('esm', 'js', {
  index: 'index.ts',
  'reading-thread': 'store/intake/reading-thread.ts',
  'serving-thread': 'mount/serving-thread.ts',
  'background-server': 'mount/background-server.ts',
  'mapped-in-mount': 'mount/command-in-mount.ts',
})
writeFileSync(join(built, 'command-in-mount.js'), "import { start } from './mapped-in-mount.js'\n\nawait start()\n")
await bundle('cjs', 'cjs', { 'mapped-ply': 'cli/start.ts' })
// As bin/compiled.js reads it: a comment with a digest, and a table of parts.
const started = `exports.start = require(file.replace(/[^/]+$/, 'mapped-ply.cjs')).start`
writeFileSync(join(built, 'ply.cjs'), `//mapped\n({ ply(exports, require, part, file) { ${started} } })\n`)

async function bundle(format, ending, programs) {
  const input = Object.fromEntries(Object.entries(programs).map(([name, path]) => [name, join(sources, path)]))
  const made = await rolldown({
    ...{ input, platform: 'node' },
    external: (name) => external.some((one) => name === one || name.startsWith(`${one}/`)),
    // Node 20 does not know `using`.
    transform: { target: 'node20' },
  })
  const names = { entryFileNames: `[name].${ending}`, chunkFileNames: `mapped-part-[name].${ending}` }
  await made.write({ dir: built, format, sourcemap: 'hidden', ...names })
  await made.close()
}
