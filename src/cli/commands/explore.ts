import { writeFile } from 'node:fs/promises'
import type { ReadStream, WriteStream } from 'node:tty'
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { treeArg, treeForms } from '../arguments.ts'
import type { Explorable } from '../library.ts'
import { LookCommand } from '../look-command.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'
import { UsageError } from '../usage-error.ts'

export class Explore extends LookCommand {
  static override summary = 'Show an image, or two and what differs, in a browser or on the terminal.'
  static override description =
    'The page is one file that holds everything and fetches nothing: layers with their instructions, a map of sizes, the tree with the layer of each file in colour, the story of each path, what is held in vain, and for two trees their difference. It is written to a file, or served on the loopback address until Ctrl-C with --serve. With --tui the same of one tree on the terminal, with the keys of dive.'
  static override examples = [
    { description: 'An image, as a file', command: 'ply explore debian:12 -o debian.html' },
    { description: 'Two images and what differs, served to a browser', command: 'ply explore debian:12 app:1 --serve' },
    { description: 'An image on the terminal', command: 'ply explore --tui debian:12' },
  ]
  static override args = {
    tree: treeArg(),
    other: Args.string({ ignoreStdin: true, description: `A second one, to compare. ${treeForms}` }),
  }
  static override flags = {
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'Where the page is written; explore.html unless told, - is stdout.',
    }),
    serve: Flags.boolean({ exclusive: ['output', 'json'], summary: 'Serve it on the loopback address until Ctrl-C.' }),
    tui: Flags.boolean({ exclusive: ['output', 'serve', 'json'], summary: 'On this terminal; ? tells the keys.' }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Explore)
    if (flags.tui) return this.#onTerminal(args.tree, args.other)
    const { explore, explorerPage, servePage } = await this.library()
    const before = await this.#explorable(args.tree)
    const after = args.other === undefined ? undefined : await this.#explorable(args.other)
    const page = await explorerPage(await explore(before, after, this.operation))
    if (flags.serve) {
      const served = this.closing(await servePage(page))
      this.print(served.address)
      await this.output.room()
      this.say('Ctrl-C ends it')
      await new Promise<void>((resolve) => this.world.signal.addEventListener('abort', () => resolve(), { once: true }))
      return undefined
    }
    const output = flags.output ?? 'explore.html'
    if (output === '-') {
      await this.claimStdout({ binary: false, instead: 'name a file with -o' })
      await this.output.write(Buffer.from(page, 'utf8'))
      return undefined
    }
    await writeFile(output, page)
    this.print(output)
    return { output, size: Buffer.byteLength(page) }
  }

  async #onTerminal(name: string, other: string | undefined): Promise<undefined> {
    if (other !== undefined) throw new UsageError('--tui shows one tree: leave the second one out')
    const { stdin, stdinIsTerminal, stdout, signal, environment } = this.world
    if (!stdinIsTerminal || !this.output.isTerminal || environment.TERM === 'dumb')
      throw new UsageError('--tui needs a terminal, on stdin and on stdout; without one: ply explore TREE -o FILE')
    const { explore, exploreInTerminal, PlyError } = await this.library()
    const { before } = await explore(await this.#explorable(name), undefined, this.operation)
    const colours = (environment.NO_COLOR ?? '') === ''
    await exploreInTerminal(before, { input: stdin as ReadStream, output: stdout as WriteStream, signal, colours })
    if (signal.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
    return undefined
  }

  /** With its layers where they are known; of `debian:12@3` those up to layer 3. */
  async #explorable(name: string): Promise<Explorable> {
    const { PlyError, splitLayer, splitReference } = await this.library()
    const { reference, layer } = splitLayer(await this.named(name))
    const { transport } = splitReference(reference)
    if (['container', 'rootfs', 'upper'].includes(transport)) return { name, tree: await this.tree(name) }
    const stack = await this.stack(reference)
    if (layer === undefined) return { name, stack }
    const last = stack.layers.length - 1
    if (layer > last)
      throw new PlyError('PLY_USAGE', { reason: `there is no layer ${layer}: they are numbered from 0 to ${last}` })
    const { image, memory, layers } = stack
    return { name, stack: { image, memory, layers: layers.slice(0, layer + 1), close: () => stack.close() } }
  }
}
