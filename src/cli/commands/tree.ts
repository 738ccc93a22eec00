import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { pathFields } from '../file-values.ts'
import type { Tree as FileTree, Library, TreeEntry } from '../library.ts'
import { LookCommand, treeFlags, unverifiedFlags } from '../look-command.ts'
import { countOf } from '../sizes.ts'
import { locate } from '../tree-paths.ts'

/** A directory or file and what is under it, as `--json` shows it. */
interface Branch {
  readonly path: string
  readonly kind: string
  readonly children?: readonly Branch[]
}

export class Tree extends LookCommand {
  static override summary = 'Draw a directory of a tree with everything under it.'
  static override examples = [
    { description: 'The two upper levels of an image', command: 'ply tree debian:12 / --depth 2' },
  ]
  static override args = { tree: placeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    depth: Flags.integer({ char: 'L', min: 1, summary: 'How many levels to show.', helpValue: 'N' }),
    directories: Flags.boolean({ char: 'd', summary: 'Directories alone.' }),
    ...treeFlags,
    ...unverifiedFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Tree)
    const library = await this.library()
    const { tree, path: asked } = await this.place(args.tree, args.path, { contents: [] })
    const start = locate(tree, library.encodeText(asked), library)
    const path = start.path
    const { depth = Number.POSITIVE_INFINITY, directories = false } = flags
    const shown = { tree, library, directories }
    if (this.jsonEnabled()) return branch(shown, start.ino, path, depth)
    const counts = { directories: 0, files: 0 }
    this.print(`/${library.displayText(path)}`)
    await this.printAll(drawing(shown, start.ino, depth, '', counts))
    await this.output.room()
    this.say(
      `${counts.directories} ${counts.directories === 1 ? 'directory' : 'directories'}${directories ? '' : `, ${countOf(counts.files, 'file')}`}`,
    )
    return undefined
  }
}

interface Shown {
  readonly tree: FileTree
  readonly library: Library
  /** Nothing but directories. */
  readonly directories: boolean
}

function* entriesOf({ tree, directories }: Shown, directory: number): Generator<TreeEntry> {
  for (const entry of tree.list(directory)) if (!directories || entry.kind === 'directory') yield entry
}

function* drawing(
  shown: Shown,
  directory: number,
  depth: number,
  indent: string,
  counts: { directories: number; files: number },
): Generator<string> {
  const { tree, library } = shown
  if (depth === 0 || tree.stat(directory).kind !== 'directory') return
  const entries = [...entriesOf(shown, directory)]
  for (const [index, { name, ino, kind }] of entries.entries()) {
    const last = index === entries.length - 1
    const arrow = kind === 'symlink' ? ` -> ${library.displayText(tree.readlink(ino))}` : ''
    if (kind === 'directory') counts.directories++
    else counts.files++
    yield `${indent}${last ? '└── ' : '├── '}${library.displayText(name)}${kind === 'directory' ? '/' : ''}${arrow}`
    if (kind === 'directory') yield* drawing(shown, ino, depth - 1, indent + (last ? '    ' : '│   '), counts)
  }
}

function branch(shown: Shown, ino: number, path: string, depth: number): Branch {
  const { tree, library } = shown
  const { kind } = tree.stat(ino)
  const here = { ...pathFields(path, library), kind }
  if (kind !== 'directory' || depth === 0) return here
  const children: Branch[] = []
  for (const { name, ino: child } of entriesOf(shown, ino))
    children.push(branch(shown, child, path === '' ? name : `${path}/${name}`, depth - 1))
  return { ...here, children }
}
