import { type Directory, type File, find, type Node, type Step, walk } from './model.ts'

/** Numbers that follow from a seed: below a limit, each time another. */
export function dice(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

/** From here on more is removed than made: bytes of content, and names. */
const room = 6 << 20
const mostNames = 400

/** What a program does next: mostly what can be done, and changes things that are there already as often as it makes new ones. */
export class Choosing {
  readonly #root: Directory
  readonly #throw: (limit: number) => number
  #count = 0
  #files: string[] = []
  #directories: string[] = []
  #full = false

  constructor(root: Directory, seed: number) {
    this.#root = root
    this.#throw = dice(seed)
  }

  next(): Step {
    for (;;) {
      const step = this.#step()
      if (step) return step
    }
  }

  #step(): Step | undefined {
    if (this.#count++ % 20 === 0) this.#look()
    if (this.#full && this.#throw(3) > 0) return { does: 'unlink', path: this.#known() }
    const kind = this.#throw(100)
    if (kind < 40) return this.#write()
    const path = this.#known()
    const node = find(this.#root, path)
    if (kind < 46) return node?.kind === 'file' ? { does: 'truncate', path, size: this.#throw(60_000) } : undefined
    if (kind < 54) return { does: 'mkdir', path: this.#fresh() }
    if (kind < 60) return { does: 'link', path, to: this.#fresh() }
    if (kind < 64) return { does: 'symlink', path: this.#fresh(), target: `nowhere/${path}` }
    if (kind < 76) return this.#rename()
    if (kind < 84) return { does: 'unlink', path }
    if (kind < 88) return { does: 'rmdir', path: this.#anyOf(this.#directories) ?? 'nothing' }
    if (kind < 92) return node?.kind === 'file' ? { does: 'chmod', path, mode: 0o600 + this.#throw(0o200) } : undefined
    if (kind < 96) return node?.kind === 'file' ? { does: 'note', path, value: `${this.#throw(1e9)}` } : undefined
    return { does: 'sync' }
  }

  #write(): Step {
    const old = this.#throw(2) === 0 ? this.#known() : ''
    const node: Node | undefined = find(this.#root, old)
    const path = node?.kind === 'file' ? old : this.#fresh()
    const length = node?.kind === 'file' ? (node as File).content.length : 0
    const truncate = this.#throw(4) === 0
    const at = truncate || this.#throw(3) === 0 ? 0 : this.#throw(length + 5000)
    const size = this.#throw(10) === 0 ? this.#throw(400_000) : this.#throw(9000)
    return { does: 'write', path, at, size, seed: this.#throw(2 ** 31), truncate, sync: this.#throw(6) === 0 }
  }

  #rename(): Step | undefined {
    const path = this.#throw(3) === 0 ? this.#anyOf(this.#directories) : this.#known()
    if (!path) return undefined
    const to = this.#throw(3) === 0 ? this.#known() : this.#fresh()
    return `${to}/`.startsWith(`${path}/`) ? undefined : { does: 'rename', path, to }
  }

  #look(): void {
    this.#files = []
    this.#directories = []
    let bytes = 0
    for (const [path, node] of walk(this.#root)) {
      if (node.kind === 'directory') this.#directories.push(path)
      else this.#files.push(path)
      if (node.kind === 'file') bytes += node.content.length
    }
    this.#full = bytes > room || this.#files.length > mostNames
  }

  #known(): string {
    return this.#anyOf(this.#files) ?? 'nothing'
  }

  #fresh(): string {
    const directory = this.#throw(4) === 0 ? '' : (this.#anyOf(this.#directories) ?? '')
    const deep = directory.split('/').length > 6 ? '' : directory
    return `${deep}${deep && '/'}n${this.#throw(40)}`
  }

  #anyOf(paths: readonly string[]): string | undefined {
    return paths.length === 0 ? undefined : paths[this.#throw(paths.length)]
  }
}
