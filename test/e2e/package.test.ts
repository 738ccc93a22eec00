import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAs } from './documents.ts'
import { npmProgram, runtime } from './runtimes.ts'
import { workspace } from './workspace.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const work = workspace()
afterAll(() => work[Symbol.asyncDispose]())

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}
let packed: Packed
let tarball: string
let prefix: string

/** Packed from a copy, so that no old build is packed, and what others are testing is not built anew under them. */
beforeAll(() => {
  const copy = join(work.path, 'copy')
  mkdirSync(copy)
  const { files } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { files: readonly string[] }
  const taken = files.filter((name) => name !== 'dist' && !name.startsWith('!'))
  for (const name of [...taken, 'package.json', '.npmrc', 'tsconfig.json', 'src', 'scripts'])
    cpSync(join(project, name), join(copy, name), { recursive: true })
  // What a developer may have lying about.
  mkdirSync(join(copy, 'dist/types'), { recursive: true })
  writeFileSync(join(copy, 'dist/types/forgotten.d.ts'), '')
  mkdirSync(join(copy, 'node_modules'))
  for (const name of readdirSync(join(project, 'node_modules')))
    symlinkSync(join(project, 'node_modules', name), join(copy, 'node_modules', name))
  const out = execFileSync('npm', ['run', '--silent', 'package', '--', '--json', '--pack-destination', work.path], {
    cwd: copy,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  packed = (JSON.parse(out.slice(out.indexOf('['))) as [Packed])[0]
  tarball = join(work.path, packed.filename)
  prefix = join(work.path, 'unpacked')
  mkdirSync(prefix)
  execFileSync('tar', ['-xzf', tarball, '-C', prefix])
})

describe('the package', () => {
  test('has what runs, its types and its documentation, in less than 3 MB, and nothing of its development', () => {
    const paths = packed.files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining(['package.json', 'LICENSE', 'README.md', 'bin/ply.js', 'dist/index.js']),
    )
    expect(paths).toContain('docs/licences.md')
    expect(paths.filter((path) => !/^(bin|dist|docs)\/|^(package\.json|LICENSE|README\.md)$/.test(path))).toEqual([])
    expect(paths.filter((path) => /(?<!\.d)\.ts$|\.(map|node|compiled|log)$|\.test\.|forgotten/.test(path))).toEqual([])
    expect(packed.size).toBeLessThan(3e6)
    const { size } = statSync(tarball)
    expect(size).toBe(packed.size)
  })

  test('is JavaScript alone, without a line that leads outside', () => {
    const dist = join(prefix, 'package', 'dist')
    for (const name of readdirSync(dist).filter((one) => /\.c?js$/.test(one))) {
      const text = readFileSync(join(dist, name), 'latin1')
      expect(text.includes('sourceMappingURL'), name).toBe(false)
      expect(text.includes(project.slice(0, -1)), name).toBe(false)
    }
  })

  test('declares each package that its files import, and Node', () => {
    const { dependencies } = JSON.parse(readFileSync(join(prefix, 'package', 'package.json'), 'utf8'))
    const dist = join(prefix, 'package', 'dist')
    const imported = new Set<string>()
    for (const name of readdirSync(dist).filter((one) => one.endsWith('.js')))
      for (const [, from] of readFileSync(join(dist, name), 'utf8').matchAll(
        /^(?:import|export)\b[^'"\n]*['"]([^'"]+)['"]/gm,
      ))
        if (!/^(node:|\.)/.test(from!)) imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(from!)![0])
    expect([...imported].filter((name) => dependencies[name] === undefined)).toEqual([])
  })
})

/** The tour, in a home directory in which nothing is, and under no name but those of the shell. */
const tour = `
  set -euo pipefail
  mkdir -p files/etc && echo plain > files/etc/motd && echo gone > files/etc/issue
  [[ $(ply --version) == "plyfs "* ]]
  ply import -q files base:1
  [ "$(ply images --json | grep -c '"name": "base:1"')" = 1 ]
  [ "$(ply ls base:1 /etc)" = $'issue\\nmotd' ]
  [ "$(ply cat base:1 /etc/motd)" = plain ]
  ply create -q base:1 --name work
  echo hello | ply cp - work:/etc/motd
  ply rm work:/etc/issue
  ply changes work
  ply snapshot work before
  ply rm work:/etc/motd
  ply rollback work before
  ply commit -q work base:2 -m 'say hello'
  ! [ -w /dev/fuse ] || [ "$(ply mount -q --via fuse base:1 -- cat etc/motd)" = plain ]
  [ "$(ply cat base:2 /etc/motd)" = hello ]
  status=0; ply diff base:1 base:2 || status=$?; [ $status = 1 ]
  printf 'FROM base:2\\nCOPY files/etc/issue /etc/issue\\nENV A=b\\n' > Dockerfile
  ply build -q -t built:1 .
  [ "$(ply cat built:1 /etc/issue)" = gone ]
  ply history built:1
  ply save built:1 -o built.tar
  ply load -q built.tar --root elsewhere
  ply export built:1 -o files.tar && tar -tf files.tar | grep etc/issue > /dev/null
  ply du built:1 && ply blame built:1 /etc/motd
  ply df && ply gc && ply fsck && ply validate built:1
  ply doctor
  ply build --help | grep -e --target > /dev/null
  [ "$(ply __complete words cat bui)" = $'words\\nbuilt:1' ]
  [ -d "$HOME/.local/share/ply" ] && [ -d "$HOME/.cache/plyfs" ]
`
const library = `
  const store = await openStore(':memory:')
  await store.write(await append(scratch, layerFrom({ '/etc/motd': 'hello' })), 'mine:1')
  const tree = await store.tree('mine:1')
  if ([...tree.list(tree.root)].length !== 1) throw new Error('no tree')
  tree.close()
  console.log((await store.images()).map(({ name }) => name).join())
  await store[Symbol.asyncDispose]()
`

