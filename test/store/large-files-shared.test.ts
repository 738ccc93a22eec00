import { execFileSync } from 'node:child_process'
import { readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { Container } from '../../src/store/containers/containers.ts'
import { openStore } from '../../src/store/open-store.ts'
import { loopDisk, whyNoLoopDisk } from '../support/loop-disk.ts'
import { noise } from './places.ts'

const size = 16 << 20

/** What of a disk is taken, in bytes, once everything is on it. */
function taken(disk: string): number {
  execFileSync('sync', ['--file-system', disk])
  const { blocks, bfree, bsize } = statfsSync(disk)
  return (blocks - bfree) * bsize
}

function write(container: Container, path: string, position: number, text: string): void {
  const fd = container.fs.openSync(path, 'r+')
  container.fs.writeSync(fd, Buffer.from(text), 0, text.length, position)
  container.fs.closeSync(fd)
}

for (const [name, upperForm] of [
  ['xfs', 'overlay'],
  ['btrfs', 'portable'],
] as const) {
  const reason = whyNoLoopDisk(name)
  if (reason) console.log(`large files of which a disk shares the blocks, ${name}: skipped, ${reason}`)

  test.skipIf(reason)(
    `a large file of a snapshot shares its blocks on ${name}, one of an image is kept in blocks (${upperForm})`,
    async () => {
      const disk = loopDisk(name)
      await using store = await openStore(join(disk, 'store'), { upperForm, blockCopyUp: 1 << 20 })
      const [theirs, own] = [noise(size), noise(size)]
      await store.write(append(scratch, layerFrom({ '/theirs': theirs })), 'large')
      await using work = await store.containers.create('work', 'large')
      work.fs.writeFileSync('/own', own)
      await work.snapshot('made')
      const inBlocks = () => {
        const uppers = readdirSync(join(disk, 'store/uppers'), { recursive: true, encoding: 'utf8' })
        return uppers.filter((path) => path.endsWith('.data')).length
      }
      const before = taken(disk)

      write(work, '/own', 5_000_001, 'written')
      expect(inBlocks()).toBe(0)
      await work.snapshot('kept')
      write(work, '/own', 9_000_000, 'again')
      expect(inBlocks()).toBe(0)
      // What is read of a layer is checked, page by page: a copy that shares its blocks would have read none of them.
      write(work, '/theirs', 5_000_001, 'leaning')
      expect(inBlocks()).toBe(1)
      // XFS and Btrfs take some room for what they know of it all.
      expect(taken(disk) - before).toBeLessThan(size / 4)

      const content = (path: string) => work.fs.readFileSync(path) as Buffer
      own.write('written', 5_000_001)
      theirs.write('leaning', 5_000_001)
      expect(content('/theirs').equals(theirs)).toBe(true)
      expect(content('/own').equals(Buffer.from(own).fill('again', 9_000_000, 9_000_005))).toBe(true)
      await work.rollback('kept')
      expect(content('/own').equals(own)).toBe(true)
      await work.close()
      expect(await store.fsck({ level: 'digests' })).toMatchObject({ findings: [] })
    },
  )
}
