import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { WritableUnion } from '../union/union.ts'
import type { WritableBytes } from '../union/upper.ts'

/** One opening of a file. Who writes may have to leave set-id bits to it or take them, and that may change from write to write. */
export class OpenFile {
  readonly ino: number
  readonly #union: WritableUnion | undefined
  #content: Bytes
  readonly #writable: boolean
  /** Leaves set-id bits as they are. */
  #plain: WritableBytes | undefined
  /** Takes them. */
  #killing: WritableBytes | undefined

  private constructor(
    ino: number,
    union: WritableUnion | undefined,
    content: Bytes,
    writers: { readonly plain?: WritableBytes; readonly killing?: WritableBytes } | undefined,
  ) {
    this.ino = ino
    this.#union = union
    this.#content = content
    this.#writable = writers !== undefined
    this.#plain = writers?.plain
    this.#killing = writers?.killing
  }

  static forReading(tree: Tree, ino: number): OpenFile {
    return new OpenFile(ino, undefined, tree.open(ino), undefined)
  }

  /** @param kill how it will most likely be written. */
  static forWriting(
    union: WritableUnion,
    ino: number,
    { kill, truncate }: { readonly kill: boolean; readonly truncate: boolean },
  ): OpenFile {
    return OpenFile.written(union, ino, union.writer(ino, { killSetId: kill, truncate }), kill)
  }

  /** A file that is open for writing already. */
  static written(union: WritableUnion, ino: number, writer: WritableBytes, kill: boolean): OpenFile {
    return new OpenFile(ino, union, writer, kill ? { killing: writer } : { plain: writer })
  }

  get content(): Bytes {
    return this.#content
  }

  /** Its content for writing, if it is open so. */
  get anyWriter(): WritableBytes | undefined {
    return this.#plain ?? this.#killing
  }

  /** @throws EBADF where it is open for reading alone. */
  writer(kill: boolean): WritableBytes {
    if (!this.#writable || !this.#union) throw new PlyError('EBADF')
    if (kill) return (this.#killing ??= this.#union.writer(this.ino, { killSetId: true }))
    return (this.#plain ??= this.#union.writer(this.ino))
  }

  close(): void {
    try {
      this.#content.close()
    } finally {
      this.#plain?.close()
      this.#killing?.close()
    }
  }
}
