import { humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { table } from '../table.ts'

export class Df extends StoreCommand {
  static override summary = 'Show what the store occupies.'
  static override description =
    'Blobs and uppers are yours; caches can be deleted at any time and come back when they are needed.'
  static override examples = [{ description: 'What each part of the store takes', command: 'ply df' }]

  async run() {
    await this.parse(Df)
    const usage = await (await this.store()).usage()
    const parts = [
      ['blobs', usage.blobs],
      ['layer caches', usage.layerCaches],
      ['tree caches', usage.treeCaches],
      ['file digests', usage.fileDigests],
      ['uppers', usage.uppers],
      ['total', usage.total],
    ] as const
    if (this.quiet) this.print(String(usage.total.bytes))
    else {
      await this.printAll(
        table(parts, [
          { header: 'part', of: ([name]) => name },
          { header: 'files', of: ([, part]) => String(part.files), right: true },
          { header: 'size', of: ([, part]) => humanSize(part.bytes), right: true },
        ]),
      )
    }
    return usage
  }
}
