import { meant } from '../../dockerfile/index.ts'
import { decodeText, encodeText } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'
import { resolvePath } from '../../union/resolve.ts'

/** What there is near a path that is not in a tree, as the end of a message; empty where nothing is near. @param path text, absolute */
export function whyMissing(tree: Tree, path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  for (const [at, name] of names.entries()) {
    const above = names.slice(0, at)
    const directory = resolved(tree, above)
    if (directory === undefined) return ''
    if (tree.stat(directory).kind !== 'directory') return `; /${above.join('/')} is no directory`
    if (resolved(tree, names.slice(0, at + 1)) !== undefined) continue
    const there = [...tree.list(directory)].map((entry) => decodeText(entry.name))
    const near = meant(name, there)
    if (near !== '') return near
    return at === names.length - 1 ? '' : `; there is no /${names.slice(0, at + 1).join('/')}`
  }
  return ''
}

function resolved(tree: Tree, names: readonly string[]): number | undefined {
  if (names.length === 0) return tree.root
  try {
    return resolvePath(tree, encodeText(names.join('/')), { follow: true }).ino
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}