describe.each([20, 22, 24])('on Node %i, installed without scripts into an empty place', (major) => {
  const place = join(work.path, `node-${major}`)
  const found = runtime(major)
  const tryIt = 'node' in found ? test : test.skip
  if ('why' in found) console.log(`skipped: Node ${major}: ${found.why}`)
  const node = 'node' in found ? found.node : ''
  const home = join(place, 'home')
  const installed = join(place, 'lib/node_modules/plyfs')
  const environment = {
    HOME: home,
    PATH: `${join(place, 'bin')}:${process.env.PATH}`,
    LC_ALL: 'C.UTF-8',
    PLY_PROGRESS: 'none',
  }

  tryIt('the tour works from its first line to its last', () => {
    mkdirSync(home, { recursive: true })
    mkdirSync(join(place, 'bin'))
    symlinkSync(node, join(place, 'bin', 'node'))
    const words = [
      'install',
      '--global',
      '--prefix',
      place,
      '--ignore-scripts',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
    ]
    // Where npm takes packages from is this machine's concern; the command itself has an empty home.
    const npm = spawnSync(node, [npmProgram(), ...words, tarball], { encoding: 'utf8', cwd: work.path })
    expect(npm.status, npm.stderr).toBe(0)
    expect(existsSync(join(installed, 'bin/ply.js'))).toBe(true)
    const told = spawnSync('bash', ['-c', tour], { cwd: home, env: environment, encoding: 'utf8' })
    expect(told.status, `${told.stdout}\n${told.stderr}`).toBe(0)
    expect(told.stderr).not.toMatch(/Warning|Error/)
  })

  tryIt('docs/tour.md prints what it says', async () => {
    const reader = { as: [], ply: join(installed, 'bin/ply.js'), node }
    const { said, now, failed } = await readAs(reader, 'tour.md', join(place, 'tour'))
    expect(failed).toEqual([])
    expect(now).toBe(said)
  })

  tryIt('the library is imported, and required where Node can', () => {
    const user = join(place, 'user')
    mkdirSync(join(user, 'node_modules'), { recursive: true })
    symlinkSync(installed, join(user, 'node_modules/plyfs'))
    const names = '{ append, layerFrom, openStore, scratch }'
    writeFileSync(join(user, 'esm.mjs'), `import ${names} from 'plyfs'\n${library}`)
    writeFileSync(join(user, 'cjs.cjs'), `(async () => { const ${names} = await import('plyfs')\n${library} })()`)
    writeFileSync(join(user, 'required.cjs'), `const ${names} = require('plyfs');\n(async () => {${library}})()`)
    for (const file of ['esm.mjs', 'cjs.cjs', 'required.cjs']) {
      const told = spawnSync(node, [join(user, file)], { env: environment, encoding: 'utf8', cwd: user })
      expect([file, told.status, told.stdout, told.stderr]).toEqual([file, 0, 'mine:1\n', ''])
    }
  })
})

test('its types are found by programs of every kind, and hold by themselves', () => {
  const user = join(work.path, 'typed')
  mkdirSync(join(user, 'node_modules/@types'), { recursive: true })
  symlinkSync(join(prefix, 'package'), join(user, 'node_modules/plyfs'))
  symlinkSync(join(project, 'node_modules/@types/node'), join(user, 'node_modules/@types/node'))
  writeFileSync(join(user, 'package.json'), '{}')
  const program = `
    export async function names(root: string): Promise<readonly string[]> {
      const store: Store = await openStore(root)
      const images = await store.images()
      // @ts-expect-error: it is known what an image has
      images[0]?.nothing
      return images.map(({ name }) => name)
    }`
  writeFileSync(join(user, 'module.mts'), `import { openStore, type Store } from 'plyfs'\n${program}`)
  writeFileSync(join(user, 'common.cts'), `import { openStore, type Store } from 'plyfs'\n${program}`)
  const compile = (module: string, resolution: string, ...files: string[]) => {
    const words = ['--strict', '--noEmit', '--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--types', 'node']
    const told = spawnSync(
      join(project, 'node_modules/.bin/tsc'),
      [...words, '--ignoreConfig', '--module', module, '--moduleResolution', resolution, ...files],
      { cwd: user, encoding: 'utf8' },
    )
    expect([module, told.stdout]).toEqual([module, ''])
  }
  compile('nodenext', 'nodenext', 'module.mts', 'common.cts')
  compile('esnext', 'bundler', 'module.mts')
})
