import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { realTree } from '../../extract/directory-tree.ts'
import { encodeText } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import { resolvePath } from '../../union/resolve.ts'
import { treeBelow } from '../copy/tree-below.ts'
import { clone } from './clone.ts'

/** A place on the network that ADD takes something from. */
export type Remote =
  | { readonly is: 'file'; readonly url: string; readonly name: string }
  | { readonly is: 'git'; readonly url: string; readonly ref?: string; readonly directory?: string }

/** What a source of ADD means on the network; `undefined` for a path of the context. */
export function remoteOf(source: string): Remote | undefined {
  const [, address = source, fragment] = /^([^#]*)(?:#(.*))?$/s.exec(source) ?? []
  const web = /^https?:\/\//i.test(address)
  const git = /^(?:git|ssh):\/\//.test(address) || /^[\w.-]+@[\w.-]+:(?!\/\/)/.test(address)
  if (git || (web && new URL(address).pathname.endsWith('.git'))) {
    const [ref = '', directory] = (fragment ?? '').split(':', 2)
    return {
      is: 'git',
      url: address,
      ...(ref !== '' && { ref }),
      ...(directory !== undefined && directory !== '' && { directory }),
    }
  }
  if (!web) return undefined
  if (!URL.canParse(source)) throw new Error(`${source} is no address`)
  return { is: 'file', url: source, name: decodeURIComponent(new URL(source).pathname.split('/').at(-1) ?? '') }
}

/** What came from the network, in a directory that goes when it is disposed of. */
export interface Fetched extends Disposable {
  readonly tree: Tree
}

export interface FetchOptions extends Operation {
  /** `sha256:…` of a file, or the start of a commit's id. */
  readonly checksum?: string | undefined
  readonly keepGitDirectory?: boolean | undefined
  /** Where what is fetched lies meanwhile. */
  readonly scratch: () => Promise<Scratch>
}

/** A directory that goes when it is disposed of. */
export interface Scratch extends Disposable {
  readonly path: string
}

/**
 * Fetches what ADD names: a file under its own name with mode 600, or what is in a git repository at a commit, without its `.git` unless
 * that is wanted.
 *
 * @throws Error that says what went wrong; PLY_DIGEST_MISMATCH; PLY_UNSUPPORTED without git; PLY_ABORTED
 */
export async function fetchRemote(remote: Remote, options: FetchOptions): Promise<Fetched> {
  const scratch = await options.scratch()
  const directory = scratch.path
  const remove = () => scratch[Symbol.dispose]()
  try {
    const root =
      remote.is === 'git' ? await clone(remote, directory, options) : await download(remote, directory, options)
    const whole = realTree(root)
    const inside = remote.is === 'git' ? remote.directory : undefined
    const tree = inside === undefined ? whole : below(whole, inside)
    return {
      tree,
      [Symbol.dispose]() {
        whole.close()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

async function download(
  { url, name }: Extract<Remote, { readonly is: 'file' }>,
  directory: string,
  { checksum, signal }: FetchOptions,
): Promise<string> {
  const [, wanted] = /^sha256:([0-9a-f]{64})$/.exec(checksum ?? '') ?? []
  if (checksum !== undefined && wanted === undefined)
    throw new Error(`--checksum is sha256: and 64 digits, not ${checksum}`)
  let response: Response
  try {
    response = await fetch(url, { ...(signal && { signal }) })
  } catch (error) {
    if (signal?.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: error })
    const cause = (error as { cause?: Error }).cause ?? (error as Error)
    throw new Error(`${new URL(url).host} cannot be reached: ${cause.message}`, { cause: error })
  }
  if (!response.ok || response.body === null)
    throw new Error(`${new URL(url).host} answers ${response.status} ${response.statusText}`.trim())
  const hash = createHash('sha256')
  const file = await open(join(directory, safeName(name)), 'wx', 0o600)
  try {
    for await (const chunk of response.body) {
      hash.update(chunk)
      await file.write(chunk)
    }
  } finally {
    await file.close()
  }
  const actual = hash.digest('hex')
  if (wanted !== undefined && actual !== wanted)
    throw new PlyError('PLY_DIGEST_MISMATCH', {
      what: `what ${new URL(url).host} sends`,
      expected: `sha256:${wanted}`,
      actual: `sha256:${actual}`,
    })
  return directory
}

function safeName(name: string): string {
  return name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0') ? 'index.html' : name
}

/** A directory of a repository; symlinks on the way to it are followed inside of that. */
function below(tree: Tree, path: string): Tree {
  if (path.split('/').includes('..')) throw new Error(`${path} leads out of the repository`)
  const { ino } = resolvePath(tree, encodeText(path), { follow: true })
  if (ino === undefined || tree.stat(ino).kind !== 'directory')
    throw new Error(`there is no directory ${path} in the repository`)
  return treeBelow(tree, ino)
}
