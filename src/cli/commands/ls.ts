import * as Flags from '@oclif/core/flags'
import { pathArg, treeArg } from '../arguments.ts'
import { fileValue, longCells } from '../file-values.ts'
import type { Tree } from '../library.ts'
import { StoreCommand } from '../store-command.ts'
import { aligned } from '../table.ts'
import { locate, pathIn } from '../tree-paths.ts'

export class Ls extends StoreCommand {
  static override summary = 'List a directory of a tree.'
  static override examples = [
    { description: 'A directory of an image', command: 'ply ls debian:12 /etc -l' },
    { description: 'Every path of a container', command: 'ply ls container:work -R' },
  ]
  static override args = { tree: treeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    long: Flags.boolean({ char: 'l', summary: 'One line each with mode, links, owner, size, time (UTC) and name.' }),
    recursive: Flags.boolean({ char: 'R', summary: 'Everything under it, by full path.' }),
    directory: Flags.boolean({ char: 'd', summary: 'The directory itself, not what is in it.' }),
  }

  async run() {
    const { args, flags } = await this.parse(Ls)
    const library = await this.library()
    const tree = await this.tree(args.tree)
    const start = locate(tree, library.encodeText(args.path ?? '/'), library, {
      stay: flags.directory ?? flags.long ?? false,
    })
    const base = pathIn(tree, start)
    const alone = flags.directory || tree.stat(start.ino).kind !== 'directory'
    const rows = alone
      ? [{ ino: start.ino, path: base, name: base }]
      : listing(tree, start.ino, base, flags.recursive ?? false)

    const values: object[] = []
    let held: string[][] = []
    const release = async () => {
      await this.printAll(aligned(held, (column) => column > 0 && column < 5, ' '))
      held = []
    }
    for (const row of rows) {
      if (this.jsonEnabled()) values.push(fileValue(tree, row.ino, row.path, library))
      else if (flags.long) held.push(longCells(tree, row.ino, shown(row, flags.recursive), library))
      else await this.printAll([library.displayText(shown(row, flags.recursive))])
      // Columns are aligned over a thousand lines, not over a listing of millions.
      if (held.length === 1000) await release()
    }
    await release()
    return values
  }
}

interface Row {
  readonly ino: number
  readonly path: string
  readonly name: string
}

function shown(row: Row, recursive: boolean | undefined): string {
  return recursive ? `/${row.path}` : row.name || '/'
}

function* listing(tree: Tree, directory: number, base: string, recursive: boolean): Generator<Row> {
  for (const { name, ino, kind } of tree.list(directory)) {
    const path = base === '' ? name : `${base}/${name}`
    yield { ino, path, name }
    if (recursive && kind === 'directory') yield* listing(tree, ino, path, true)
  }
}
