/** What the tests use of it: the package comes without types. */
declare module 'archiver' {
  import type { Stats } from 'node:fs'
  import type { Readable } from 'node:stream'

  interface EntryData {
    readonly name: string
    readonly mode?: number
    readonly date?: Date
    readonly stats?: Pick<Stats, 'size' | 'isFile' | 'isDirectory'>
  }

  export class TarArchive extends Readable {
    constructor(options?: { readonly gzip?: boolean })
    append(source: Readable | Buffer, data: EntryData): this
    symlink(path: string, target: string, mode?: number): this
    finalize(): Promise<void>
  }
}
