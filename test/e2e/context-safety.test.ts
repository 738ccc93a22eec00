import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { hasProgram, testIf } from '../support/ability.ts'
import { installed } from './installed.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const able = testIf(hasProgram('strace'), 'there is no strace')
let directory: string
let bin: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ply-test-safety-'))
  bin = installed(join(directory, 'package'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** A context whose links and archives lead to what is beside it. */
const script = `
set -eu; cd "$WORK"; mkdir -p context/d beside/in
echo outside > beside/secret; echo outside > beside/in/secret
ln -s ../../beside/secret context/d/relative; ln -s "$WORK/beside" context/d/absolute; ln -s ../../beside context/d/directory
ln -s ../beside/secret context/.dockerignore
ln "$WORK/beside/in/secret" linked; tar -cf context/d/x.tar -P --transform 's,^linked$,../../beside/written,' linked d 2> /dev/null || tar -cf context/d/x.tar -P --transform 's,^linked$,../../beside/written,' linked; rm linked
run() { strace -f -qq -e trace=%file,fchmod,fchown -o "trace.$1" "$NODE" "$BIN" build --root store -q -f "Dockerfile.$1" context > /dev/null 2> "said.$1" && echo built || echo refused; }
printf 'FROM scratch\\nCOPY . /t/\\nCOPY d /u\\n' > Dockerfile.copied; run copied
for source in d/directory/secret d/../../beside/secret; do
  name=$(echo $source | tr -d /.); printf "FROM scratch\\nCOPY $source /t\\n" > Dockerfile.$name; run $name
done
printf 'FROM scratch\\nCOPY d /\\nADD d/x.tar /t/\\nCOPY d/x.tar /absolute/written\\n' > Dockerfile.added; run added
`

able('nothing beside a context is opened, read or written, wherever its links, sources and archives lead', () => {
  const { stdout, stderr } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      WORK: directory,
      NODE: process.execPath,
      BIN: bin,
      PLY_PROGRESS: 'none',
    },
  })
  expect([stdout.split('\n'), stderr]).toEqual([
    ['built', ...Array(2).fill('refused'), expect.stringMatching(/built|refused/), ''],
    '',
  ])
  const traces = spawnSync('sh', ['-c', 'cat trace.*'], { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 30 }).stdout
  // Everything was traced.
  expect(traces.split('\n').length).toBeGreaterThan(500)
  // What a link says is read; where it leads is named by no call.
  const named = traces.split('\n').filter((line) => /"[^"]*\/beside\b/.test(line) && !/\breadlink(?:at)?\(/.test(line))
  expect(named).toEqual([])
  for (const place of ['secret', 'in/secret'])
    expect(readFileSync(join(directory, 'beside', place), 'utf8')).toBe('outside\n')
  expect(spawnSync('ls', ['-A', join(directory, 'beside')], { encoding: 'utf8' }).stdout).toBe('in\nsecret\n')
})
