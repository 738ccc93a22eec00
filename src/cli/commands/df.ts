import * as Flags from '@oclif/core/flags'
import { countOf, humanSize } from '../sizes.ts'
import { StoreCommand } from '../store-command.ts'
import { type Column, shortId, table } from '../table.ts'

/** What every row of images, layers and containers has. */
interface Row {
  readonly logical?: number
  readonly stored: number
  readonly shared: number
  readonly exclusive: number
}

export class Df extends StoreCommand {
  static override summary = 'Show what the store occupies, and what for.'
  static override description =
    `Blobs and uppers are yours; caches can be deleted at any time and come back when they are needed.

Sizes are what the disk has allocated. What an image or a container stores is shared if another one needs it too, and exclusive if removing it and collecting frees it. The exclusive sizes of all rows, what is shared (once), what can be reclaimed and what the store takes for itself add up to the total. The logical size is what the files of an image or a container show, and of a layer, what its tar has.`
  static override examples = [
    { description: 'What each part of the store takes', command: 'ply df' },
    { description: 'Which image, layer or container takes it', command: 'ply df -v' },
  ]
  static override flags = {
    verbose: Flags.boolean({ char: 'v', summary: 'Also each image, layer and container; their files are counted.' }),
  }

  async run() {
    const { flags } = await this.parse(Df)
    const verbose = flags.verbose ?? false
    const found = await (await this.store()).accounting({ logical: verbose, ...this.operation })
    if (this.quiet) {
      this.print(String(found.total.bytes))
      return found
    }
    const { store, images, layers, containers } = found
    const parts = [
      ['blobs', found.blobs],
      ['layer caches', found.layerCaches],
      ['tree caches', found.treeCaches],
      ['file digests', found.fileDigests],
      ['uppers', found.uppers],
      ['records', found.records],
      ['total', found.total],
    ] as const
    await this.printAll(
      table(parts, [
        { header: 'part', of: ([name]) => name },
        { header: 'files', of: ([, part]) => String(part.files), right: true },
        { header: 'size', of: ([, part]) => humanSize(part.bytes), right: true },
      ]),
    )
    const exclusive = (rows: readonly Row[]) => rows.reduce((sum, row) => sum + row.exclusive, 0)
    const uses = [
      [`${countOf(images.length, 'image')}, each alone`, exclusive(images)],
      [`${countOf(containers.length, 'container')}, each alone`, exclusive(containers)],
      ['shared among them', store.shared],
      ['reclaimable: ply gc frees it', store.reclaimable],
      ['the store itself', found.overhead],
      ['total', found.total.bytes],
    ] as const
    this.print('')
    await this.printAll(
      table(uses, [
        { header: 'needed by', of: ([name]) => name },
        { header: 'size', of: ([, bytes]) => humanSize(bytes), right: true },
      ]),
    )
    if (!verbose) return found
    await this.#rows(images, [
      { header: 'image', of: ({ names }) => names[0] ?? '<none>' },
      { header: 'names', of: ({ names }) => String(names.length), right: true },
      { header: 'digest', of: ({ digest }) => shortId(digest, false) },
    ])
    await this.#rows(layers, [
      { header: 'layer', of: ({ diffId }) => shortId(diffId, false) },
      { header: 'images', of: (layer) => String(layer.images), right: true },
    ])
    await this.#rows(containers, [
      { header: 'container', of: ({ name }) => name },
      { header: 'snapshots', of: ({ snapshots }) => String(snapshots), right: true },
      { header: 'written', of: ({ written }) => humanSize(written), right: true },
    ])
    return found
  }

  async #rows<T extends Row>(rows: readonly T[], columns: readonly Column<T>[]): Promise<void> {
    if (rows.length === 0) return
    const size = (header: string, of: (row: T) => number | undefined): Column<T> => ({
      header,
      of: (row) => {
        const bytes = of(row)
        return bytes === undefined ? '?' : humanSize(bytes)
      },
      right: true,
    })
    this.print('')
    await this.printAll(
      table(rows, [
        ...columns,
        size('logical', (row) => row.logical),
        size('stored', (row) => row.stored),
        size('shared', (row) => row.shared),
        size('exclusive', (row) => row.exclusive),
      ]),
    )
  }
}
