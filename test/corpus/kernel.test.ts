import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { directoryTree } from '../../src/extract/directory-tree.ts'
import { spillBytes } from '../../src/layer/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { kernelMount } from '../erofs/kernel-mount.ts'
import { allBytes } from '../layer/layer.ts'
import { temporary } from '../support/temporary.ts'
import { run } from '../support/tools.ts'
import { corpus } from './archives.ts'
import { readBlob } from './read.ts'
import { linuxLines, tellTree } from './tell-tree.ts'

test('Linux mounts the index of every accepted archive over its tar, and shows what the tables say', async (context) => {
  const place = temporary()
  const target = join(place, 'mounted')
  mkdirSync(target)
  let mounted = 0
  const others = new Map<string, number>()
  for (const [number, { name, expect: expected, blob, options, notInLinux }] of corpus.entries()) {
    if ('refused' in expected) continue
    if (notInLinux !== undefined) {
      others.set(notInLinux, (others.get(notInLinux) ?? 0) + 1)
      continue
    }
    const { index, tar } = await readBlob(blob, undefined, options)
    const path = join(place, String(number))
    writeFileSync(`${path}.erofs`, index)
    writeFileSync(`${path}.tar`, tar)
    const devices = [`${path}.tar`]
    const spill = spillBytes(Index.open(memoryBytes(index)), () => memoryBytes(tar))
    if (spill !== undefined) {
      writeFileSync(`${path}.spill`, allBytes(spill))
      devices.push(`${path}.spill`)
    }
    const unmount = kernelMount(`${path}.erofs`, devices, target)
    if (typeof unmount === 'string') {
      if (mounted > 0) throw new Error(`${name}: ${unmount}`)
      console.warn(`the corpus is not compared with Linux: ${unmount}`)
      return context.skip(unmount)
    }
    try {
      const tree = directoryTree(target)
      expect(exactTimes(tellTree(tree), target), name).toEqual(linuxLines(expected.says))
      expect(wrongLinkCounts(target), name).toEqual([])
      tree.close()
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
    } finally {
      unmount()
    }
    mounted++
  }
  const refused = corpus.filter(({ expect: expected }) => 'refused' in expected).length
  console.log(`mounted by Linux and compared: ${mounted}; refused at import: ${refused}`)
  for (const [reason, count] of others) console.log(`not mounted: ${count}, since ${reason}`)
  expect(mounted + refused + [...others.values()].reduce((sum, count) => sum + count, 0)).toBe(corpus.length)
})

/** Node rounds seconds beyond 2^53; the program stat does not. */
function exactTimes(lines: readonly string[], root: string): string[] {
  return lines.map((line) => {
    const [, path] = /^(\S+) .*@-?\d{16,}/.exec(line) ?? []
    if (path === undefined) return line
    const time = run('stat', '--format=%.9Y', join(root, path))
      .trim()
      .replace(/\.?0+$/, '')
    return line.replace(/@-?[\d.]+/, `@${time}`)
  })
}

/** Files whose link count is not that of their names, directories whose is not 2 and their subdirectories. */
function wrongLinkCounts(root: string): string[] {
  const wrong: string[] = []
  const names = new Map<number, { path: string; links: number; count: number }>()
  const visit = (directory: Buffer) => {
    let subdirectories = 0
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([directory, Buffer.from('/'), name])
      const { ino, nlink, mode } = lstatSync(path)
      if ((mode & 0o170000) === 0o040000) {
        subdirectories++
        visit(path)
      } else names.set(ino, { path: path.toString('latin1'), links: nlink, count: (names.get(ino)?.count ?? 0) + 1 })
    }
    if (lstatSync(directory).nlink !== 2 + subdirectories) wrong.push(directory.toString('latin1'))
  }
  visit(Buffer.from(root))
  for (const { path, links, count } of names.values()) if (links !== count) wrong.push(path)
  return wrong
}
