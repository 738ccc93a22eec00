import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

/**
 * What was written at a path instead of what the tree says, where the host took less (layer-semantics O-04). Only what
 * differs is there. With it and the tree, a directory can be read back as the tree that it stands for (O-05).
 */
export interface Written {
  /** From the root, without a leading slash; '' is the root. */
  readonly path: ByteString
  /** An empty file stands for a device or a fifo. */
  readonly placeholder?: boolean
  readonly owner?: readonly [uid: number, gid: number]
  /** The low 12 bits. */
  readonly mode?: number
  /** Nanoseconds since the epoch. */
  readonly mtime?: bigint
  /** Names of the attributes that were left out. */
  readonly xattrs?: readonly ByteString[]
}

/** One line of text, newline included. Byte strings become text of one character a byte. */
export function encodeWritten({ mtime, ...rest }: Written): string {
  return `${JSON.stringify(mtime === undefined ? rest : { ...rest, mtime: String(mtime) })}\n`
}

/** The reverse, for many lines. @throws PLY_BAD_DOCUMENT */
export function decodeWritten(lines: string): Written[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const { mtime, ...rest } = JSON.parse(line) as Omit<Written, 'mtime'> & { mtime?: string }
        if (typeof rest.path !== 'string') throw new TypeError('a line without a path')
        return mtime === undefined ? rest : { ...rest, mtime: BigInt(mtime) }
      } catch (cause) {
        throw new PlyError(
          'PLY_BAD_DOCUMENT',
          { what: 'the record of what was written', reason: 'a line of it makes no sense; extract the tree again' },
          { cause },
        )
      }
    })
}
