import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordText } from '../../src/store/records.ts'
import { bundled } from './bundled.ts'
import { type CacheBook, collected, look } from './look.ts'
import { makeImages, type Operation, type Place } from './operations.ts'

/** What a store is like before an operation and after it. */
export interface Course {
  readonly operation: Operation
  readonly old: Expected
  readonly next: Expected
  /** A directory that holds the store as it is before, as `store`. */
  readonly template: string
  readonly caches: CacheBook
}

interface Expected {
  readonly content: string | null
  /** What is left after a collection; nothing where there is no store. */
  readonly files: readonly string[]
}

/** Where crashes happen. */
export class Ground implements Disposable {
  readonly folder: string
  readonly program: string
  readonly #images: string
  #places = 0

  private constructor(folder: string, images: string, program: string) {
    this.folder = folder
    this.#images = images
    this.program = program
  }

  /** `on`: the directory that the stores are made in. */
  static async prepare(on = tmpdir()): Promise<Ground> {
    const folder = mkdtempSync(join(on, 'ply-crash-store-'))
    const images = join(folder, 'images')
    mkdirSync(images)
    await makeImages(images)
    return new Ground(folder, images, await bundled('test/crash-store/child.ts', folder))
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** A place that is not there yet; its store is in a directory of its own. */
  place(): { readonly at: string; readonly place: Place } {
    const at = join(this.folder, `at-${this.#places++}`)
    return { at, place: { root: join(at, 'store'), images: this.#images } }
  }

  /** A place that holds what is there before an operation. */
  furnished({ template }: Pick<Course, 'template'>): { readonly at: string; readonly place: Place } {
    const { at, place } = this.place()
    execFileSync('cp', ['-a', template, at])
    restamp(place.root)
    return { at, place }
  }

  /** What the store is before and after, without any crash. */
  async course(operation: Operation): Promise<Course> {
    const { at: template, place } = this.place()
    mkdirSync(template)
    await operation.before?.(place)
    const caches: CacheBook = new Map()
    // First what is whole: what caches hold is learned from it.
    const next = await this.#expected({ template }, caches, operation.act)
    const old = await this.#expected({ template }, caches, async () => {}, operation.heals)
    return { operation, old, next, template, caches }
  }

  async #expected(
    course: Pick<Course, 'template'>,
    caches: CacheBook,
    act: (place: Place) => Promise<void>,
    mayBeDamaged = false,
  ): Promise<Expected> {
    const { at, place } = this.furnished(course)
    await act(place)
    const { content, wrong } = await look(place.root, caches)
    if (wrong.length > 0 && !mayBeDamaged) throw new Error(wrong.join('\n'))
    const files = content === null ? [] : await collected(place.root)
    rmSync(at, { recursive: true })
    return { content, files }
  }
}

/**
 * A store remembers by its inode and time the `index.json` that it wrote last. In a copy these are others, which would look as if
 * somebody else had written it; so what is remembered is made to fit.
 */
export function restamp(root: string): void {
  const path = join(root, 'names/%.index-seen')
  const stat = statSync(join(root, 'index.json'), { throwIfNoEntry: false })
  if (stat === undefined || !existsSync(path)) return
  const { ino, size, mtimeMs } = stat
  let seen: { readonly crc32?: string; readonly size?: number }
  try {
    seen = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return
  }
  // Another size: it remembers the one before, or one that never came onto the disk.
  if (seen.size !== size) return
  const { crc32, ...rest } = { ...seen, ino, size, mtimeMs }
  writeFileSync(path, crc32 === undefined ? JSON.stringify(rest) : recordText(rest))
}

/** Where the map of a file in blocks says in which boot of the machine it was written what counts in that one alone. */
const bootAt = 1024 + 8

/** After a loss of power the machine is in another boot. */
export function rebooted(root: string): void {
  if (!existsSync(join(root, 'uppers'))) return
  for (const path of readdirSync(join(root, 'uppers'), { recursive: true, encoding: 'utf8' })) {
    if (!/extents\/\d+\.map$/.test(path)) continue
    const map = readFileSync(join(root, 'uppers', path))
    for (let at = bootAt; at < Math.min(bootAt + 16, map.length); at++) map[at]! ^= 1
    writeFileSync(join(root, 'uppers', path), map)
  }
}
