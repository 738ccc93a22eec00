import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test, vi } from 'vitest'
import { build, contextTree } from '../../src/index.ts'
import { testIf } from '../support/ability.ts'
import { Mounting, whyNoMounts } from './mounting.ts'
import { workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 180_000 })

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const npm = ['../lib/node_modules/npm', '../share/nodejs/npm']
  .map((path) => join(dirname(process.execPath), path))
  .find((path) => existsSync(path))
const python = '/usr/bin/python3'

function whyNot(): string | undefined {
  const reason = whyNoMounts()
  if (reason !== undefined) return reason
  const missing = ['runc', 'gcc', python].find((program) => spawnSync(program, ['--version']).error)
  return missing === undefined ? undefined : `there is no ${missing}`
}

const reason = whyNot()
const mounting = Mounting.forFile({ durable: false })

/** What Debian's images would have, from this machine, and an `apt-get` for which everything is installed: `npm run real-builds` takes real ones. */
const gather = `
copy() { for file; do [ ! -e "$file" ] || { mkdir -p ".$(dirname "$file")"; cp -a "$file" ".$file"; }; done; }
with_libraries() { for file; do file=$(command -v "$file"); mkdir -p ".$(dirname "$file")"; cp -L "$file" ".$file"; copy_libraries "$file"; done; }
copy_libraries() { for library in $(ldd "$1" 2> /dev/null | grep -o '/[^ ]*'); do mkdir -p ".$(dirname "$library")"; cp -L "$library" ".$library"; done; }
mkdir -p usr/bin usr/lib usr/lib64 tmp etc; ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
with_libraries sh bash cat cp cut dirname env find grep head ldd ls mkdir readlink rm sed
`
const debian = `${gather}
printf '#!/bin/sh\\n' > usr/bin/apt-get; chmod 755 usr/bin/apt-get
with_libraries gcc as ld python3
cc1=$(gcc -print-prog-name=cc1); with_libraries "$cc1" "$(gcc -print-prog-name=collect2)"
libraries=$(dirname "$(gcc -print-libgcc-file-name)"); copy "$libraries"/*.o "$libraries"/libgcc*.a "$libraries"/include
for file in crt1.o crti.o crtn.o libc.a; do copy "$(gcc -print-file-name=$file)"; done
with_libraries "$(gcc -print-prog-name=lto-wrapper)"; plugin=$(gcc -print-file-name=liblto_plugin.so); cp -L "$plugin" ".$plugin"; mkdir -p usr/include; cp -a /usr/include/stdio.h /usr/include/features*.h /usr/include/stdc-predef.h usr/include
cp -a /usr/include/$(gcc -print-multiarch) usr/include
modules=$(python3 -c 'import os; print(os.path.dirname(os.__file__))'); mkdir -p ".$modules"
cp -a "$modules"/*.py "$modules"/json "$modules"/encodings "$modules"/importlib "$modules"/collections "$modules"/re "$modules"/lib-dynload ".$modules" 2> /dev/null || true
for module in "$modules"/lib-dynload/*.so; do copy_libraries "$module"; done
`
const node = `${gather}
with_libraries "$NODE"; mkdir -p usr/local/bin; [ -e usr/bin/node ] || ln -s "$NODE" usr/bin/node
mkdir -p usr/local/lib; cp -aL "$NPM" usr/local/lib/npm; ln -s ../lib/npm/bin/npm-cli.js usr/local/bin/npm
`

beforeAll(async () => {
  if (reason !== undefined) return
  await using work = workspace()
  const made = [['debian:12', debian], ...(npm === undefined ? [] : [['node:20', node] as const])] as const
  for (const [name, script] of made) {
    const place = join(work.path, name.replace(':', '-'))
    mkdirSync(place)
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NODE: process.execPath, NPM: npm, LC_ALL: 'C' }
    execFileSync('bash', ['--norc', '-euc', script], { cwd: place, env })
    await mounting().fill(async (store) => {
      const context = contextTree(place)
      await store.write(await build(store, { context, dockerfile: 'FROM scratch\nCOPY . /\n' }), name)
      context.close()
    })
  }
}, 120_000)

const able = testIf(reason === undefined, reason ?? '')
const copied = `cp -a ${examples} examples`

able('a C program is built in one stage, and is alone in its image', () => {
  const said = mounting().run(
    'root',
    `${copied}; ply build -q -t hello examples/c-to-scratch > /dev/null; ply run --rm hello Debian; ply find hello`,
  )
  expect(said).toBe('Hello, Debian.\n/\n/hello\n')
})

able('Python runs without a shell, as an ordinary user', () => {
  const said = mounting().run(
    'root',
    `${copied}; ply build -q -t python examples/python-no-shell > /dev/null; ply run --rm python; ply run --rm --entrypoint /bin/sh python 2> /dev/null || echo "exit $?"`,
  )
  expect(said).toMatch(/^\{"python": "3[^"]*", "user": 65532, "shell": false\}\nexit 127\n$/)
})

testIf(reason === undefined && npm !== undefined, reason ?? 'there is no npm')(
  'a Node service is built with npm ci, and its dependencies are taken from before when only the service changes',
  () => {
    const said = mounting().run(
      'user',
      `${copied}; ply build -q -t service examples/node-service > /dev/null; ply run --rm -e PORT=0 service node server.js --once
      echo >> examples/node-service/server.js; ply build -t service examples/node-service 2>&1 > /dev/null | grep -c 'npm ci.*cached'`,
    )
    expect(said).toBe('Hello, world.\n1\n')
  },
)

test('a static site is built for three platforms, with nothing run', async () => {
  await using work = workspace()
  const ply = (...words: string[]) =>
    execFileSync(process.execPath, [fileURLToPath(new URL('../../bin/ply.js', import.meta.url)), ...words], {
      encoding: 'utf8',
      env: { ...process.env, PLY_ROOT: join(work.path, 'store') },
    })
  const site = join(examples, 'static-site')
  ply('build', '-q', '--platform', 'linux/amd64,linux/arm64,linux/riscv64', '-t', 'site', site)
  for (const platform of ['linux/amd64', 'linux/arm64', 'linux/riscv64'])
    expect(ply('ls', '--platform', platform, 'site', '/srv/www')).toBe('index.html\nstyle.css\n')
})
