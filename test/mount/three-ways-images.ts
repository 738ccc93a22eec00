// Whole images in every way of mounting: see scripts/three-ways.mjs.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { detectReference } from '../../src/transport/index.ts'
import { people, WholeImage } from './three-ways-whole.ts'

const { values, positionals: paths } = parseArgs({
  options: { as: { type: 'string', default: 'root' }, on: { type: 'string', default: tmpdir() } },
  allowPositionals: true,
})
const who = people.find((one) => one === values.as)
if (!who) throw new Error(`--as is one of ${people.join(', ')}`)
if (paths.length === 0) throw new Error('say which images: oci:DIR, docker-archive:FILE or a path')
const folder = mkdtempSync(join(values.on, 'ply-three-ways-'))
chmodSync(folder, 0o755)
let wrong = 0
try {
  for (const [at, path] of paths.entries()) wrong += await tried(path, join(folder, String(at)))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = wrong > 0 ? 1 : 0

async function tried(path: string, at: string): Promise<number> {
  const whole = await WholeImage.in(at, path.includes(':') ? path : await detectReference(path))
  const found = await whole.by(who!)
  const first = found[0]!.written!
  let wrong = 0
  for (const { via, compared, written } of found) {
    const { entries, differing } = compared.image!
    const same = written!.diffId === first.diffId && written!.changes.join('\n') === first.changes.join('\n')
    console.log(
      `${path} by ${via} (${who}): ${entries} entries, ${differing.length} differ; ${written!.changes.length} changes, ${written!.diffId}${same ? '' : ', which is WRONG'}`,
    )
    for (const one of differing) console.log(`  ${one}`)
    if (!same) {
      const was = new Set(first.changes)
      for (const one of written!.changes.filter((change) => !was.has(change)).slice(0, 10))
        console.log(`  more: ${one}`)
      const is = new Set(written!.changes)
      for (const one of first.changes.filter((change) => !is.has(change)).slice(0, 10)) console.log(`  less: ${one}`)
    }
    if (differing.length > 0 || !same) wrong++
  }
  return wrong
}
