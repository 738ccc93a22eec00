import * as Flags from '@oclif/core/flags'
import { humanAge } from '../ages.ts'
import { imageArg } from '../arguments.ts'
import { goTemplate, tableHeader } from '../go-template.ts'
import { registryFlags } from '../registry-flags.ts'
import { requireFlags } from '../signature-flags.ts'
import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { aligned, shortId, table } from '../table.ts'

export class History extends StoreCommand {
  static override summary = 'Show the steps in which an image was made, newest first.'
  static override examples = [
    { description: 'What made each layer, in full', command: 'ply history debian:12 --no-trunc' },
    { description: 'Which layer each step made', command: 'ply history debian:12 --layers' },
  ]
  static override args = { image: imageArg() }
  static override flags = {
    'no-trunc': Flags.boolean({ summary: 'Show ids and commands in full.' }),
    layers: Flags.boolean({
      summary: 'Show which layer each step made, counted from the base, and its digest; - for one that made none.',
    }),
    format: Flags.string({
      exclusive: ['json', 'layers', 'quiet'],
      helpValue: 'TEMPLATE',
      summary:
        'A line each by a Go template; a table with its header where it begins with table: table {{.CreatedBy}}\\t{{.Size}}.',
    }),
    platform: Flags.string({ helpValue: 'OS/ARCH', summary: 'Which image of an index.' }),
    ...registryFlags,
    ...requireFlags,
  }

  async run() {
    const { args, flags } = await this.parse(History)
    const { describeImage, displayText, encodeText } = await this.library()
    const image = await this.image(args.image, flags.platform)
    const { id, history, layers } = describeImage(image)
    const steps = history.toReversed()
    const full = flags['no-trunc'] ?? false
    const text = (value: string | undefined, most: number) => {
      const line = displayText(encodeText((value ?? '').replaceAll('\n', ' ')))
      return full || line.length <= most ? line : `${line.slice(0, most - 1)}…`
    }
    let below = layers.length
    const rows = steps.map((step, index) => ({
      step,
      id: index === 0 ? shortId(id, full) : '<missing>',
      layer: step.layer === undefined ? '-' : String(--below),
    }))
    const ofLayers = [
      { header: 'layer', of: ({ layer }: { readonly layer: string }) => layer, right: true },
      {
        header: 'digest',
        of: ({ step: { layer } }: { readonly step: { readonly layer?: string } }) =>
          layer ? shortId(layer, full) : '-',
      },
    ]
    if (flags.format !== undefined) {
      const asTable = tableHeader(flags.format)
      const template = goTemplate(asTable?.template ?? flags.format)
      const lines = rows.map(({ step, id }) =>
        template({
          ID: id,
          CreatedSince: humanAge(step.created),
          CreatedAt: step.created ?? '',
          CreatedBy: text(step.createdBy, 45),
          Size: humanSize(step.size),
          Comment: step.comment ?? '',
          Layer: step.layer ?? '',
        }),
      )
      const all = asTable === undefined ? lines : [asTable.header, ...lines]
      const cells = all.map((line) => line.split('\t'))
      await this.printAll(asTable === undefined ? lines : aligned(cells, () => false))
    } else if (this.quiet) await this.printAll(rows.map((row) => row.id))
    else {
      await this.printAll(
        table(rows, [
          ...(flags.layers ? ofLayers : [{ header: 'image', of: ({ id }: { readonly id: string }) => id }]),
          { header: 'created', of: ({ step }) => humanAge(step.created) },
          { header: 'created by', of: ({ step }) => text(step.createdBy, 45) },
          { header: 'size', of: ({ step }) => humanSize(step.size) },
          { header: 'comment', of: ({ step }) => text(step.comment, 40) },
        ]),
      )
    }
    return steps
  }
}
