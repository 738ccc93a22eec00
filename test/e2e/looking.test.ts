import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { blame, blameBelow, copy, openSource, openStore, waste } from 'plyfs'
import { describe, expect } from 'vitest'
import { mount } from '../../src/mount/mount.ts'
import { readTar } from '../properties/read-tar.ts'
import { seed } from '../properties/seed.ts'
import { askQuestions } from '../query/questions.ts'
import { readLayers } from '../trace/plain-layers.ts'
import { deep, image, layersOf, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

describe('what a real image answers', () => {
  realTest(
    'equals what ls, find, du, stat and cat say of the kernel mount, for hundreds of generated questions',
    async () => {
      await using work = workspace({ inMemory: true })
      const [root, mounted] = [join(work.path, 'store'), join(work.path, 'mounted')]
      mkdirSync(mounted)
      await using store = await openStore(root, { durable: false })
      await using source = await openSource(`oci:${join(image(), 'oci')}:latest`)
      await copy(source, store, { as: 'real:1' })
      await using _ = await mount({ store, image: 'real:1' }, mounted, { via: 'kernel', suid: true, devices: true })
      const { asked, differences } = await askQuestions({ image: 'real:1', root, mounted }, { count: 500, seed })
      expect(differences, `PLYFS_SEED=${seed}`).toEqual([])
      expect(Object.values(asked).reduce((sum, times) => sum + times, 0)).toBe(500)
    },
  )

  realTest('blame and waste of 120 layers equal what their tars say, read one by one', async () => {
    await using work = workspace()
    await using store = await openStore(join(work.path, 'store'))
    await using source = await openSource(`oci:${join(deep(), 'oci')}:latest`)
    await copy(source, store, { as: 'deep' })
    const stack = await store.layers('deep')
    const expected = readLayers(layersOf(join(deep(), 'oci')).map((path) => readTar(plainTar(readFileSync(path)))))
    let paths = 0
    for await (const { bytes, steps } of blameBelow(stack, '', { deleted: true })) {
      if (bytes === '') continue
      const deeds = steps.filter(
        ({ did, after, before }) =>
          did !== 'inside' && did !== 'nothing' && !(after?.kind === 'directory' && before?.kind === 'directory'),
      )
      const told = deeds.map(({ layer, did }) => `${layer} ${did === 'add' || did === 'delete' ? did : 'other'}`)
      expect(told, bytes).toEqual(expected.deeds.get(bytes) ?? [])
      if (paths++ % 100 === 0) expect((await blame(stack, bytes)).steps).toEqual(steps)
    }
    expect(paths).toBe(expected.deeds.size)
    const found = await waste(stack)
    expect({ bytes: found.bytes, wasted: found.wasted - found.causes.duplicate }).toEqual(expected.sums)
    expect(found.saving(0, stack.layers.length - 1)).toBe(expected.sums.wasted)
    stack.close()
  })

  realTest('a reader that has seen enough ends a listing quietly', async () => {
    const ply = fileURLToPath(new URL('../../bin/ply.js', import.meta.url))
    const child = spawn(process.execPath, [ply, 'ls', '-R', '--json', `oci:${join(image(), 'oci')}:latest`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect([code, said.replaceAll(/^(?:contents|layer|blob|sha256).*\n/gm, '')]).toEqual([
      0,
      expect.not.stringContaining('ply:'),
    ])
  })
})

function plainTar(blob: Buffer): Buffer {
  return blob[0] === 0x1f && blob[1] === 0x8b ? gunzipSync(blob) : blob
}
