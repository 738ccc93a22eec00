import { describe, expect, test } from 'vitest'
import { storeOn } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { sampleImage } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { placeAt } from './places.ts'

const changing = new Set(['mkdirSync', 'renameSync', 'rmSync', 'writeSync', 'writeFileSync', 'fsyncSync', 'openSync'])

/**
 * The same files, but the call of this number among those that change something fails: once (`error`), or with all that come after it,
 * as when the process dies there. Locks are the process's: the next one finds none.
 */
function failing(
  disk: Disk,
  at: number,
  how: 'error' | 'death',
): { readonly disk: Disk; readonly calls: () => number } {
  let calls = 0
  const due = () => {
    calls++
    if (calls === at || (how === 'death' && calls > at))
      throw Object.assign(new Error('the disk failed'), { code: 'EIO' })
  }
  const fs = new Proxy(disk.fs, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        if (changing.has(String(key))) due()
        return (value as (...all: unknown[]) => unknown).apply(target, given)
      }
    },
  })
  const lock = { release() {}, [Symbol.dispose]() {} }
  const own = {
    lock: async () => lock,
    fs,
    syncDirectory(path: string) {
      due()
      disk.syncDirectory(path)
    },
  }
  const failingDisk = new Proxy(disk, {
    get: (target, key) => Reflect.get(own, key) ?? Reflect.get(target, key, target),
  })
  return { disk: failingDisk, calls: () => calls }
}

/** All that can be read in a store, by the names it has. */
async function shownBy(store: Store): Promise<Record<string, unknown>> {
  const shown: Record<string, unknown> = {}
  for (const { name, snapshots } of await store.containers.list()) {
    for (const text of [name, ...snapshots.map((snapshot) => `${name}@${snapshot.name}`)]) {
      await using container = await store.containers.open(text, { readOnly: true })
      shown[text] = treeEntries(container.tree)
    }
  }
  return shown
}

/** A store with a container that has two snapshots and a clone. */
async function prepared(): Promise<Disk> {
  const disk = await memoryDisk()
  await using store = await storeOn(disk, '/ply')
  await store.write(await sampleImage(), 'a')
  await using work = await store.containers.create('work', 'a')
  work.fs.writeFileSync('/one', '1')
  await work.snapshot('first')
  work.fs.writeFileSync('/two', '2')
  await work.snapshot('second')
  await using twin = await work.clone('twin')
  twin.fs.writeFileSync('/three', '3')
  work.fs.unlinkSync('/one')
  return disk
}

const operations: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  snapshot: ({ containers }) => containers.snapshot('work', 'third'),
  rollback: ({ containers }) => containers.rollback('work', 'first'),
  'clone of a container': ({ containers }) => containers.clone('work', 'new'),
  'clone of a snapshot': ({ containers }) => containers.clone('work@first', 'new'),
  'removal of a snapshot': ({ containers }) => containers.remove('work@second'),
  'removal of a container': ({ containers }) => containers.remove('twin'),
  'snapshot of an open container': async ({ containers }) => {
    await using work = await containers.open('work')
    await work.snapshot('third')
  },
  'rollback of an open container': async ({ containers }) => {
    await using work = await containers.open('work')
    await work.rollback('first')
  },
  'clone of an open container': async ({ containers }) => {
    await using work = await containers.open('work')
    await using _ = await work.clone('new')
  },
}

describe('whatever fails, and wherever the process dies: all is as it was, or has happened', () => {
  for (const [name, operate] of Object.entries(operations)) {
    for (const how of ['death', 'error'] as const) {
      test(`${name} (${how})`, async () => {
        let points = 0
        for (let at = 1; ; at++) {
          const disk = await prepared()
          await using store = await storeOn(disk, '/ply')
          const before = await shownBy(store)
          const interrupted = failing(disk, at, how)
          const made = await storeOn(interrupted.disk, '/ply').catch(() => undefined)
          const beforehand = interrupted.calls()
          const error =
            made &&
            (await operate(made).then(
              () => undefined,
              (reason: unknown) => reason,
            ))
          const calls = interrupted.calls()
          if (made === undefined || beforehand >= at) continue
          const after = await shownBy(store)
          const texts = new Set([...Object.keys(before), ...Object.keys(after)])
          for (const text of texts) {
            if (text in before && text in after && text !== 'work')
              expect(after[text], `${text} at ${at}`).toEqual(before[text])
            // What was there and is not any more was to be removed; what is new was to be made.
            if (!(text in after)) expect(name, `${text} at ${at}`).toMatch(/removal/)
            if (!(text in before)) expect(name, `${text} at ${at}`).toMatch(/snapshot|clone/)
          }
          expect([before.work, before['work@first']], `work at ${at}`).toContainEqual(after.work)
          if (!name.startsWith('rollback')) expect(after.work).toEqual(before.work)
          await store.collect()
          expect(await shownBy(store), `collected, at ${at}`).toEqual(after)
          const place = placeAt(disk, '/ply')
          expect(place.names('tmp')).toEqual([])
          // What is there can be written, frozen and removed.
          for (const container of (await store.containers.list()).map((one) => one.name)) {
            await store.containers.snapshot(container, 'afterwards')
            await store.containers.remove(container)
          }
          expect(place.names('uppers')).toEqual([])
          if (calls < at) {
            expect(error).toBeUndefined()
            break
          }
          points++
        }
        console.log(`${name}: ${points} points (${how})`)
        expect(points).toBeGreaterThan(2)
      })
    }
  }
})
