import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { pathFields } from '../file-values.ts'
import type { Tree as FileTree, Library } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'
import { locate, pathIn } from '../tree-paths.ts'

/** A directory or file and what is under it, as `--json` shows it. */
interface Branch {
  readonly path: string
  readonly kind: string
  readonly children?: readonly Branch[]
}

export class Tree extends StoreCommand {
  static override summary = 'Draw a directory of a tree with everything under it.'
  static override examples = [
    { description: 'The two upper levels of an image', command: 'ply tree debian:12 / --depth 2' },
  ]
  static override args = { tree: placeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    depth: Flags.integer({ char: 'L', min: 1, summary: 'How many levels to show.', helpValue: 'N' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Tree)
    const library = await this.library()
    const { tree, path: asked } = await this.place(args.tree, args.path)
    const start = locate(tree, library.encodeText(asked), library)
    const path = pathIn(tree, start)
    const depth = flags.depth ?? Number.POSITIVE_INFINITY
    if (this.jsonEnabled()) return branch(tree, start.ino, path, depth, library)
    const counts = { directories: 0, files: 0 }
    this.print(`/${library.displayText(path)}`)
    await this.printAll(drawing(tree, start.ino, depth, '', library, counts))
    await this.output.room()
    this.say(`${counts.directories} directories, ${counts.files} files`)
    return undefined
  }
}

function* drawing(
  tree: FileTree,
  directory: number,
  depth: number,
  indent: string,
  library: Library,
  counts: { directories: number; files: number },
): Generator<string> {
  if (depth === 0 || tree.stat(directory).kind !== 'directory') return
  const entries = [...tree.list(directory)]
  for (const [index, { name, ino, kind }] of entries.entries()) {
    const last = index === entries.length - 1
    const arrow = kind === 'symlink' ? ` -> ${library.displayText(tree.readlink(ino))}` : ''
    if (kind === 'directory') counts.directories++
    else counts.files++
    yield `${indent}${last ? '└── ' : '├── '}${library.displayText(name)}${kind === 'directory' ? '/' : ''}${arrow}`
    if (kind === 'directory') yield* drawing(tree, ino, depth - 1, indent + (last ? '    ' : '│   '), library, counts)
  }
}

function branch(tree: FileTree, ino: number, path: string, depth: number, library: Library): Branch {
  const { kind } = tree.stat(ino)
  const here = { ...pathFields(path, library), kind }
  if (kind !== 'directory' || depth === 0) return here
  const children = [...tree.list(ino)].map((entry) =>
    branch(tree, entry.ino, path === '' ? entry.name : `${path}/${entry.name}`, depth - 1, library),
  )
  return { ...here, children }
}
