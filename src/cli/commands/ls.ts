import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { fileValue, longCells } from '../file-values.ts'
import type { Tree } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { StoreCommand } from '../store-command.ts'
import { aligned } from '../table.ts'
import { locate, pathIn } from '../tree-paths.ts'

export class Ls extends StoreCommand {
  static override summary = 'List a directory of a tree.'
  static override examples = [
    { description: 'A directory of an image', command: 'ply ls debian:12 /etc -l' },
    { description: 'Every path of a container', command: 'ply ls container:work -R' },
  ]
  static override args = { tree: placeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    long: Flags.boolean({ char: 'l', summary: 'One line each with mode, links, owner, size, time (UTC) and name.' }),
    recursive: Flags.boolean({ char: 'R', summary: 'Everything under it, by full path.' }),
    directory: Flags.boolean({ char: 'd', summary: 'The directory itself, not what is in it.' }),
    ...registryFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Ls)
    const library = await this.library()
    const { tree, path } = await this.place(args.tree, args.path)
    const asked = library.encodeText(path)
    const start = locate(tree, asked, library, {
      stay: flags.directory ?? flags.long ?? false,
    })
    const base = pathIn(tree, start)
    const alone = flags.directory || tree.stat(start.ino).kind !== 'directory'
    const rows = alone
      ? [{ ino: start.ino, path: base, shown: asked }]
      : listing(tree, start.ino, base, flags.recursive ?? false)

    const values: object[] = []
    let held: string[][] = []
    const release = async () => {
      await this.printAll(aligned(held, (column) => column > 0 && column < 5, ' '))
      held = []
    }
    for (const row of rows) {
      if (this.jsonEnabled()) values.push(fileValue(tree, row.ino, row.path, library))
      else if (flags.long) held.push(longCells(tree, row.ino, row.shown, library))
      else await this.printAll([library.displayText(row.shown)])
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
  /** As it is printed: a name, a full path under -R, and what was asked for itself as it was asked for. */
  readonly shown: string
}

function* listing(tree: Tree, directory: number, base: string, recursive: boolean): Generator<Row> {
  for (const { name, ino, kind } of tree.list(directory)) {
    const path = base === '' ? name : `${base}/${name}`
    yield { ino, path, shown: recursive ? `/${path}` : name }
    if (recursive && kind === 'directory') yield* listing(tree, ino, path, true)
  }
}
