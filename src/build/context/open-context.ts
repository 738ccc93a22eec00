import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeText } from '../../model/bytes.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import { buildGround } from '../../store/builds/ground.ts'
import type { Store } from '../../store/store.ts'
import { type ByteStream, type Bytes, memoryBytes } from '../../stream/bytes.ts'
import { kindAt, openFile } from '../../transport/file.ts'
import { memoryUpper } from '../../union/memory-upper.ts'
import { plainLayer } from '../../union/plain-layer.ts'
import { resolvePath } from '../../union/resolve.ts'
import { union } from '../../union/union-tree.ts'
import { type Fetched, type FetchOptions, fetchRemote, type Remote, remoteOf, type Scratch } from '../fetch/remote.ts'
import { unpacked } from '../fetch/unpack.ts'
import { contextTree, ignoreLines, ignorePatterns, withoutIgnored } from './context.ts'

/** A Dockerfile of more bytes than this is none. */
const mostText = 16 << 20

/** What a build takes from, and the Dockerfile that goes with it. */
export interface BuildContext extends AsyncDisposable {
  /** Without what is ignored. */
  readonly tree: Tree
  /** Patterns of what is not there. */
  readonly ignored: readonly string[]
  /** Text of the Dockerfile. */
  readonly dockerfile: string
  /** What messages call it. */
  readonly file: string
}

/** Where a context is, and how it is fetched. */
export interface OpenContextOptions extends Operation {
  /**
   * The Dockerfile: a path of this machine where the context is a directory of it, else one in the context; `-` is the input. Default:
   * `Dockerfile` in the context.
   */
  readonly file?: string | undefined
  /** What `-` is. */
  readonly input?: ByteStream | undefined
  /** A git repository keeps its `.git`. */
  readonly keepGitDirectory?: boolean | undefined
}

/**
 * What a build is given to build: a directory; a tar, plain or compressed, by its path, its address or as the input (`-`); a Dockerfile
 * alone, in the same places; or a git repository (`ADDRESS.git#REF:DIRECTORY`). Archives are read as layers are and checked so: nothing of
 * them is written anywhere but into the store, where they lie until the next collection. Nothing leads out of any of them.
 *
 * @throws PLY_USAGE for what is none of these, and for a Dockerfile that is not there; what reading throws
 */
