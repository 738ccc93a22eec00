import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openSource, openStore } from '../../src/index.ts'
import { temporary } from '../support/temporary.ts'

/**
 * Large layers in files are read by threads, which run what was built (`npm run build`), never the sources. So this imports the
 * same layout twice: by the command, with threads, and by the sources, without.
 */
const command = join(import.meta.dirname, '../../bin/ply.js')

/** Every file of a store but its locks, and where an image came from, which only the command says. */
function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(root, path)).isFile() && !/^(?:locks|sources)\b/.test(path))
    .sort()
}

/** Three layers that do not compress, of 6 MiB times `factor`, and a small one, as an OCI layout. */
async function layout(directory: string, { factor = 1, compression = 'gzip' } = {}): Promise<string> {
  const store = await openStore(join(directory, 'made'))
  const root = join(directory, 'tree')
  const at = join(directory, 'layout')
  mkdirSync(join(root, 'd'), { recursive: true })
  for (const [number, size] of [6 << 20, 5 << 20, 100, 7 << 20].entries()) {
    writeFileSync(join(root, `d/file-${number}`), randomBytes(number === 2 ? size : size * factor))
  }
  execFileSync('tar', ['-C', root, '-cf', join(directory, 'all.tar'), '.'])
  execFileSync(process.execPath, [command, 'import', join(directory, 'all.tar'), 'all', '--root', store.root, '-q'])
  const paths = ['--path', 'd/file-0', '--path', 'd/file-1', '--path', 'd/file-2']
  execFileSync(process.execPath, [
    command,
    'split',
    'all',
    '--layer',
    '0',
    ...paths,
    '-t',
    'parts',
    '--root',
    store.root,
  ])
  execFileSync(process.execPath, [
    command,
    'copy',
    'parts',
    `oci:${at}:parts`,
    '--compress',
    compression,
    '--root',
    store.root,
  ])
  return at
}

describe('layers that are read by threads', () => {
  test('I-01, I-03: are stored as those that are read one after the other, byte for byte', async () => {
    const directory = temporary()
    const from = `oci:${await layout(directory)}:parts`
    const threads = join(directory, 'threads')
    const alone = join(directory, 'alone')
    const words = ['load', from, '-t', 'parts', '--root', threads, '--json']
    const loaded = JSON.parse(execFileSync(process.execPath, [command, ...words], { encoding: 'utf8' }))
    const store = await openStore(alone)
    await using source = await openSource(from)
    const reports: unknown[] = []
    await store.write(await source.image(), 'parts', { onReport: (report) => reports.push(report) })
    expect(reports).toHaveLength(4)
    expect(filesIn(threads)).toEqual(filesIn(alone))
    for (const path of filesIn(alone)) {
      const same = readFileSync(join(threads, path)).equals(readFileSync(join(alone, path)))
      if (!/^(?:names|index\.json)/.test(path)) expect(same, path).toBe(true)
    }
    expect(JSON.stringify(loaded)).toContain(JSON.stringify((reports[0] as { diffId: string }).diffId))
  })

  test('Z-04, Z-05: that are damaged are refused as they are without threads, and leave nothing behind', async () => {
    const directory = temporary()
    const at = await layout(directory)
    const blobs = join(at, 'blobs/sha256')
    const large = readdirSync(blobs).filter((name) => statSync(join(blobs, name)).size > 4 << 20)
    expect(large).toHaveLength(3)
    const root = join(directory, 'store')
    truncateSync(join(blobs, large[1]!), 1 << 20)
    const load = () =>
      execFileSync(process.execPath, [command, 'load', `oci:${at}:parts`, '--root', root, '-q'], { stdio: 'pipe' })
    expect(load).toThrow(/DIGEST_MISMATCH|SIZE_MISMATCH/)
    expect(filesIn(root).filter((path) => /^(?:blobs|cache|tmp|names)/.test(path))).toEqual([])
    const damaged = randomBytes(statSync(join(blobs, large[0]!)).size)
    damaged.set([0x1f, 0x8b, 8, 0])
    writeFileSync(join(blobs, large[0]!), damaged)
    expect(load).toThrow(/DIGEST_MISMATCH|SIZE_MISMATCH/)
    expect(filesIn(root).filter((path) => /^(?:blobs|cache|tmp|names)/.test(path))).toEqual([])
  })

  test('that are being read when SIGINT comes leave nothing behind', async () => {
    const directory = temporary()
    const at = await layout(directory, { factor: 16, compression: 'none' })
    const root = join(directory, 'store')
    const child = spawn(process.execPath, [command, 'load', `oci:${at}:parts`, '--root', root, '-q'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const exit = once(child, 'exit')
    const written = () => {
      try {
        return readdirSync(join(root, 'tmp')).filter((name) => statSync(join(root, 'tmp', name)).size > 8 << 20).length
      } catch {
        return 0
      }
    }
    while (written() < 2 && child.exitCode === null) await delay(1)
    const from = performance.now()
    child.kill('SIGINT')
    expect(await exit).toEqual([130, null])
    expect(performance.now() - from).toBeLessThan(5000)
    expect(filesIn(root).filter((path) => /^(?:blobs|cache|tmp|names)/.test(path))).toEqual([])
  })
})
