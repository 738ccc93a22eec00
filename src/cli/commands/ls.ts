import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { fileLine, longCells } from '../file-values.ts'
import type { Tree } from '../library.ts'
import { LookCommand, streamFlags, treeFlags, unverifiedFlags } from '../look-command.ts'
import { accountFiles } from '../store-command.ts'
import { aligned } from '../table.ts'
import { locate } from '../tree-paths.ts'

export class Ls extends LookCommand {
  static override summary = 'List a directory of a tree.'
  static override description =
    'Names in byte order, those that begin with a dot too. Owners have the names that the tree itself gives them in /etc/passwd and /etc/group. Times are UTC.'
  static override examples = [
    { description: 'A directory of an image', command: 'ply ls debian:12 /etc -l' },
    { description: 'Every path of a container', command: 'ply ls container:work -R' },
    {
      description: 'What the second layer of an image holds, the largest first',
      command: 'ply ls debian:12@1 --alone -lRS',
    },
    { description: 'Every path as a line of JSON', command: 'ply ls debian:12 -R --ndjson' },
  ]
  static override args = { tree: placeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    long: Flags.boolean({ char: 'l', summary: 'One line each with mode, links, owner, size, time (UTC) and name.' }),
    recursive: Flags.boolean({ char: 'R', summary: 'Everything under it, by full path.' }),
    directory: Flags.boolean({ char: 'd', summary: 'The directory itself, not what is in it.' }),
    all: Flags.boolean({ char: 'a', summary: 'Also . and .. of each directory.' }),
    'by-size': Flags.boolean({ char: 'S', exclusive: ['by-time'], summary: 'In each directory the largest first.' }),
    'by-time': Flags.boolean({ char: 't', summary: 'In each directory the newest first.' }),
    reverse: Flags.boolean({ char: 'r', summary: 'In each directory the other way round.' }),
    human: Flags.boolean({ char: 'h', summary: 'Sizes in powers of 1024: 1.2M.' }),
    numeric: Flags.boolean({ char: 'n', summary: 'Owners as numbers; implies -l.' }),
    inode: Flags.boolean({ char: 'i', summary: 'The number of each inode in front.' }),
    ...treeFlags,
    ...unverifiedFlags,
    ...streamFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Ls)
    const library = await this.library()
    const { numeric = false, human, inode, recursive = false, all = false } = flags
    const long = flags.long || numeric
    const named = long && !numeric && !this.jsonEnabled()
    const { tree, path } = await this.place(args.tree, args.path, { contents: named ? accountFiles : [] })
    const asked = library.encodeText(path)
    const start = locate(tree, asked, library, { stay: flags.directory ?? long })
    const base = start.path
    const alone = flags.directory || tree.stat(start.ino).kind !== 'directory'
    const order = {
      by: flags['by-size'] ? 'size' : flags['by-time'] ? 'time' : 'name',
      reverse: flags.reverse,
    } as const
    const rows = alone
      ? [{ ino: start.ino, path: base, shown: asked }]
      : listing(tree, start.ino, base, { recursive, all, order })
    const accounts = named && !tree.unverified ? library.accountsOf(tree) : undefined

    const json = this.jsonEnabled()
    let held: string[][] = []
    const before = inode ? 1 : 0
    const release = async () => {
      const right = (column: number) =>
        column < before || (column > before && column < before + 5 && !isName(column - before))
      await this.printAll(aligned(held, right, ' '))
      held = []
    }
    const isName = (column: number) => accounts !== undefined && (column === 2 || column === 3)
    for (const { ino, path: at, shown } of rows) {
      if (json) {
        this.tellLine(fileLine(tree, ino, at, library))
        if (this.output.full) await this.output.room()
      } else {
        const cells = long ? longCells(tree, ino, shown, library, { accounts, human }) : [library.displayText(shown)]
        if (inode) cells.unshift(String(ino))
        if (long || inode) held.push(cells)
        else {
          this.print(cells[0]!)
          if (this.output.full) await this.output.room()
        }
      }
      // Columns are aligned over a thousand lines, not over a listing of millions.
      if (held.length === 1000) await release()
    }
    await release()
    this.toldAll()
  }
}

interface Row {
  readonly ino: number
  readonly path: string
  /** As it is printed: a name, a full path under -R, and what was asked for itself as it was asked for. */
  readonly shown: string
}

interface ListingOptions {
  readonly recursive: boolean
  readonly all: boolean
  readonly order: { readonly by: 'name' | 'size' | 'time'; readonly reverse?: boolean }
}

interface Entry {
  readonly name: string
  readonly ino: number
  readonly kind: string
}

/** A directory, with `recursive` everything under it: no more is held of it than the way down, unless it has to be sorted. */
function* listing(
  tree: Tree,
  directory: number,
  base: string,
  { recursive, all, order }: ListingOptions,
): Generator<Row> {
  const entriesOf = (ino: number) => sorted(tree, tree.list(ino), order)[Symbol.iterator]()
  const stack = [{ ino: directory, path: base, entries: entriesOf(directory), begun: false }]
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const prefix = frame.path === '' ? '' : `${frame.path}/`
    if (all && !frame.begun) {
      for (const [name, ino] of [
        ['.', frame.ino],
        ['..', tree.parent(frame.ino)],
      ] as const)
        yield { ino, path: frame.path, shown: recursive ? `/${prefix}${name}` : name }
    }
    frame.begun = true
    const { done, value } = frame.entries.next()
    if (done) {
      stack.pop()
      continue
    }
    const { name, ino, kind } = value
    const path = `${prefix}${name}`
    yield { ino, path, shown: recursive ? `/${path}` : name }
    if (recursive && kind === 'directory') stack.push({ ino, path, entries: entriesOf(ino), begun: false })
  }
}

function sorted(tree: Tree, entries: Iterable<Entry>, { by, reverse }: ListingOptions['order']): Iterable<Entry> {
  if (by === 'name') return reverse ? [...entries].reverse() : entries
  const keyed = [...entries].map((entry) => {
    const { size, mtime } = tree.stat(entry.ino)
    return { entry, key: by === 'size' ? size : mtime }
  })
  // Equal ones stay in the order of their names, as ls has it.
  keyed.sort((a, b) => (a.key > b.key ? -1 : a.key < b.key ? 1 : 0))
  return (reverse ? keyed.reverse() : keyed).map(({ entry }) => entry)
}