export async function openContext(
  store: Store,
  place: string,
  options: OpenContextOptions = {},
): Promise<BuildContext> {
  const { file } = options
  if (file === '-' && place === '-')
    throw new PlyError('PLY_USAGE', { reason: 'the input is the Dockerfile or the context: name one of them' })
  const closers: (() => unknown)[] = []
  const close = async () => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next()
  }
  try {
    const opened = await new Opening(store, options, closers).at(place)
    return { ...opened, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

type Opened = Omit<BuildContext, keyof AsyncDisposable>

class Opening {
  readonly #store: Store
  readonly #options: OpenContextOptions
  readonly #closers: (() => unknown)[]

  constructor(store: Store, options: OpenContextOptions, closers: (() => unknown)[]) {
    this.#store = store
    this.#options = options
    this.#closers = closers
  }

  async at(place: string): Promise<Opened> {
    const { keepGitDirectory = false, signal } = this.#options
    if (place === '-') return this.#archive(await this.#spooled(), 'standard input')
    const remote = kindAtOrNone(place) === 'none' ? remoteOf(place) : undefined
    if (remote !== undefined) {
      const scratch = () => this.#scratch()
      const fetched = await this.#fetched(remote, { keepGitDirectory, signal, scratch })
      this.#closers.push(() => fetched[Symbol.dispose]())
      if (remote.is === 'git') return this.#inside(fetched.tree)
      const [only] = fetched.tree.list(fetched.tree.root)
      return this.#archive(() => fetched.tree.open(only!.ino), place)
    }
    const kind = kindAt(place)
    if (kind === 'none') throw noContext(place)
    if (kind === 'directory') return this.#directory(place)
    return this.#archive(() => openFile(place), place)
  }

  /** Nothing is collected as long as the context is open. */
  async #scratch(): Promise<Scratch> {
    const ground = this.#store[buildGround]
    const { signal } = this.#options
    const held = await ground.hold({ signal })
    this.#closers.push(() => held.release())
    return ground.scratch({ signal })
  }

  async #fetched(remote: Remote, options: FetchOptions): Promise<Fetched> {
    try {
      return await fetchRemote(remote, options)
    } catch (error) {
      if (!(error instanceof Error) || codeOf(error) !== undefined) throw error
      throw new PlyError('PLY_USAGE', { reason: `the context ${remote.url}: ${error.message}` }, { cause: error })
    }
  }

  async #directory(directory: string): Promise<Opened> {
    const { file } = this.#options
    const path = file === '-' ? undefined : (file ?? join(directory, 'Dockerfile'))
    const dockerfile = path === undefined ? await this.#inputText() : textOf(path)
    const ignored = ignorePatterns(directory, path)
    const tree = contextTree(directory, { ignored, digests: this.#store.fileDigests })
    this.#closers.push(() => tree.close())
    return { tree, ignored, dockerfile, file: path ?? 'stdin' }
  }

  /** A tar, or a Dockerfile by itself. */
  async #archive(opening: () => Bytes, name: string): Promise<Opened> {
    const tree = await unpacked(opening, this.#store, this.#options)
    if (tree !== undefined) {
      this.#closers.push(() => tree.close())
      return this.#inside(tree)
    }
    if (this.#options.file !== undefined)
      throw new PlyError('PLY_USAGE', { reason: `${name} is no tar that could hold ${this.#options.file}` })
    const bytes = opening()
    try {
      const empty = union([plainLayer({ '/': { directory: true } })], memoryUpper())
      return {
        tree: empty,
        ignored: [],
        dockerfile: wholeText(bytes, name),
        file: name === 'standard input' ? 'stdin' : name,
      }
    } finally {
      bytes.close()
    }
  }

  /** A context that holds its Dockerfile. */
  async #inside(tree: Tree): Promise<Opened> {
    const { file = 'Dockerfile' } = this.#options
    const dockerfile = file === '-' ? await this.#inputText() : textIn(tree, file)
    if (dockerfile === undefined)
      throw new PlyError('PLY_USAGE', { reason: `there is no ${file} in the context: name the Dockerfile with -f` })
    const own = file === '-' ? undefined : textIn(tree, `${file}.dockerignore`)
    const ignored = ignoreLines(own ?? textIn(tree, '.dockerignore') ?? '')
    return { tree: withoutIgnored(tree, ignored), ignored, dockerfile, file: file === '-' ? 'stdin' : file }
  }

  async #inputText(): Promise<string> {
    const { input } = this.#options
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of input ?? []) {
      size += chunk.length
      if (size > mostText) throw new PlyError('PLY_TOO_LARGE', { what: 'the Dockerfile', limit: mostText })
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString()
  }

  /** The input in a file, since it is read more than once. */
  async #spooled(): Promise<() => Bytes> {
    const scratch = await this.#scratch()
    this.#closers.push(() => scratch[Symbol.dispose]())
    const path = join(scratch.path, 'input')
    const file = await open(path, 'wx', 0o600)
    try {
      for await (const chunk of this.#options.input ?? []) {
        this.#options.signal?.throwIfAborted()
        await file.write(chunk)
      }
    } finally {
      await file.close()
    }
    return () => openFile(path)
  }
}

function noContext(place: string): PlyError {
  const reason = `there is no ${place} to build from: name a directory (. is this one), a tar, an address of a tar or of a git repository, or - for standard input`
  return new PlyError('PLY_USAGE', { reason })
}

function kindAtOrNone(path: string): ReturnType<typeof kindAt> {
  try {
    return kindAt(path)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR' || codeOf(error) === 'ENAMETOOLONG') return 'none'
    throw error
  }
}

/** A Dockerfile of this machine. */
function textOf(path: string): string {
  try {
    return wholeText(memoryBytes(readFileSync(path)), path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    const reason = `there is no ${path}: name the Dockerfile with -f, or the directory that holds it`
    throw new PlyError('PLY_USAGE', { reason }, { cause: error })
  }
}

/** The text of a file in a tree, symlinks followed inside of it; `undefined` where there is none. */
function textIn(tree: Tree, path: string): string | undefined {
  try {
    const { ino } = resolvePath(tree, encodeText(path), { follow: true })
    if (ino === undefined) return undefined
    const bytes = tree.open(ino)
    try {
      return wholeText(bytes, path)
    } finally {
      bytes.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function wholeText(bytes: Bytes, name: string): string {
  if (bytes.size > mostText) throw new PlyError('PLY_TOO_LARGE', { what: name, limit: mostText })
  const text = new Uint8Array(bytes.size)
  for (let at = 0; at < text.length; ) {
    const read = bytes.read(text.subarray(at), at)
    if (read === 0) break
    at += read
  }
  return Buffer.from(text).toString()
}
