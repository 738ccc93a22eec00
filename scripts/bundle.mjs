//   bundle.mjs [DIRECTORY]      default: this project
//
// Bundles what tsc made in .modules/ into dist/: Node needs 180 ms to load 370 modules, and 35 ms for the same in a few files. The library and
// its threads are ES modules; the command is one CommonJS file with all that it needs, which bin/compiled.js loads with V8's compiled form.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { compiledProgram } from './compiled-program.mjs'
import { explorerTemplate } from './explorer-page.mjs'

const project = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const external = Object.keys(dependencies)

const bundle = await rolldown({
  cwd: project,
  platform: 'node',
  // The threads are started by their names, from beside whatever starts it.
  input: {
    index: './.modules/index.js',
    'reading-thread': './.modules/store/intake/reading-thread.js',
    'serving-thread': './.modules/mount/serving-thread.js',
    'background-server': './.modules/mount/background-server.js',
  },
  external: (name) => external.some((one) => name === one || name.startsWith(`${one}/`)),
})
const built = join(project, 'dist')
mkdirSync(built, { recursive: true })
for (const name of readdirSync(built)) {
  if (name !== 'types') rmSync(join(built, name), { recursive: true })
}
await bundle.write({ dir: built, format: 'esm', chunkFileNames: 'part-[name].js' })
await bundle.close()

const dockerfile = fileURLToPath(new URL('trial.dockerfile', import.meta.url))
/** Command lines, one after the other in one process: each would end it. */
const run = (...lines) => `
  process.exit = () => {}
  for (const words of ${JSON.stringify(lines)}) {
    process.argv = [process.execPath, 'ply', ...words, ...(words[0] === '__complete' ? [] : ['--root', process.env.SCRATCH + '/store'])]
    await program().start(${JSON.stringify({ name: 'plyfs', version: '0', root: project })})
  }`
await compiledProgram({
  ...{ project, built, name: 'ply', entry: './.modules/cli/start.js' },
  trials: [
    run(
      ['import', '--quiet', join(project, 'bin'), 'trial:1'],
      ['build', '--quiet', '--file', dockerfile, join(project, 'bin')],
    ),
    run(['__complete', 'words', 'ls', ''], ['images'], ['ls', 'trial:1']),
  ],
})
// Who runs something starts it each time. It is an ES module to those who start it by its name.
await compiledProgram({
  ...{ project, built, name: 'in-mount', entry: './.modules/mount/command-in-mount.js' },
  trials: [
    `process.argv = [process.execPath, 'in-mount', process.env.SCRATCH, process.env.SCRATCH]
    await program().start().catch(() => {})`,
  ],
})
writeFileSync(
  join(built, 'command-in-mount.js'),
  `import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const { load } = createRequire(import.meta.url)('../bin/compiled.js')
await load(fileURLToPath(new URL('./in-mount.cjs', import.meta.url))).start()
`,
)

writeFileSync(join(built, 'explorer.html'), await explorerTemplate())
