import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'
import type { Digest } from '../../src/model/digest.ts'
import { storeOn } from '../../src/store/open-store.ts'
import type { Store, StoreOptions } from '../../src/store/store.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { temporary } from '../support/temporary.ts'

/** A place for one store, on a disk or in memory, that a test can look into and damage. */
export interface StorePlace {
  readonly disk: Disk
  readonly root: string
  /** Opens the store; again and again, if wanted: each is another user of the same files. */
  open(options?: StoreOptions): Promise<Store>
  at(...names: string[]): string
  blob(digest: Digest): string
  text(...names: string[]): string
  json<T>(...names: string[]): T
  /** Replaces a file, whatever its mode. */
  put(path: string, content: string | Uint8Array): void
  /** Turns one byte of a file over; the middle one unless told. */
  flip(path: string, at?: number): void
  /** Every file with its content's size, locks left out: those are only ever locked, and stay. */
  files(): string[]
  names(...directory: string[]): string[]
}

async function makePlace(kind: 'disk' | 'memory'): Promise<StorePlace> {
  const disk = kind === 'disk' ? nodeDisk() : await memoryDisk()
  const root = kind === 'disk' ? join(temporary(), 'store') : '/ply'
  return placeAt(disk, root)
}

export function placeAt(disk: Disk, root: string): StorePlace {
  const { fs } = disk
  const at = (...names: string[]) => join(root, ...names)
  const put = (path: string, content: string | Uint8Array) => {
    fs.rmSync(path, { force: true })
    fs.writeFileSync(path, content)
  }
  return {
    disk,
    root,
    open: (options) => storeOn(disk, root, options),
    at,
    blob: (digest) => at('blobs', 'sha256', digest.slice(7)),
    text: (...names) => fs.readFileSync(at(...names), 'utf8') as string,
    json: (...names) => JSON.parse(fs.readFileSync(at(...names), 'utf8') as string),
    put,
    flip(path, position) {
      const content = Buffer.from(fs.readFileSync(path) as Uint8Array)
      const where = position ?? content.length >> 1
      content[where] = content[where]! ^ 0x40
      put(path, content)
    },
    files() {
      const found: string[] = []
      const visit = (directory: string, prefix: string) => {
        for (const name of (fs.readdirSync(directory) as string[]).sort()) {
          const path = join(directory, name)
          const stat = fs.lstatSync(path)!
          if (prefix === '' && name === 'locks') continue
          // It holds the time of index.json.
          if (name === '%.index-seen') continue
          if (stat.isDirectory()) visit(path, `${prefix}${name}/`)
          else found.push(`${prefix}${name} ${stat.size}`)
        }
      }
      visit(root, '')
      return found
    },
    names: (...directory) => (fs.readdirSync(at(...directory)) as string[]).sort(),
  }
}

/** The same tests on a disk and in memory. */
export function everywhere(title: string, tests: (makeStorePlace: () => Promise<StorePlace>, kind: string) => void) {
  for (const kind of ['disk', 'memory'] as const)
    describe(`${title} (${kind})`, () => tests(() => makePlace(kind), kind))
}

/** Descriptors this process has open, and what they are. */
export function descriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return ''
      }
    })
    .filter((target) => target.startsWith('/') && !/^\/(proc|dev(?!\/shm\/))/.test(target))
    .sort()
}

/** Bytes that compress to nothing. */
export function noise(size: number): Buffer {
  return randomBytes(size)
}
