import fs from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import type { ByteSink } from '../stream/bytes.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt, openFile, pacedStream } from './file.ts'
import { type SinkOptions, standardStream, temporaryDirectoryOf } from './options.ts'
import { StagedFile } from './staged-file.ts'

/** Whether a path is written by pouring into it: standard output, a pipe, a device. Nothing can be taken back there. */
export function isPoured(path: string): boolean {
  return path === standardStream || kindAt(path) === 'other'
}

/**
 * Writes a file, all or nothing: under a temporary name first, then renamed over what was there. What goes to a pipe is
 * finished in a temporary file before its first byte leaves.
 *
 * @throws what `write` throws; ENOSPC, EACCES … with the path. No temporary file stays behind.
 */
export async function writeFile<T>(
  path: string,
  options: SinkOptions & Operation,
  write: (file: StagedFile) => Promise<T>,
): Promise<T> {
  if (!isPoured(path)) {
    await using file = await StagedFile.open(path)
    const result = await write(file)
    await file.publish(options)
    return result
  }
  const temporary = temporaryDirectoryOf(options)
  const folder = await onDisk(temporary, () => fs.promises.mkdtemp(join(temporary, 'ply-')))
  try {
    const whole = join(folder, 'archive')
    await using file = await StagedFile.open(whole)
    const result = await write(file)
    await file.publish(options)
    await pour(whole, path, options)
    return result
  } finally {
    await fs.promises.rm(folder, { recursive: true, force: true })
  }
}

async function pour(from: string, path: string, options: SinkOptions & Operation): Promise<void> {
  const stream = abortable(
    pacedStream(() => openFile(from), options),
    options.signal,
  )
  if (path === standardStream) {
    const output = options.output ?? standardOutput
    for await (const chunk of stream) await output.write(chunk)
    return
  }
  const pipe = await onDisk(path, () => fs.promises.open(path, 'w'))
  try {
    for await (const chunk of stream) await onDisk(path, () => pipe.writeFile(chunk))
  } finally {
    await pipe.close()
  }
}

const standardOutput: ByteSink = {
  write: (chunk) =>
    onDisk(
      'standard output',
      () =>
        new Promise((resolve, reject) => process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()))),
    ),
}
