import * as Flags from '@oclif/core/flags'
import type { Explanation } from '../library.ts'
import { amountOf, countOf, humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'

export class Gc extends StoreCommand {
  static override summary = 'Free what no name, container or snapshot needs.'
  static override description =
    'Caches come back when they are needed; --caches gives up those that were not used for the longest time. Blobs that another tool has written less than --grace seconds ago stay: it may not be done with its image. While a record or a manifest cannot be read no blob is removed, and `ply fsck` says more.'
  static override examples = [
    { description: 'See what would go', command: 'ply gc --dry-run' },
    { description: 'Let it go, and keep no more than 2 GiB of caches', command: 'ply gc --caches 2Gi' },
    { description: 'Forget what was built and not used for a week', command: 'ply gc --builds 604800' },
    { description: 'Why something is still there', command: 'ply gc --explain sha256:6d4b…' },
  ]
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Remove nothing; say what would be removed.' }),
    explain: Flags.string({
      exclusive: ['dry-run', 'caches', 'grace', 'builds'],
      helpValue: 'ID',
      summary:
        'Remove nothing; say what a digest, an upper, a name, a container, a snapshot or a file of the store lives for.',
    }),
    caches: Flags.string({ helpValue: 'SIZE', summary: 'What caches may take, such as 500M or 2Gi.' }),
    builds: Flags.integer({
      helpValue: 'SECONDS',
      min: 0,
      summary: 'Forget what builds have made and nobody has used for so long; 0 for all of it.',
    }),
    grace: Flags.integer({
      helpValue: 'SECONDS',
      min: 0,
      summary: 'For how long blobs of other tools stay; an hour by default.',
    }),
  }

  async run() {
    const { flags } = await this.parse(Gc)
    const store = await this.store()
    if (flags.explain !== undefined) {
      const found = await store.explain(flags.explain, this.operation)
      await this.printAll(found.flatMap(linesOf))
      return found
    }
    const caches = flags.caches === undefined ? undefined : amountOf(flags.caches)
    if (flags.caches !== undefined && caches === undefined) {
      const { PlyError } = await this.library()
      throw new PlyError('PLY_USAGE', {
        reason: `--caches ${flags.caches} is no size: write a number such as 500M or 2Gi`,
      })
    }
    const dryRun = flags['dry-run'] ?? false
    // What was killed holds containers, and they hold the rest.
    if (!dryRun) await (await this.library()).clearAbandoned(store)
    const collected = await store.collect({
      dryRun,
      caches,
      grace: flags.grace,
      builds: flags.builds,
      ...this.operation,
    })
    await this.printAll(collected.blobs)
    if (!this.quiet) await this.printAll(collected.files)
    for (const what of [...collected.unreadable, ...collected.records])
      this.say(`${what} cannot be read: what it needs is kept; see ply fsck`)
    if (collected.kept.length > 0)
      this.say(
        `kept for a while: ${countOf(collected.kept.length, 'blob')} that another tool has written; --grace 0 frees them`,
      )
    if (collected.open.length > 0)
      this.say(`kept with what they need, since somebody has them open: ${countOf(collected.open.length, 'cache')}`)
    this.say(`${dryRun ? 'would free' : 'freed'} ${humanSize(collected.freed)}`)
    return collected
  }
}

/** The thing, and under it each step up to what the user named or made. */
function linesOf({ thing, chains }: Explanation): string[] {
  if (chains.length === 0) return [thing, '  nothing needs it: the next ply gc removes it']
  const lineOf = ({ holder, as }: Explanation['chains'][number][number], at: number) =>
    `${'  '.repeat(at + 1)}${holder === 'you' ? `you made this ${as}: it stays until you remove it` : `${as} of ${holder}`}`
  return [thing, ...chains.flatMap((chain) => chain.map(lineOf))]
}
