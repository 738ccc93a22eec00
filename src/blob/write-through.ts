import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { counted, drain, Tally, tee } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import type { BlobStat, BlobStore, Expected } from './blob-store.ts'

/** What `BlobStore.write` promises, over `draft`: the same for every store that has drafts. */
export async function writeThrough(
  store: Pick<BlobStore, 'draft'>,
  content: ByteStream,
  { digest, size }: Expected = {},
  { signal, onProgress }: Operation = {},
): Promise<BlobStat> {
  await using draft = await store.draft()
  const what = digest === undefined ? 'the blob' : `blob ${digest}`
  const input = abortable(content, signal)
  const report = (done: number) =>
    onProgress?.({ what: digest ?? what, done, ...(size !== undefined && { total: size }) })
  const reported = onProgress === undefined ? input : counted(input, report)
  const checked = verified(reported, { digest, size, what })
  if (digest !== undefined) {
    await drain(checked, draft)
    return await draft.commit(digest, { signal })
  }
  const tally = new Tally()
  await drain(tee(checked, tally), draft)
  return await draft.commit(tally.digest(), { signal })
}
