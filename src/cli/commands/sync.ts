import * as Flags from '@oclif/core/flags'
import { pathArg, requiredArg } from '../arguments.ts'
import { ImageCommand } from '../image-command.ts'
import type { SyncStep } from '../library.ts'
import { registryFlags } from '../registry-flags.ts'
import { smallFile } from '../secret.ts'
import { requireFlags } from '../signature-flags.ts'

/** Bytes. */
const longestList = 16 << 20

export class Sync extends ImageCommand {
  static override summary = 'Take the images of a list to another place, and leave alone what is there already.'
  static override description =
    'A list has lines of REFERENCE [TARGET], with # before what is no entry; a tag of docker:// may hold * and ?. The list of skopeo sync --src yaml is read too, written as JSON, which YAML includes: {"HOST": {"images": {"NAME": ["TAG"]}, "images-by-tag-regex": {"NAME": "REGEX"}}}. Indexes come with all their images, digests are kept. What has no target of its own goes to the second argument under the name it has, without its registry unless --scoped. What is there with the same digest is not transferred again.'
  static override examples = [
    {
      description: 'What would be copied into another registry',
      command: 'ply sync images.txt docker://mirror.example.com/copies --dry-run',
    },
    { description: 'Into the store, as much as can be had', command: 'ply sync images.txt --keep-going' },
  ]
  static override args = {
    list: requiredArg('A file; - for stdin.'),
    target: pathArg('docker://HOST[/PREFIX] or oci:DIR; the store by default.'),
  }
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Only say what would be copied.' }),
    'keep-going': Flags.boolean({ summary: 'Go on after a failure; the first one is told again at the end.' }),
    scoped: Flags.boolean({ summary: 'Names at the target begin with the registry that an image came from.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'One image of each index, not all of it.' }),
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(Sync)
    const { parseSyncList, splitReference, sync } = await this.library()
    const { 'dry-run': dryRun, 'keep-going': keepGoing, scoped, platform } = flags
    const entries = parseSyncList(await this.#list(args.list), args.list)
    const steps: SyncStep[] = []
    const options = { dryRun, keepGoing, scoped, platform, target: args.target, registry: this.registry }
    const isHere = (reference: string) => splitReference(reference).transport === 'store'
    const needsStore = entries.some(({ from, to = args.target }) => to === undefined || isHere(to) || isHere(from))
    const store = needsStore ? await this.store() : undefined
    for await (const step of sync(entries, {
      ...options,
      store,
      signatures: await this.required(),
      ...this.operation,
    })) {
      steps.push(step)
      const { state, from, to, digest, error } = step
      if (state === 'failed') this.say(`${from}: ${(error as Error).message}`)
      else if (!this.quiet) this.print(`${dryRun && state === 'copied' ? 'would copy' : state} ${from} ${to} ${digest}`)
    }
    const failed = steps.find(({ state }) => state === 'failed')
    if (failed !== undefined) throw failed.error
    return steps
  }

  async #list(path: string): Promise<Uint8Array> {
    if (path !== '-') return smallFile(path, longestList)
    const chunks: Uint8Array[] = []
    for await (const chunk of this.world.stdin) chunks.push(chunk as Uint8Array)
    return Buffer.concat(chunks)
  }
}
