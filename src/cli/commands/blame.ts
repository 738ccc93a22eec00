import * as Flags from '@oclif/core/flags'
import { imageArg, requiredArg } from '../arguments.ts'
import { pathFields } from '../file-values.ts'
import type { Blamed, BlameStep, Library } from '../library.ts'
import { LookCommand, streamFlags } from '../look-command.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'
import { binarySize } from '../sizes.ts'
import { table } from '../table.ts'

const deeds = {
  add: 'added',
  modify: 'modified',
  attributes: 'attributes',
  repeat: 'repeated',
  delete: 'deleted',
  inside: 'inside',
  nothing: 'nothing',
} as const satisfies Record<BlameStep['did'], string>

export class Blame extends LookCommand {
  static override summary = 'Show which layers touched a path, what they did, and which instruction it was.'
  static override description =
    'Layers are numbered from the base, 0. attributes: the same content once more, with other attributes; repeated: the same altogether; inside: a directory that the layer only has something in. With -r everything under the path, each with the layer that changed it last. Exit code 1 if no layer knows the path.'
  static override examples = [
    { description: 'The story of a file', command: 'ply blame debian:12 /etc/passwd' },
    { description: 'The layer of every file under a directory', command: 'ply blame debian:12 -r /etc' },
  ]
  static override args = {
    image: imageArg(),
    path: requiredArg('A path in it; symlinks on the way are followed, the last one is not.'),
  }
  static override flags = {
    recursive: Flags.boolean({ char: 'r', charAliases: ['R'], summary: 'Everything under it, too.' }),
    deleted: Flags.boolean({ dependsOn: ['recursive'], summary: 'With -r, also what is not there any more.' }),
    'no-trunc': Flags.boolean({ summary: 'Show instructions in full.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
    ...streamFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Blame)
    const library = await this.library()
    const stack = await this.stack(args.image)
    const path = library.encodeText(args.path)
    const full = flags['no-trunc'] ?? false
    if (!flags.recursive) {
      const blamed = await library.blame(stack, path, { follow: true, ...this.operation })
      this.negative = blamed.steps.length === 0
      if (blamed.steps.length > 0) await this.printAll(story(blamed, full, library))
      else this.say(`no layer of ${args.image} knows ${library.displayText(path)}`)
      return blameValue(blamed, library)
    }
    this.negative = true
    const options = { follow: true, deleted: flags.deleted, ...this.operation }
    for await (const blamed of library.blameBelow(stack, path, options)) {
      this.negative = false
      if (this.jsonEnabled()) await this.tell(blameValue(blamed, library))
      else {
        this.print(lastLine(blamed, library))
        if (this.output.full) await this.output.room()
      }
    }
    this.toldAll()
    return undefined
  }
}

function blameValue({ bytes, path: _, ...rest }: Blamed, library: Library): object {
  return { ...pathFields(bytes, library), ...rest }
}

function story({ path, steps }: Blamed, full: boolean, { displayText, encodeText }: Library): string[] {
  const shown = (text: string) => displayText(encodeText(text))
  const instruction = ({ createdBy = '' }: BlameStep) => {
    const line = shown(createdBy.replaceAll('\n', ' '))
    return full || line.length <= 60 ? line : `${line.slice(0, 59)}…`
  }
  return table(steps, [
    { header: 'layer', of: ({ layer }) => String(layer), right: true },
    { header: 'did', of: ({ did }) => deeds[did] },
    { header: 'by', of: ({ says, at }) => (at === path ? says : `${says} ${shown(at)}`) },
    { header: 'changed', of: ({ changed }) => changed.join(',') },
    { header: 'size', of: ({ after }) => (after?.kind === 'file' ? binarySize(after.size) : ''), right: true },
    { header: 'created by', of: instruction },
  ])
}

/** The layer of the last deed that counts, what it was, and the path. */
function lastLine({ bytes, steps }: Blamed, { displayText }: Library): string {
  const step = steps.findLast(({ did }) => did !== 'inside' && did !== 'nothing') ?? steps.at(-1)
  return `${String(step?.layer ?? '').padStart(5)} ${(step === undefined ? '' : deeds[step.did]).padEnd(10)} /${displayText(bytes)}`
}
