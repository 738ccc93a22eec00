import type { ByteString } from '../model/bytes.ts'
import type { AttributeChange, Creation, Standing } from '../union/upper.ts'

/**
 * Where the content of a file of the portable form is.
 *
 * - `none`: not a file, or only attributes were copied up.
 * - `fresh`: in `inodes/<number>`; a file that is missing there is empty (it is made by the first write).
 * - `blocks`: some blocks in `extents/<number of the inode>.data`, the rest below; it was durable before the record was written.
 * - `kept`: in `inodes/<number>`, and was durable before the record was written: if it is missing, the upper is damaged.
 */
export type Content =
  | { readonly is: 'none' }
  | { readonly is: 'blocks' }
  | { readonly is: 'fresh'; readonly number: number }
  | { readonly is: 'kept'; readonly number: number }

export const noContent: Content = { is: 'none' }
export const inBlocks: Content = { is: 'blocks' }

/** Content that has a file of its own in `inodes/`. */
export type FiledContent = Content & { readonly number: number }

export function isFiled(content: Content): content is FiledContent {
  return content.is === 'fresh' || content.is === 'kept'
}

/** A whole inode as a record tells it. */
export interface InodeFacts extends Creation {
  readonly ino: number
  readonly content: Content
  readonly redirect?: ByteString
}

/** One change of an upper in the portable form: what one record of the log says (docs/upper-format.md). */
export type Change =
  /** An inode with its first name: made, copied up, or found again by compaction. */
  | { readonly does: 'place'; readonly directory: number; readonly name: ByteString; readonly inode: InodeFacts }
  /** What the root is like: compaction writes it. */
  | { readonly does: 'root'; readonly inode: InodeFacts }
  | { readonly does: 'content'; readonly ino: number; readonly content: Content }
  | { readonly does: 'link'; readonly directory: number; readonly name: ByteString; readonly ino: number }
  | {
      readonly does: 'rename'
      readonly directory: number
      readonly name: ByteString
      readonly toDirectory: number
      readonly toName: ByteString
      readonly leave: 'nothing' | 'whiteout'
      readonly redirect?: ByteString
      readonly opaque: boolean
    }
  /** Two names change places; `first` and `second` are where what stands at them afterwards has its lower part. */
  | {
      readonly does: 'exchange'
      readonly directory: number
      readonly name: ByteString
      readonly toDirectory: number
      readonly toName: ByteString
      readonly first: Standing
      readonly second: Standing
    }
  | { readonly does: 'forget'; readonly directory: number; readonly name: ByteString }
  | { readonly does: 'whiteout'; readonly directory: number; readonly name: ByteString }
  | { readonly does: 'opaque'; readonly directory: number }
  | { readonly does: 'attributes'; readonly ino: number; readonly change: AttributeChange }
  | { readonly does: 'xattr'; readonly ino: number; readonly name: ByteString; readonly value: Uint8Array | undefined }
  /** The next free numbers; ends what a compaction wrote. */
  | { readonly does: 'counters'; readonly nextInode: number; readonly nextContent: number }
  /** Everything before this record was on the disk when it was written: what does not fit there is damage, not a crash. */
  | { readonly does: 'synced'; readonly position: number }
