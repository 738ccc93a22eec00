import { crc32 } from 'node:zlib'
import { codeOf } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import { damaged, FieldReader, FieldWriter } from './record-bytes.ts'
import { writeFully } from './whole-io.ts'

/**
 * The change times of a portable upper, in `changed` beside its log: written when it is closed, since a record for each would double
 * the log. Whoever loses the file, or dies before it is written, has the modify times instead (docs/upper-format.md).
 */
const fileName = 'changed'
const magic = 'plytimes'

/** Tells the times of a file that fits. What does not is left out: nobody can ask for more than the modify time. */
export function readChangeTimes(disk: Disk, root: string, tell: (ino: number, time: bigint) => void): void {
  let bytes: Buffer
  try {
    bytes = disk.fs.readFileSync(`${root}/${fileName}`)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const end = bytes.length - 4
  if (end < magic.length || bytes.toString('latin1', 0, magic.length) !== magic) return
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return
  try {
    const from = new FieldReader(bytes, magic.length, end)
    for (let left = from.number(); left > 0; left--) tell(from.number(), from.time())
  } catch (error) {
    if (codeOf(error) !== codeOf(damaged(''))) throw error
  }
}

/** Replaces the file in one step. */
export function writeChangeTimes(disk: Disk, root: string, times: ReadonlyMap<number, bigint>): void {
  const { fs } = disk
  const fields = new FieldWriter()
  for (const character of magic) fields.byte(character.charCodeAt(0))
  fields.number(times.size)
  for (const [ino, time] of times) {
    fields.number(ino)
    fields.time(time)
  }
  const sum = crc32(fields.bytes)
  fields.fill(fields.hole(), sum)
  const making = `${root}/${fileName}.new`
  const fd = fs.openSync(making, 'w', 0o600)
  try {
    writeFully(disk, fd, fields.bytes, 0)
  } catch (error) {
    fs.closeSync(fd)
    fs.rmSync(making, { force: true })
    throw error
  }
  fs.closeSync(fd)
  fs.renameSync(making, `${root}/${fileName}`)
}
