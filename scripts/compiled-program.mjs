// Programs that bin/compiled.js loads: CommonJS in a few files, each a table of functions, one for every part of the program. What a command
// does not use of it is neither run nor in V8's compiled form, which costs 9 ms a megabyte to take in.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

/**
 * Writes a program whose `start` is called: into `NAME.cjs` the parts that the last of the trials uses, into `NAME-more.cjs` the others. koffi
 * has a file of machine code, memfs is for tests and memory stores, the others are asked for by oclif where they are installed.
 *
 * @param options.trials what calls `program`, each in a process of its own: what a later one uses is in the compiled form for sure
 */
export async function compiledProgram({ project, built, entry, name, trials }) {
  const bundle = await rolldown({
    cwd: project,
    platform: 'node',
    input: { [name]: entry },
    preserveEntrySignatures: 'allow-extension',
    external: [/^koffi\/installed$/, /^@koromix\//, /^memfs$/, /^(typescript|ts-node|tsx)(\/|$)/],
    plugins: [
      {
        name: 'koffi',
        transform: { filter: { id: /src\/koffi\/index\.cjs$|\.modules\/sys\/libc\.js$/ }, handler: compiledKoffi },
        renderChunk: (code) => code.replaceAll('koffi/installed', 'koffi'),
      },
      {
        name: 'lazy',
        transform: { filter: { id: /node_modules\/@oclif\/core\/.*\.js$/ }, handler: lazyRequires },
        renderChunk: (code) => lazyParts(lazyBuiltins(code)),
      },
    ],
  })
  const { output } = await bundle.generate({
    format: 'cjs',
    minify: { compress: true, mangle: false, codegen: true },
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: partOf, debugName: 'folders' }] },
  })
  await bundle.close()
  const parts = new Map(
    output.map(({ fileName, code }) => {
      if (/\bimport\(["'`]/.test(code)) throw new Error(`${fileName} would import what it cannot once it is compiled`)
      const part = fileName.replace(/\.cjs$/, '')
      return [part, `${JSON.stringify(part)}(exports, require, __part, __filename) {${code}\n}`]
    }),
  )
  const write = (file, names) => {
    const program = ascii(`({\n${names.map((part) => parts.get(part)).join(',\n')}\n})`)
    const digest = createHash('sha256').update(program).digest('hex').slice(0, 16)
    writeFileSync(join(built, file), `//${digest}\n${program}`)
  }
  const all = [...parts.keys()]
  write(`${name}.cjs`, all)
  const { used } = runTrials(join(built, `${name}.cjs`), trials)
  write(`${name}.cjs`, used)
  write(
    `${name}-more.cjs`,
    all.filter((part) => !used.includes(part)),
  )
  // The compiled form for the Node that builds, beside the program: nobody has to make it in a checkout. A package is for any Node and has none.
  for (const [file, bytes] of runTrials(join(built, `${name}.cjs`), trials).compiled)
    writeFileSync(join(built, file), bytes)
}

/** The part that a module belongs to: a folder of ours, or a package. What only the entry and the commands have stays with them. */
function partOf(id) {
  const own = /\.modules\/(?!cli\/)((?:store\/)?[^/]+)\//.exec(id) ?? /\.modules\/(store|index)[/.]/.exec(id)
  if (own !== null) return `of-${own[1].replace('/', '-')}`
  const packaged = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)
  return packaged === null ? null : `package-${packaged[1].replace(/[@/]/g, '-')}`
}

/** Modules of Node that take long to load and that most commands do without. */
const slow =
  'https?|tls|net|crypto|zlib|stream|stream/web|child_process|worker_threads|readline|readline/promises|diagnostics_channel|timers/promises|tty|fs/promises|module|url|util|perf_hooks'

/** They are loaded when they are used. */
function lazyBuiltins(code) {
  const declaration = new RegExp(
    String.raw`^let (node_\w+) = require\("(node:(?:${slow}))"\);\n(?:\1 = (require_\w+\.\w+|__toESM\S*)\(\1(, 1)?\);\n)?`,
    'gm',
  )
  const lazy = lazily(code, declaration, ([, , id, wrap, flag = '']) =>
    wrap === undefined ? `require("${id}")` : `${wrap}(require("${id}")${flag})`,
  )
  // What is compiled already cannot import.
  return lazy.replace(/\bimport\(("|'|`)(node:[\w/]+|memfs)\1\)/g, 'Promise.resolve().then(() => require("$2"))')
}

/**
 * koffi is compiled with the program: only its machine code is looked for where packages are. Where that is not beside this package, koffi
 * knows more places. Node's module for making a `require` takes longer to load than all of it.
 */
function compiledKoffi(code, id) {
  const replaced = (text, by) => {
    if (!code.includes(text)) throw new Error(`${id} has changed: no ${text}`)
    code = code.replace(text, by)
  }
  if (id.includes('/koffi/')) {
    replaced('(0, import_node_module.createRequire)(__filename)', 'require')
    replaced('import_node_module = require("node:module");', '')
    replaced('loadDynamic2(__dirname, pkg, triplets)', 'null')
    code = code.replaceAll('__dirname', '"."')
  } else
    replaced(
      `createRequire(import.meta.url)('koffi')`,
      `koffiSomewhere(() => require('koffi'), () => require('koffi/installed'))`,
    )
  return id.includes('/koffi/')
    ? code
    : `${code}\n
// A module that has failed once is empty the next time.
function koffiSomewhere(here, elsewhere) { try { const koffi = here(); if (koffi.load) return koffi } catch {} return elsewhere() }\n`
}

/** What a CommonJS module of TypeScript requires for itself is required when it is used: a command needs little of oclif. */
function lazyRequires(code) {
  const declaration = /^const (\w+) = ((?:__import\w+\()?require\("[^"]+"\)\)?);\n/gm
  return lazily(code, declaration, ([, , load]) => load)
}

/** So are the parts of the program itself. */
function lazyParts(code) {
  const declaration = /^const (require_\w+) = require\("\.\/([\w-]+)\.cjs"\);\n/gm
  const lazy = lazily(code, declaration, ([, , name]) => `__part("${name}")`)
  return lazy.replace(/\brequire\("\.\/([\w-]+)\.cjs"\)/g, '__part("$1")')
}

function lazily(code, declaration, loadOf) {
  const loads = new Map()
  const declared = code.replace(declaration, (...found) => {
    loads.set(found[1], loadOf(found))
    return `let ${found[1]};\n`
  })
  if (loads.size === 0) return code
  const use = new RegExp(String.raw`(?<!^let )(?<![\w$]|(?<!\.\.)\.)(${[...loads.keys()].join('|')})(?![\w$])`, 'gm')
  return declared.replace(use, (_, name) => `(${name} ??= ${loads.get(name)})`)
}

function ascii(code) {
  return code.replace(/[^\x00-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** What was compiled, by the names of files, and which parts the last one used. */
function runTrials(program, trials) {
  const scratch = mkdtempSync(join(tmpdir(), 'ply-compiled-'))
  const load = join(import.meta.dirname, '../bin/compiled.js')
  const compiled = new Map()
  let used = []
  for (const [index, trial] of trials.entries()) {
    const caches = join(scratch, `caches-${index}`)
    const environment = { ...process.env, XDG_CACHE_HOME: caches, NODE_OPTIONS: '', SCRATCH: scratch }
    const begin = `const used = new Map()
      const program = () => require(${JSON.stringify(load)}).load(${JSON.stringify(program)}, used)
      process.on('exit', () => require('node:fs').writeFileSync(process.env.SCRATCH + '/used', [...used.keys()].join(' ')))
      ;(async () => {${trial}})()`
    execFileSync(process.execPath, ['-e', begin], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
    const kept = join(caches, 'plyfs')
    for (const name of readdirSync(kept)) compiled.set(name, readFileSync(join(kept, name)))
    used = readFileSync(join(scratch, 'used'), 'utf8').split(' ')
  }
  rmSync(scratch, { recursive: true })
  return { compiled, used }
}
