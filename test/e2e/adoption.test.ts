import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSink, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { escapeName, recordText } from '../../src/store/records.ts'
import { sampleImage } from '../support/images.ts'
import { realTest } from './tools.ts'
import { workspace } from './workspace.ts'

/** Runs a program beside what this one does. @throws with what it said */
function beside(program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program}: exit ${code}\n${said}`))))
  })
}

describe('a store of very many names in the hands of skopeo', () => {
  realTest('gets what skopeo copies into it while names are set here, and neither loses any', async () => {
    await using work = workspace()
    const root = join(work.path, 'store')
    const image = await sampleImage()
    const foreign = await sampleImage({ '/foreign': 'foreign\n' })
    await using sink = await openSink(`oci:${join(work.path, 'layout')}:it`)
    await sink.write(foreign, 'it')
    await using store = await openStore(root)
    await store.write(image, 'first')
    // More than index.json is kept up to date for.
    const many = 3000
    for (let at = 0; at < many; at++)
      writeFileSync(
        join(root, 'names', escapeName(`n:${at}`)),
        recordText({ name: `n:${at}`, descriptor: image.descriptor }),
      )
    await store.collect()
    expect(JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')).manifests).toHaveLength(many + 1)

    let copying = true
    const copied = Promise.all(
      ['new', 'newer'].map(async (tag, at) => {
        // One after the other: two of them at once lose each other's names.
        await new Promise((resolve) => setTimeout(resolve, at * 3000))
        await beside('skopeo', 'copy', '-q', `oci:${join(work.path, 'layout')}:it`, `oci:${root}:${tag}`)
      }),
    ).finally(() => {
      copying = false
    })
    let set = 0
    for (; copying || set < 20; set++) {
      await store.tag('first', `meanwhile:${set}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await copied

    for (const tag of ['new', 'newer']) expect((await store.image(tag)).digest).toBe(foreign.digest)
    const listed = new Set(
      (await store.images()).filter(({ problem }) => problem === undefined).map(({ name }) => name),
    )
    expect(listed.size).toBe(many + 1 + 2 + set)
    // It stays when index.json is written here again, and skopeo reads what was set here.
    await store.tag('first', 'after:1')
    await store.collect()
    for (const tag of ['new', 'newer']) expect((await store.image(tag)).digest).toBe(foreign.digest)
    const names = new Set(
      JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')).manifests.map(
        (entry: { annotations: Record<string, string> }) => entry.annotations['org.opencontainers.image.ref.name'],
      ),
    )
    for (const name of ['new', 'newer', 'after:1', 'n:7', `meanwhile:${set - 1}`]) expect(names).toContain(name)
    await beside('skopeo', 'inspect', '--raw', `oci:${root}:meanwhile:${set - 1}`)
  })
})
