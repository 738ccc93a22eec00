import { createHash } from 'node:crypto'

/** What stands at a name, in memory. Names of one file are one object. */
export type Node =
  | { readonly kind: 'directory'; mode: number; readonly names: Map<string, Node> }
  | { readonly kind: 'file'; mode: number; content: Buffer; note: string | undefined }
  | { readonly kind: 'symlink'; readonly target: string }

export type Directory = Node & { readonly kind: 'directory' }
export type File = Node & { readonly kind: 'file' }

/** One thing that a program does; paths from the directory that it works in. */
export type Step =
  /** Opens, makes, or with `truncate` empties; writes bytes that follow from a seed, if any; closes. */
  | { does: 'write'; path: string; at: number; size: number; seed: number; truncate: boolean; sync: boolean }
  | { does: 'truncate'; path: string; size: number }
  | { does: 'mkdir' | 'rmdir' | 'unlink'; path: string }
  | { does: 'symlink'; path: string; target: string }
  | { does: 'link' | 'rename'; path: string; to: string }
  | { does: 'chmod'; path: string; mode: number }
  | { does: 'note'; path: string; value: string }
  /** All that was done so far. */
  | { does: 'sync' }

export function directory(mode = 0o755): Directory {
  return { kind: 'directory', mode, names: new Map() }
}

/** Bytes that follow from a seed. */
export function bytesOf(seed: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let state = (seed | 1) >>> 0
  for (let at = 0; at < size; at++) {
    if (at % 64 === 0) state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = (state >>> 24) ^ at
  }
  return bytes
}

export function find(root: Directory, path: string): Node | undefined {
  let node: Node | undefined = root
  for (const name of path.split('/')) {
    if (name === '') continue
    node = node?.kind === 'directory' ? node.names.get(name) : undefined
  }
  return node
}

/** Changes a model as a step that succeeded has changed what it stands for. */
export function apply(root: Directory, step: Step): void {
  switch (step.does) {
    case 'write': {
      const file = fileAt(root, step.path)
      const before = step.truncate ? Buffer.alloc(0) : file.content
      const content = Buffer.alloc(Math.max(before.length, step.size > 0 ? step.at + step.size : 0))
      before.copy(content)
      bytesOf(step.seed, step.size).copy(content, step.at)
      file.content = content
      return
    }
    case 'truncate': {
      const file = find(root, step.path) as File
      const content = Buffer.alloc(step.size)
      file.content.copy(content)
      file.content = content
      return
    }
    case 'mkdir':
      put(root, step.path, directory())
      return
    case 'symlink':
      put(root, step.path, { kind: 'symlink', target: step.target })
      return
    case 'rmdir':
    case 'unlink':
      put(root, step.path, undefined)
      return
    case 'link':
      put(root, step.to, find(root, step.path))
      return
    case 'rename': {
      const node = find(root, step.path)
      if (node === find(root, step.to)) return
      put(root, step.path, undefined)
      put(root, step.to, node)
      return
    }
    case 'chmod':
      ;(find(root, step.path) as File | Directory).mode = step.mode
      return
    case 'note':
      ;(find(root, step.path) as File).note = step.value
      return
    case 'sync':
      return
    default:
      step satisfies never
  }
}

function fileAt(root: Directory, path: string): File {
  const there = find(root, path)
  if (there?.kind === 'file') return there
  const made: File = { kind: 'file', mode: 0o644, content: Buffer.alloc(0), note: undefined }
  put(root, path, made)
  return made
}

function put(root: Directory, path: string, node: Node | undefined): void {
  const at = path.lastIndexOf('/')
  const { names } = find(root, path.slice(0, Math.max(0, at))) as Directory
  if (node) names.set(path.slice(at + 1), node)
  else names.delete(path.slice(at + 1))
}

/** A model of its own that stands for the same. */
export function copyOf(root: Directory, copies = new Map<Node, Node>()): Directory {
  const copy = directory(root.mode)
  for (const [name, node] of root.names) {
    let twin = copies.get(node)
    if (!twin) copies.set(node, (twin = node.kind === 'directory' ? copyOf(node, copies) : { ...node }))
    copy.names.set(name, twin)
  }
  return copy
}

export function* walk(root: Directory, prefix = ''): Generator<readonly [path: string, node: Node]> {
  for (const name of [...root.names.keys()].sort()) {
    const node = root.names.get(name)!
    yield [`${prefix}${name}`, node]
    if (node.kind === 'directory') yield* walk(node, `${prefix}${name}/`)
  }
}

/** A model in words, a line a path: two that are told alike stand for the same. */
function told(root: Directory): string[] {
  const first = new Map<Node, string>()
  const lines: string[] = []
  for (const [path, node] of walk(root)) {
    const same = first.get(node)
    if (same === undefined) first.set(node, path)
    lines.push(same === undefined ? `${path}: ${facts(node)}` : `${path}: ${same} once more`)
  }
  return lines
}

function facts(node: Node): string {
  switch (node.kind) {
    case 'directory':
      return `directory ${node.mode.toString(8)}`
    case 'symlink':
      return `symlink ${node.target}`
    case 'file': {
      const digest = createHash('sha256').update(node.content).digest('hex').slice(0, 16)
      return `file ${node.mode.toString(8)} ${node.content.length} ${digest} ${node.note ?? ''}`
    }
    default:
      return node satisfies never
  }
}

/** How two models differ. */
export function differences(expected: Directory, found: Directory): string[] {
  const [left, right] = [new Set(told(expected)), new Set(told(found))]
  return [
    ...[...left].filter((line) => !right.has(line)).map((line) => `expected ${line}`),
    ...[...right].filter((line) => !left.has(line)).map((line) => `found    ${line}`),
  ]
}
