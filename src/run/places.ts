import { posix } from 'node:path'
import { type ByteString, decodeText, encodeText } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { resolvePath } from '../union/resolve.ts'

const mostSymlinks = 40

/**
 * Where a path of a container leads in the end, without symlinks; what is missing is called what it would be called. Nothing leads out of it.
 *
 * @param path text, absolute
 */
export function placeIn(tree: Tree, path: string): string {
  const todo = names(encodeText(path)).reverse()
  const way: { readonly name: ByteString; readonly ino: number | undefined }[] = []
  for (let followed = 0; todo.length > 0; ) {
    const name = todo.pop()!
    if (name === '.') continue
    if (name === '..') {
      way.pop()
      continue
    }
    const above = way.length === 0 ? tree.root : way.at(-1)!.ino
    const isDirectory = above !== undefined && tree.stat(above).kind === 'directory'
    const ino = isDirectory ? tree.lookup(above, name) : undefined
    if (ino !== undefined && tree.stat(ino).kind === 'symlink' && followed++ < mostSymlinks) {
      const target = tree.readlink(ino)
      if (target.startsWith('/')) way.length = 0
      todo.push(...names(target).reverse())
    } else way.push({ name, ino })
  }
  return `/${decodeText(way.map(({ name }) => name).join('/'))}`
}

/**
 * What stands where the program of a container should be: nothing, something that can be run, or something else.
 *
 * @param program text, as the container finds it
 */
export function programIn(
  tree: Tree,
  program: string,
  { directory, path }: { readonly directory: string; readonly path: string },
): 'missing' | 'program' | 'closed' {
  const places = program.includes('/') ? [''] : path.split(':')
  const answers = places.map((place) => whatIsAt(tree, posix.resolve(directory, place, program)))
  return answers.find((answer) => answer === 'program') ?? answers.find((answer) => answer === 'closed') ?? 'missing'
}

function whatIsAt(tree: Tree, path: string): 'missing' | 'program' | 'closed' {
  try {
    const { ino } = resolvePath(tree, encodeText(path), { follow: true })
    if (ino === undefined) return 'missing'
    const { kind, mode } = tree.stat(ino)
    return kind === 'file' && (mode & 0o111) !== 0 && begins(tree, ino) ? 'program' : 'closed'
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return 'missing'
    throw error
  }
}

/** As the kernel knows programs. */
function begins(tree: Tree, ino: number): boolean {
  const head = Buffer.alloc(4)
  const bytes = tree.open(ino)
  try {
    bytes.read(head, 0)
  } finally {
    bytes.close()
  }
  return head.equals(Buffer.from('\x7fELF', 'latin1')) || head.toString('latin1', 0, 2) === '#!'
}

function names(path: ByteString): string[] {
  return path.split('/').filter((name) => name !== '')
}
