import * as Flags from '@oclif/core/flags'
import { pathArg, placeArg } from '../arguments.ts'
import { pathFields } from '../file-values.ts'
import { LookCommand, streamFlags, treeFlags } from '../look-command.ts'
import { binarySize } from '../sizes.ts'
import { locate, pathIn } from '../tree-paths.ts'

export class Du extends LookCommand {
  static override summary = 'Show what directories of a tree take.'
  static override description =
    'As du(1): units of 1024 bytes that contents take where they lie, without holes, each inode counted once; a directory itself takes nothing.'
  static override examples = [
    { description: 'The upper two levels', command: 'ply du debian:12 / -h -d 2' },
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
    ...treeFlags,
    ...streamFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Du)
    const library = await this.library()
    const { tree, path } = await this.place(args.tree, args.path)
    const place = locate(tree, library.encodeText(path), library, { stay: true })
    const unit = (size: number) =>
      flags.human ? binarySize(size) : String(flags.bytes ? size : Math.ceil(size / 1024))
    const usages = library.treeUsage(tree, {
      from: pathIn(tree, place),
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
  }
}
