import { append, scratch } from '../../image/append.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import { buildGround } from '../../store/builds/ground.ts'
import type { Store } from '../../store/store.ts'
import { type ByteStream, type Bytes, streamOf } from '../../stream/bytes.ts'
import { decompressed } from '../../stream/compression.ts'
import { TarReader } from '../../tar/index.ts'
import { openSource } from '../../transport/index.ts'
import { throughProgram } from './programs.ts'

/** An archive with more of nothing in its sparse files than this is not unpacked. Bytes. */
const mostHoles = 16 * 2 ** 30

/** Compressions that a program of the system takes away, by how they begin. */
const others = [
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], program: 'xz' },
  { magic: [0x42, 0x5a, 0x68], program: 'bzip2' },
] as const

/**
 * What is in a file that is a tar, plain or compressed (gzip, zstd; xz and bzip2 by their programs); `undefined` for any other file. It
 * is read and checked as a layer is, and lies in the store until the next collection. The caller closes the tree.
 *
 * @throws PLY_BAD_ARCHIVE for one that is cut off; what a layer throws for what it holds
 */
export async function unpacked(
  open: () => Bytes,
  store: Store,
  { signal, onProgress }: Operation = {},
): Promise<Tree | undefined> {
  const operation = { signal, onProgress }
  const first = beginning(open)
  if (first.size < 512 && !isCompressed(first.bytes)) return undefined
  const plain = () => plainStream(open, first.bytes, operation)
  if (!(await beginsAsTar(plain()))) return undefined
  let read = 0
  async function* counted(): ByteStream {
    for await (const chunk of decompressed(plain()).stream) {
      read += chunk.length
      yield chunk
    }
  }
  await using archive = await openSource('tar:-', { input: counted(), ...operation })
  const { layers } = await archive.image(undefined, operation)
  const image = await store[buildGround].keep(append(scratch, layers[0]!), operation)
  const tree = await store.tree(image, operation)
  try {
    checkHoles(tree, read)
    return tree
  } catch (error) {
    tree.close()
    throw error
  }
}

/**
 * Files of a few bytes may say that they are of any size, and all of it would be read and written.
 *
 * @param read bytes of the archive
 * @throws PLY_TOO_LARGE
 */
function checkHoles(tree: Tree, read: number): void {
  const todo = [tree.root]
  const seen = new Set<number>()
  let sum = 0
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    for (const { ino, kind } of tree.list(directory)) {
      if (kind === 'directory') todo.push(ino)
      if (kind !== 'file' || seen.has(ino)) continue
      const { size, links } = tree.stat(ino)
      if (links > 1) seen.add(ino)
      sum += size
    }
  }
  if (sum - read > mostHoles)
    throw new PlyError('PLY_TOO_LARGE', { what: 'the holes of its sparse files', limit: mostHoles })
}

async function* plainStream(open: () => Bytes, first: Uint8Array, operation: Operation): ByteStream {
  const content = open()
  try {
    const other = others.find(({ magic }) => magic.every((byte, at) => first[at] === byte))
    yield* other === undefined
      ? streamOf(content)
      : throughProgram(streamOf(content), other.program, ['-dc'], operation)
  } finally {
    content.close()
  }
}

function isCompressed([a, b]: Uint8Array): boolean {
  return (
    (a === 0x1f && b === 0x8b) ||
    (a === 0x28 && b === 0xb5) ||
    others.some(({ magic }) => magic[0] === a && magic[1] === b)
  )
}

function beginning(open: () => Bytes): { readonly bytes: Uint8Array; readonly size: number } {
  const content = open()
  try {
    const bytes = new Uint8Array(8)
    return { bytes: bytes.subarray(0, content.read(bytes, 0)), size: content.size }
  } finally {
    content.close()
  }
}

/** Whether the first block of what a stream holds is one of a tar. */
async function beginsAsTar(stream: ByteStream): Promise<boolean> {
  let members = 0
  const reader = new TarReader({ member: () => members++ })
  try {
    let read = 0
    for await (const chunk of decompressed(stream).stream) {
      reader.push(chunk)
      read += chunk.length
      // A long name may stand in front of the first member.
      if (members > 0 || read > 1 << 20) break
    }
    return members > 0
  } catch (error) {
    if (
      ['PLY_BAD_LAYER', 'PLY_BAD_COMPRESSION', 'PLY_UNSUPPORTED', 'PLY_NO_ZSTD_ENCODER'].includes(codeOf(error) ?? '')
    )
      return members > 0
    throw error
  }
}
