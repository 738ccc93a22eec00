import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { pathFields } from '../file-values.ts'
import type { WasteGrouping } from '../library.ts'
import { LookCommand, streamFlags, treeFlags, unverifiedFlags } from '../look-command.ts'
import { binarySize } from '../sizes.ts'
import { locate } from '../tree-paths.ts'
import { UsageError } from '../usage-error.ts'
import { wasteLines, wasteValue } from '../waste-lines.ts'

export class Du extends LookCommand {
  static override summary = 'Show what directories of a tree take.'
  static override description =
    'As du(1): units of 1024 bytes that contents take where they lie, without holes, each inode counted once; a directory itself takes nothing. With --waste instead what the layers of an image hold in vain: bytes overwritten and deleted by layers above, files that only got other attributes (attributes) or are the same (repeated), and equal files in several layers (duplicate). Efficiency is the share of bytes that is of use; beside it the score that dive gives.'
  static override examples = [
    { description: 'The upper two levels', command: 'ply du debian:12 / -h -d 2' },
    { description: 'What an image holds in vain, by package', command: 'ply du debian:12 --waste --by package' },
    { description: 'The size of everything, in bytes as files say', command: 'ply du debian:12 -sb' },
  ]
  static override args = { tree: placeArg(), path: pathArg('A path in it; the root by default.') }
  static override flags = {
    summarize: Flags.boolean({ char: 's', exclusive: ['max-depth', 'all'], summary: 'One line alone, for all of it.' }),
    all: Flags.boolean({ char: 'a', summary: 'Files too, not only directories.' }),
    'max-depth': Flags.integer({ char: 'd', min: 0, helpValue: 'N', summary: 'No deeper than N levels below it.' }),
    human: Flags.boolean({ char: 'h', summary: 'Sizes in powers of 1024: 1.2M.' }),
    'apparent-size': Flags.boolean({ summary: 'What files say that they hold, not what they take.' }),
    bytes: Flags.boolean({ char: 'b', summary: 'As --apparent-size, in bytes.' }),
    inodes: Flags.boolean({ summary: 'How many inodes, not how many bytes.' }),
    waste: Flags.boolean({
      exclusive: ['summarize', 'all', 'max-depth', 'layer', 'alone', 'inodes', 'unverified'],
      summary: 'What the layers of an image hold in vain.',
    }),
    top: Flags.integer({
      min: 0,
      dependsOn: ['waste'],
      helpValue: 'N',
      summary: 'With --waste, the N worst; 20 unless told.',
    }),
    by: Flags.option({
      options: ['dir', 'layer', 'extension', 'package'] as const,
      dependsOn: ['waste'],
      summary: 'With --waste, files put together; packages are those of dpkg, apk, pip and npm.',
    })(),
    range: Flags.string({
      dependsOn: ['waste'],
      helpValue: 'A..B',
      summary: 'With --waste, what squashing layers A to B would save; all of them unless told.',
    }),
    ...treeFlags,
    ...unverifiedFlags,
    ...streamFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Du)
    if (flags.waste) return this.#waste(args.tree, args.path, flags)
    const library = await this.library()
    const { tree, path } = await this.place(args.tree, args.path, { contents: [] })
    const place = locate(tree, library.encodeText(path), library, { stay: true })
    const unit = (size: number) =>
      flags.human ? binarySize(size) : String(flags.bytes ? size : Math.ceil(size / 1024))
    const usages = library.treeUsage(tree, {
      from: place.path,
      ino: place.ino,
      files: flags.all,
      maxDepth: flags.summarize ? 0 : flags['max-depth'],
    })
    for (const { path: at, ...usage } of usages) {
      if (this.jsonEnabled()) await this.tell({ ...pathFields(at, library), ...usage })
      else {
        const size = flags.bytes || flags['apparent-size'] ? usage.apparent : usage.stored
        this.print(`${flags.inodes ? usage.inodes : unit(size)}\t/${library.displayText(at)}`)
        if (this.output.full) await this.output.room()
      }
    }
    this.toldAll()
    return undefined
  }

  async #waste(
    image: string,
    path: string | undefined,
    { top = 20, by, range }: { top?: number | undefined; by?: WasteGrouping | undefined; range?: string | undefined },
  ): Promise<object> {
    if (path !== undefined) throw new UsageError('--waste is about all of an image: leave the path out')
    const library = await this.library()
    const stack = await this.stack(image)
    const last = Math.max(0, stack.layers.length - 1)
    const squash = rangeOf(range, last)
    const found = await library.waste(stack, this.operation)
    const packageOf = by === 'package' ? library.packagesOf(library.mergedTree(stack)) : undefined
    const groups = by === undefined ? undefined : library.groupWaste(found.files, by, packageOf).slice(0, top)
    const asked = { ...squash, top, ...(groups && { groups }) }
    await this.printAll(wasteLines(found, asked, library))
    return wasteValue(found, asked, library)
  }
}

function rangeOf(text: string | undefined, last: number): { readonly from: number; readonly to: number } {
  if (text === undefined) return { from: 0, to: last }
  const match = /^(\d{1,6})\.\.(\d{1,6})$/.exec(text)
  const [from, to] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || from > to || to > last)
    throw new UsageError(`--range: write A..B, two of the layers 0 (the base) to ${last}, not ${text}`)
  return { from, to }
}
