import { LayerIndexer } from '../../../src/layer/index.ts'
import { dir, file, gone, link, opaque, symlink, withXattrs } from '../../layer/parts.ts'
import { archive, member } from '../../tar/raw.ts'
import { foldAlone, viewOf } from '../oracle/index-walk.ts'
import { sparseSeeds } from './sparse.ts'
import { tarSeeds } from './tars.ts'

/** Indexes of layers and of trees: all there is in the format, and more than one page of it. */
export async function indexSeeds(): Promise<readonly Buffer[]> {
  const tars = [...tarSeeds(), ...sparseSeeds().slice(-3), everything(), wide()]
  const indexes: Buffer[] = []
  for (const tar of tars) {
    const index = await indexOf(tar).catch(() => undefined)
    if (index === undefined) continue
    indexes.push(index)
    const folded = await foldAlone(() => viewOf(index, tar), ['PLY_BAD_LAYER', 'PLY_UNREPRESENTABLE'])
    if (folded.value !== undefined && indexes.length % 8 === 0) indexes.push(folded.value.bytes)
  }
  return indexes
}

async function indexOf(tar: Uint8Array): Promise<Buffer> {
  const indexer = new LayerIndexer()
  indexer.push(tar)
  const chunks: Buffer[] = []
  await indexer.finish().writeIndex({ write: (chunk) => void chunks.push(Buffer.from(chunk)) })
  return Buffer.concat(chunks)
}

function everything(): Buffer {
  const shared = { 'user.shared': 's'.repeat(30), 'trusted.overlay.opaque': 'y' }
  return archive(
    withXattrs(shared, dir('d')),
    withXattrs(
      { ...shared, 'user.own': 'x'.repeat(700), 'system.posix_acl_access': '\x02\0\0\0' },
      file('d/f', 'text'),
    ),
    ...Array.from({ length: 30 }, (_, i) => file(`d/${'n'.repeat(30)}${i}`, 'x')),
    ...Array.from({ length: 4 }, (_, i) => dir(`d/sub${i}`)),
    symlink('l', 't'.repeat(90)),
    link('h', 'd/f'),
    link('below', 'not/in/this/layer'),
    link('d/below', 'nor/this'),
    gone('w'),
    gone('g/h/i'),
    opaque('o'),
    member({ name: 'c', type: '3', major: 5, minor: 1 }),
    member({ name: 'zero', type: '3' }),
    member({ name: 'fifo', type: '6', mtime: '77777777777' }),
    file('big', 'y'.repeat(70_000)),
  )
}

function wide(): Buffer {
  return archive(...Array.from({ length: 700 }, (_, i) => file(`w/${'name'.repeat(8)}${i}`)))
}
