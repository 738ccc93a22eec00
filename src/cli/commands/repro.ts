import * as Flags from '@oclif/core/flags'
import { BuildCommand, buildContextArg, buildFlags } from '../build-command.ts'
import { configLines } from '../image-differences.ts'
import type { DifferentEntry, DifferentStep } from '../library.ts'
import { shortId } from '../table.ts'

export class Repro extends BuildCommand {
  static override summary = 'Build twice, and explain the first difference.'
  static override description =
    'Builds from nothing twice, each time in a store of its own that is gone afterwards; the second time with other times and owners of the files, another umask, time zone and second of the clock, and several stages at once. Says the digest where both give the same; else which step first made something else, in which entry, and what of it. Exit code 0 if they are the same, 1 if they differ, more if one cannot be built.'
  static override examples = [
    { description: 'The Dockerfile of this directory', command: 'ply repro .' },
    { description: 'One stage of it', command: 'ply repro --target app .' },
  ]
  static override args = { context: buildContextArg }
  static override flags = {
    platform: Flags.string({
      helpValue: 'OS/ARCH',
      summary: 'What machine the image is for; this one by default.',
    }),
    ...buildFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Repro)
    const { reproduce } = await this.library()
    const inputs = await this.inputs(flags, args.context)
    const found = await reproduce(await this.store(), { ...inputs, platform: flags.platform })
    if (found.same) {
      this.print(`the same: ${found.digest}`)
      return found
    }
    this.negative = true
    const [before, after] = found.digests
    this.print(`different: ${before} and ${after}`)
    if (found.step !== undefined) for (const line of await this.#stepLines(found.step)) this.print(line)
    else await this.printAll(configLines(found.configuration, await this.library()))
    return { ...found, ...(found.step && { step: { ...found.step, changes: found.step.changes.map(plain) } }) }
  }

  async #stepLines({ stage, step, text, layers, causes, changes, more }: DifferentStep): Promise<string[]> {
    const { displayText } = await this.library()
    const [x, y] = layers.map((layer) => (layer === undefined ? 'no layer' : shortId(layer, false)))
    return [
      `[${stage} ${step}] ${text}`,
      `  layers ${x} and ${y}${causes.length === 0 ? '' : `: ${causes.join(', ')}`}`,
      ...changes.map((change) => `  ${entryLine(change, displayText)}`),
      ...(more ? ['  and more'] : []),
    ]
  }
}

function entryLine(change: DifferentEntry, displayText: (bytes: string) => string): string {
  const path = `/${displayText(change.bytes)}`
  if (change.kind === 'add') return `${path}: only the second time`
  if (change.kind === 'delete') return `${path}: only the first time`
  const { before, after, changed, content } = change
  const aspects = changed.map((aspect) => {
    switch (aspect) {
      case 'content':
        return content === undefined
          ? 'content'
          : `content, at byte ${content.at}: ${JSON.stringify(content.before)} and ${JSON.stringify(content.after)}`
      case 'mode':
        return `mode ${before.mode.toString(8)} and ${after.mode.toString(8)}`
      case 'owner':
        return `owner ${before.uid}:${before.gid} and ${after.uid}:${after.gid}`
      case 'mtime':
        return `mtime ${timeOf(before.mtime)} and ${timeOf(after.mtime)}`
      case 'kind':
        return `${before.kind} and ${after.kind}`
      default:
        return aspect
    }
  })
  return `${path}: ${aspects.join('; ')}`
}

function timeOf(nanoseconds: bigint): string {
  return new Date(Number(nanoseconds / 1_000_000n)).toISOString()
}

/** Without the exact bytes, which JSON has no place for. */
function plain({ bytes: _, ...change }: DifferentEntry): object {
  return change
}
