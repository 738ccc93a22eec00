import * as Flags from '@oclif/core/flags'
import { treeArg } from '../arguments.ts'
import { ChangeSummary, changeLine, changeValue } from '../change-lines.ts'
import { configLines, layerLines, layerValues } from '../image-differences.ts'
import type { Aspect, Change, Renamed, Tree } from '../library.ts'
import { LookCommand, streamFlags } from '../look-command.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'
import { UsageError } from '../usage-error.ts'

/** What `--ignore` takes, in words of the command line. */
const ignorable: Readonly<Record<string, Aspect>> = {
  times: 'mtime',
  owner: 'owner',
  mode: 'mode',
  xattrs: 'xattrs',
  links: 'links',
  content: 'content',
}

export class Diff extends LookCommand {
  static override summary = 'Compare two trees, or two images.'
  static override description =
    'One line a path, from the first tree to the second: A added, C changed, D deleted (with everything under it), R renamed. With --config what two images say of themselves, with --layers their layers side by side and why those differ: compression, dialect (the same in another form of archive), order, metadata, content. Exit code 0 if they are equal, 1 if they differ, more if they cannot be compared.'
  static override examples = [
    { description: 'Two images', command: 'ply diff debian:12 debian:hello' },
    {
      description: 'An image in the store against an archive',
      command: 'ply diff debian:12 docker-archive:debian.tar',
    },
    {
      description: 'What another tool has written over an image',
      command: 'ply diff debian:12 upper:/var/tmp/diff@debian:12',
    },
    { description: 'What a layer changed', command: 'ply diff debian:12@1 debian:12@2 --renames --stat' },
    { description: 'What was edited, line by line', command: 'ply diff debian:12 container:work -p' },
    { description: 'Why a rebuilt image is not the same', command: 'ply diff app:1 app:2 --layers' },
  ]
  static override args = { before: treeArg(), after: treeArg() }
  static override flags = {
    renames: Flags.boolean({ char: 'M', summary: 'Find files that were only moved, by their content.' }),
    ignore: Flags.string({
      helpValue: 'WHAT,…',
      summary: `What counts as no difference: ${Object.keys(ignorable).join(', ')}.`,
    }),
    stat: Flags.boolean({ summary: 'How much changed, and what it was, in place of the paths.' }),
    patch: Flags.boolean({
      char: 'p',
      exclusive: ['stat', 'name-only', 'quiet'],
      summary: 'What changed in text files and symlinks, as git writes it: git apply and patch -p1 take it.',
    }),
    'name-only': Flags.boolean({ exclusive: ['stat'], summary: 'Paths alone, without letters in front.' }),
    config: Flags.boolean({
      exclusive: ['layers', 'stat', 'patch', 'renames', 'name-only', 'ignore'],
      summary: 'Of two images: config, annotations and history.',
    }),
    layers: Flags.boolean({
      exclusive: ['stat', 'patch', 'renames', 'name-only', 'ignore'],
      summary: 'Of two images: the layers side by side, by diffID and instruction, and why they differ.',
    }),
    nanoseconds: Flags.boolean({ summary: 'Compare times to the nanosecond, not to the second.' }),
    'directory-times': Flags.boolean({ summary: 'A directory of which only the time differs counts as changed.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
    ...streamFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Diff)
    if (flags.config) return this.#config(args.before, args.after, flags.platform)
    if (flags.layers) return this.#layers(args.before, args.after)
    const library = await this.library()
    const [before, after] = await this.trees(args.before, args.after)
    const { nanoseconds, 'directory-times': directoryTimes } = flags
    const ignore = ignored(flags.ignore)
    const options = { nanoseconds, directoryTimes, ignore, ...this.operation }
    const plain = library.diff(before, after, options)
    const summary = new ChangeSummary()
    for await (const change of flags.renames ? library.withRenames(plain, before, after, options) : plain) {
      this.negative = true
      if (flags.stat) summary.add(change)
      else if (flags.patch) await this.#patch(change, before, after)
      else if (this.jsonEnabled()) await this.tell(changeValue(change, library))
      else if (this.quiet) break
      else
        await this.printAll([
          flags['name-only'] ? `/${library.displayText(change.bytes)}` : changeLine(change, library),
        ])
    }
    if (flags.stat) {
      if (this.negative && !this.quiet) await this.printAll(summary.lines())
      return summary.value
    }
    this.toldAll()
    return undefined
  }

  /** Of what no patch can tell a line that every reader of patches passes over. */
  async #patch(change: Change | Renamed, before: Tree, after: Tree): Promise<void> {
    const library = await this.library()
    const patch = await library.patchOf(change, before, after, this.operation)
    if (this.jsonEnabled()) return this.tell({ ...changeValue(change, library), patch: library.decodeText(patch) })
    if (patch !== '') return this.output.write(Buffer.from(patch, 'latin1'))
    const changed = change.kind === 'modify' ? ` ${change.changed.join(',')}` : ''
    this.print(`# ${changeLine(change, library)}${changed}`)
  }

  async #config(before: string, after: string, platform: string | undefined): Promise<unknown> {
    const library = await this.library()
    const differences = library.compareImages(await this.image(before, platform), await this.image(after, platform))
    this.negative = differences.length > 0
    if (!this.quiet) await this.printAll(configLines(differences, library))
    return differences
  }

  async #layers(before: string, after: string): Promise<unknown> {
    const library = await this.library()
    const [x, y] = [await this.stack(before), await this.stack(after)]
    const pairs = await library.compareLayers(x, y, this.operation)
    this.negative = pairs.some(({ same }) => !same)
    if (!this.quiet) await this.printAll(layerLines(pairs, x, y, library))
    return layerValues(pairs, x, y)
  }
}

function ignored(text: string | undefined): ReadonlySet<Aspect> | undefined {
  if (text === undefined) return undefined
  const aspects = new Set<Aspect>()
  for (const word of text.split(',')) {
    if (!Object.hasOwn(ignorable, word))
      throw new UsageError(`--ignore takes ${Object.keys(ignorable).join(', ')}, with commas between them, not ${word}`)
    aspects.add(ignorable[word]!)
  }
  return aspects
}
