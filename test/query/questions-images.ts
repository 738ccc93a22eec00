// Whole images, asked about by ply and by the programs of this machine: see scripts/questions.mjs.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mount } from '../../src/mount/mount.ts'
import { openStore } from '../../src/store/open-store.ts'
import { askQuestions } from './questions.ts'

const { values, positionals: images } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    on: { type: 'string', default: tmpdir() },
  },
  allowPositionals: true,
})
if (images.length === 0) throw new Error('say which images: oci:DIR, docker-archive:FILE or a path')
const [count, seed] = [Number(values.count), Number(values.seed)]
let wrong = 0
for (const image of images) {
  const folder = mkdtempSync(join(values.on, 'ply-questions-'))
  try {
    const [root, mounted] = [join(folder, 'store'), join(folder, 'mounted')]
    mkdirSync(mounted)
    // By the command that was built: its threads are beside it.
    const load = ['load', image, '-t', 'asked:1', '-q', '--no-durable', '--root', root]
    execFileSync(process.execPath, [fileURLToPath(new URL('../../bin/ply.js', import.meta.url)), ...load])
    await using store = await openStore(root)
    await using _ = await mount({ store, image: 'asked:1' }, mounted, { via: 'kernel', suid: true, devices: true })
    const { asked, differences } = await askQuestions({ image: 'asked:1', root, mounted }, { count, seed })
    const kinds = Object.entries(asked).map(([kind, times]) => `${times} ${kind}`)
    console.log(
      `${image}: ${count} questions (${kinds.join(', ')}; seed ${seed}): ${differences.length} answers differ`,
    )
    for (const { question, ours, theirs } of differences.slice(0, 20)) {
      console.log(`  ${question}`)
      for (const line of ours) console.log(`    ply:    ${line.slice(0, 300)}`)
      for (const line of theirs) console.log(`    kernel: ${line.slice(0, 300)}`)
    }
    wrong += differences.length
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
process.exitCode = wrong > 0 ? 1 : 0
