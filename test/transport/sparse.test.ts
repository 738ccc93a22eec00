import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/transport/open-archive.ts'
import { temporary } from '../support/temporary.ts'
import { archive, member } from '../tar/raw.ts'
import { expanded, forms, shapes } from '../tar/sparse-forms.ts'

test.each(Object.keys(forms) as (keyof typeof forms)[])(
  'S-01: files of an outer archive that a tar program packed sparse (%s) are read whole',
  async (form) => {
    const path = join(temporary(), 'image.tar')
    const specs = shapes(3000).map((spec, i) => ({ ...spec, name: `blobs/${i}` }))
    writeFileSync(path, archive(...specs.map((spec) => forms[form](spec)), member({ name: 'last' }, 'x')))
    using opened = await openArchive(path, {})
    for (const spec of specs) {
      const content = opened.open(spec.name)!
      const whole = Buffer.alloc(content.size, 0xee)
      expect(content.read(whole, 0)).toBe(spec.size)
      expect(whole.equals(expanded(spec)), spec.is).toBe(true)
      content.close()
    }
    expect(opened.open('last')!.size).toBe(1)
  },
)

test('section 17: an outer archive whose sparse maps would fill the memory is refused', async () => {
  const path = join(temporary(), 'image.tar')
  const count = 600_000
  const map = Buffer.from(`${count}\n${Array.from({ length: count }, (_, i) => `${2 * i}\n1\n`).join('')}`)
  const head = forms['1.0']({ name: 'x', size: 2 * count, runs: [] }).subarray(0, 1024)
  const payload = Buffer.concat([map, Buffer.alloc(512 - (map.length % 512)), Buffer.alloc(count)])
  const one = Buffer.concat([head, member({ name: 'x' }, payload)])
  writeFileSync(path, archive(one, one))
  await expect(openArchive(path, {})).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
})
