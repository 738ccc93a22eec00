import fs from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { slice } from '../stream/bytes.ts'
import { endMarker, paddingOf } from '../tar/index.ts'
import { openFile } from './file.ts'
import type { Outgoing } from './outgoing.ts'
import type { StagedFile, Writing } from './staged-file.ts'

/**
 * Writes the members of an outer archive. Names are ours: short, ASCII. Owners and times are zero, so the same content
 * gives the same archive.
 */
export class ArchiveWriter {
  readonly #file: StagedFile

  constructor(file: StagedFile) {
    this.#file = file
  }

  /** Where the next member starts, in bytes. */
  get position(): number {
    return this.#file.position
  }

  async directory(name: string): Promise<void> {
    await this.#file.write(await header(name, 'directory', 0))
  }

  async bytes(name: string, content: Uint8Array): Promise<void> {
    await this.#file.write(await header(name, 'file', content.length))
    await this.#file.write(content)
    await this.#pad(content.length)
  }

  /** Answers the size, which shows only when the content has passed, unless that lies at rest. */
  async member(name: string, content: Outgoing, writing: Writing): Promise<number> {
    const start = this.position
    const total = content.is === 'at rest' ? content.bytes.size : undefined
    await this.#file.write(await header(name, 'file', total ?? 0))
    const size = await this.#file.writeOutgoing(content, { ...writing, total })
    if (size !== total) await this.#file.patch(await header(name, 'file', size), start)
    await this.#pad(size)
    return size
  }

  async end(): Promise<void> {
    await this.#file.write(endMarker)
  }

  async #pad(size: number): Promise<void> {
    await this.#file.write(Buffer.alloc(paddingOf(size)))
  }
}

/** One header block, whatever the size: tar-stream writes large ones in base 256, never with a block more. */
async function header(name: string, type: 'file' | 'directory', size: number): Promise<Uint8Array> {
  // Loaded only by who writes an archive: it takes longer to load than most commands run.
  const { pack } = await import('tar-stream')
  const frame = pack()
  frame.entry({ name, type, size, mode: type === 'file' ? 0o644 : 0o755, mtime: new Date(0) }).on('error', () => {})
  const { value } = await (frame[Symbol.asyncIterator]() as AsyncIterator<Buffer>).next()
  frame.destroy()
  return value
}

/** What an archive held when it was last written: further images are added behind it. */
export interface Written {
  readonly path: string
  /** End of the last blob, in bytes. */
  readonly end: number
  readonly stamp: string
}

/** @throws ENOENT if it is gone */
export function stampOf(path: string): string {
  const { dev, ino, size, mtimeNs } = fs.statSync(path, { bigint: true })
  return `${dev}:${ino}:${size}:${mtimeNs}`
}

/** Copies what was written before to the start of a new file. @throws PLY_CHANGED if somebody else wrote it meanwhile */
export async function copyWritten(written: Written, file: StagedFile, operation: Operation): Promise<void> {
  const { path, end, stamp } = written
  let now: string | undefined
  try {
    now = stampOf(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  if (now !== stamp) throw new PlyError('PLY_CHANGED', { path })
  const bytes = openFile(path)
  try {
    await file.writeBytes(slice(bytes, 0, end), { signal: operation.signal, what: path })
  } finally {
    bytes.close()
  }
}
