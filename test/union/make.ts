import type { ByteString } from '../../src/model/bytes.ts'
import type { Attributes } from '../../src/model/entry.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { resolvePath } from '../../src/union/resolve.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'

const plain: Attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 7n }
export const file = { kind: 'file', ...plain } as const
export const directory = { kind: 'directory', ...plain, mode: 0o755 } as const

/** A union over a plain tree whose clock, and that of its upper, says 1000, 1001, … */
export function make(spec: PlainSpec, upper?: Upper): WritableUnion {
  let time = 1000n
  const now = () => time++
  return union(plainTree(spec), upper ?? memoryUpper({ now }), { now })
}

/** Directory and name of a path: what the verbs take. */
export function at(tree: WritableUnion, path: ByteString): [number, ByteString] {
  const { directory: parent, name } = resolvePath(tree, path, { follow: false })
  return [parent, name]
}

export function ino(tree: WritableUnion, path: ByteString): number {
  const found = resolvePath(tree, path, { follow: false }).ino
  if (found === undefined) throw new Error(`${path} is missing`)
  return found
}

export function write(tree: WritableUnion, path: ByteString, content: string): void {
  const writer = tree.writer(ino(tree, path), { truncate: true })
  writer.write(Buffer.from(content), 0)
  writer.close()
}

/** What the upper says, by path: `-` a whiteout, `!` opaque, `<` a redirect. */
export function upperPaths(tree: WritableUnion): string[] {
  const found: string[] = []
  const visit = (parent: number, prefix: string): void => {
    for (const { name, verdict } of tree.upper.list(parent)) {
      if (verdict.says === 'whiteout') found.push(`-${prefix}${name}`)
      if (verdict.says !== 'entry') continue
      const { opaque, redirect } = verdict
      found.push(`${prefix}${name}${opaque ? '!' : ''}${redirect === undefined ? '' : `<${redirect}`}`)
      if (verdict.directory) visit(verdict.ino, `${prefix}${name}/`)
    }
  }
  visit(tree.upper.root.ino, '')
  return found
}
