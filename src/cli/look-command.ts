import type { Interfaces } from '@oclif/core'
import * as Flags from '@oclif/core/flags'
import { jsonLine } from './json.ts'
import type { LayerStack } from './library.ts'
import { registryFlags } from './registry-flags.ts'
import { requireFlags } from './signature-flags.ts'
import { StoreCommand } from './store-command.ts'

/** Which tree of an image a command looks at. */
export const treeFlags = {
  layer: Flags.integer({
    min: 0,
    helpValue: 'N',
    summary: 'The tree as it is once layer N is stacked, 0 being the base; for an image in the store also NAME@N.',
  }),
  alone: Flags.boolean({
    summary: 'Only what that layer has itself, whiteouts as .wh.NAME; without --layer the top one.',
  }),
  platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
  ...registryFlags,
  ...requireFlags,
}

/** For questions that headers answer. */
export const unverifiedFlags = {
  unverified: Flags.boolean({
    summary:
      'Of layers that lie uncompressed in an archive or a layout read headers alone, and verify nothing: fast, and only for files that you trust. Owners are numbers then.',
  }),
}

/** For answers that may be long. */
export const streamFlags = {
  ndjson: Flags.boolean({ exclusive: ['json'], summary: 'As --json, but one value a line.' }),
}

/** What oclif's parser makes of flags and arguments. */
type Parsed = Record<string, unknown>

interface LookFlags {
  readonly layer?: number | undefined
  readonly alone?: boolean | undefined
  readonly platform?: string | undefined
  readonly unverified?: boolean | undefined
}

/** What the commands share that look into trees: at which layer, and answers as long as they may be, told while they are found. */
export abstract class LookCommand extends StoreCommand {
  #asked: LookFlags = {}
  /** The value that was told last, before it is known whether another one follows. */
  #held: string | undefined
  #told = false
  #json: boolean | undefined

  protected override async parse<F extends Parsed, B extends Parsed, A extends Parsed>(
    options?: Interfaces.Input<F, B, A>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse<F, B, A>(options, argv)
    this.#asked = parsed.flags as LookFlags
    return parsed
  }

  override jsonEnabled(): boolean {
    // Asked for every entry of a tree, and always the same.
    this.#json ??= this.lines || super.jsonEnabled()
    return !this.#told && this.#json
  }

  /** Whether each value is a line of its own. */
  protected get lines(): boolean {
    const dashes = this.argv.indexOf('--')
    return (dashes < 0 ? this.argv : this.argv.slice(0, dashes)).includes('--ndjson')
  }

  protected override get whichTree() {
    const { layer, alone, platform, unverified } = this.#asked
    return { layer, alone, platform, verify: unverified !== true }
  }

  /** The layers of an image, by its name in the store or a reference. */
  protected async stack(text: string): Promise<LayerStack> {
    const { openLayers } = await this.library()
    const reference = await this.named(text)
    const store = await this.storeFor(reference)
    const { platform } = this.#asked
    const stack = await openLayers(reference, {
      platform,
      registry: this.registry,
      signatures: await this.required(),
      ...(store && { store }),
      ...this.operation,
    })
    this.atEnd(() => stack.close())
    return stack
  }

  /** One value of many, with `--json` one of an array; nothing otherwise. */
  protected async tell(value: object): Promise<void> {
    if (!this.jsonEnabled()) return
    this.tellLine(jsonLine(value))
    if (this.output.full) await this.output.room()
  }

  /** The same for a value that is JSON already; whoever tells much sees to it that there is room. */
  protected tellLine(line: string): void {
    if (this.lines) this.output.print(line)
    else {
      this.output.print(this.#held === undefined ? '[' : `${this.#held},`)
      this.#held = line
    }
  }

  /** All is told: nothing is left to be printed when the command ends. */
  protected toldAll(): void {
    if (this.jsonEnabled() && !this.lines) {
      if (this.#held === undefined) this.output.print('[]')
      else {
        this.output.print(this.#held)
        this.output.print(']')
      }
    }
    this.#told = true
  }
}
