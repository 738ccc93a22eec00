import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { exportTree } from '../../src/store/trees/export-tree.ts'
import { memoryUpper, union } from '../../src/union/index.ts'

/** A tree of a few files that together are many chunks. */
function tree() {
  const work = union([], memoryUpper())
  const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0n }
  for (let i = 0; i < 6; i++) {
    const writer = work.writer(work.create(work.root, `file-${i}`, { kind: 'file', ...attributes }))
    writer.write(Buffer.alloc(300_000, i + 1), 0)
    writer.close()
  }
  return work
}

describe('the tar of a tree', () => {
  test('comes in chunks that may be kept: what is gathered is what was streamed', async () => {
    const streamed = createHash('sha256')
    const kept: Uint8Array[] = []
    for await (const chunk of exportTree(tree())) {
      streamed.update(chunk)
      kept.push(chunk)
    }
    expect(kept.length).toBeGreaterThan(3)
    expect(createHash('sha256').update(Buffer.concat(kept)).digest('hex')).toBe(streamed.digest('hex'))
  })
})
