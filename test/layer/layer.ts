import { Index } from '../../src/erofs/index.ts'
import { type IndexOptions, LayerIndexer } from '../../src/layer/index-tar.ts'
import { layerView } from '../../src/layer/layer-view.ts'
import type { ImportReport } from '../../src/layer/report.ts'
import type { IndexedView, Verdict } from '../../src/layer/view.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'

export interface ReadLayer {
  readonly view: IndexedView
  readonly report: ImportReport
  readonly index: Buffer
}

/** The index of a tar, built and opened. */
export async function layerOf(tar: Uint8Array, options: IndexOptions = {}, chunkSize = 1 << 16): Promise<ReadLayer> {
  const indexer = new LayerIndexer(options)
  for (let at = 0; at < tar.length; at += chunkSize) indexer.push(tar.subarray(at, at + chunkSize))
  const layer = indexer.finish()
  const chunks: Uint8Array[] = []
  await layer.writeIndex({ write: (chunk) => void chunks.push(chunk) })
  const index = Buffer.concat(chunks)
  const view = layerView(Index.open(memoryBytes(index)), () => memoryBytes(tar))
  return { view, report: layer.findings.report(), index }
}

export function allBytes(bytes: Bytes): Buffer {
  const whole = Buffer.alloc(bytes.size)
  const got = bytes.read(whole, 0)
  bytes.close()
  return whole.subarray(0, got)
}

/**
 * All that a layer says, path by path, as short texts: `whiteout`, `ghost`, `link to a/b`, `file "text"`,
 * `symlink to x`, `character 1:3`, `directory`, with `implied` and `opaque` in front of directories, and `same as` for
 * the second name of an inode. Directories end with a slash; the root is `/`.
 */
export function sayings(view: IndexedView): Record<string, string> {
  const said: Record<string, string> = {}
  const names = new Map<number, string>()
  const tell = (path: string, verdict: Verdict) => {
    switch (verdict.says) {
      case 'nothing':
        throw new Error(`${path} is listed, and nothing is said of it`)
      case 'whiteout':
        said[path] = 'whiteout'
        return
      case 'link':
        said[path] = `link to ${verdict.path}`
        return
      case 'ghost':
        said[`${path}/`] = 'ghost'
        descend(verdict.ino, `${path}/`)
        return
      case 'entry': {
        if (verdict.directory) {
          const flags = `${verdict.opaque ? 'opaque ' : ''}${verdict.implied ? 'implied ' : ''}`
          const { mode, uid } = view.stat(verdict.ino)
          const attributes = mode === 0o755 && uid === 0 ? '' : ` ${mode.toString(8)} ${uid}`
          said[path.endsWith('/') ? path : `${path}/`] = `${flags}directory${attributes}`
          descend(verdict.ino, path.endsWith('/') ? path : `${path}/`)
          return
        }
        const first = names.get(verdict.ino)
        names.set(verdict.ino, first ?? path)
        said[path] = first === undefined ? thing(view, verdict.ino) : `same as ${first}`
      }
    }
  }
  const descend = (directory: number, path: string) => {
    for (const { name, verdict } of view.list(directory)) tell(`${path === '/' ? '' : path}${name}`, verdict)
  }
  tell('/', view.root)
  return said
}

function thing(view: IndexedView, ino: number): string {
  const { kind, size, major, minor, uid } = view.stat(ino)
  const owner = uid === 0 ? '' : ` of ${uid}`
  if (kind === 'file')
    return size === 0 ? `file${owner}` : `file "${allBytes(view.open(ino)).toString('latin1')}"${owner}`
  if (kind === 'symlink') return `symlink to ${view.readlink(ino)}`
  return kind === 'character' || kind === 'block' ? `${kind} ${major}:${minor}` : kind
}
