import type { ByteSink } from '../stream/bytes.ts'
import type { WriteOptions } from './builder.ts'
import type { IndexContent } from './content.ts'

export async function writeIndex(content: IndexContent, into: ByteSink, options: WriteOptions): Promise<void> {
  void content
  void into
  void options
  throw new Error('being written')
}
