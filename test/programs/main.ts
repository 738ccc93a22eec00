/** Programs at the size that users have them, in FUSE mounts of containers of both forms; see scripts/fuse-programs.mjs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import { missingFor, programCases, type Scale } from './cases.ts'
import { Ground, waysIn } from './ground.ts'

const { values } = parseArgs({
  options: {
    image: { type: 'string' },
    form: { type: 'string', multiple: true },
    as: { type: 'string', default: 'root' },
    case: { type: 'string' },
    on: { type: 'string', default: tmpdir() },
    scale: { type: 'string', default: 'full' },
    patience: { type: 'string', default: '1800' },
  },
})
if (!values.image) throw new Error('say which image: --image oci:DIRECTORY:TAG, a Debian')
const way = waysIn.find((one) => one === values.as)
if (!way) throw new Error(`--as is one of ${waysIn.join(', ')}`)
const pattern = new RegExp(values.case ?? '', 'i')
let failed = 0

function judged(what: string, act: () => void): void {
  const from = performance.now()
  let verdict = 'holds'
  try {
    act()
  } catch (error) {
    failed++
    verdict = `FAILS\n${(error as Error).message}`
  }
  console.log(`${((performance.now() - from) / 1000).toFixed(1)} s  ${what}: ${verdict}`)
}

// Only root writes the kernel's form.
const forms = values.form ?? (way === 'root' ? ['overlay', 'portable'] : ['portable'])
for (const form of forms as UpperForm[]) {
  console.log(`── an upper of the form ${form}, as ${way}`)
  const work = mkdtempSync(join(values.on, 'ply-programs-'))
  try {
    await using ground = await Ground.make(work, values.image, form, way)
    await ground.mount()
    for (const one of programCases) {
      if (!pattern.test(one.name) || (one.only && one.only !== values.scale)) continue
      const missing = missingFor(one)
      if (missing) console.log(`not run: ${one.name}: ${missing} is not installed`)
      else judged(one.name, () => ground.run(one, values.scale as Scale, Number(values.patience)))
    }
    const before = ground.listing()
    await ground.unmount()
    await ground.mount()
    judged('mounted again it is the same', () => {
      const after = ground.listing()
      if (after.some((listing, i) => listing !== before[i])) throw new Error('it is not')
    })
    await ground.unmount()
    const findings = await ground.findings('digests')
    judged('the store is sound', () => {
      if (findings.length > 0) throw new Error(JSON.stringify(findings, undefined, 2))
    })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
process.exitCode = failed > 0 ? 1 : 0
