import { closeSync, openSync } from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'
import { ioctl } from './ioctl.ts'

/** `LOOP_CTL_GET_FREE` and `LOOP_CONFIGURE`. */
const getFree = 0x4c82
const configure = 0x4c0a
/** `struct loop_config`: descriptor, block size, `struct loop_info64` from 8 on. */
const configSize = 304
const flagsAt = 8 + 52
const readOnly = 1
const goesWithLastUser = 4
/** What an index counts in. */
const blockSize = 512
/** Others take devices too, between asking for a free one and taking it. */
const attempts = 64

/** A file as a block device, read only. Once it is mounted, it may be closed: it goes with the mount. */
export interface LoopDevice extends Disposable {
  readonly path: string
}

/**
 * Has a free loop device show a file, whose path is text. @throws PLY_UNSUPPORTED, with why, where there are no loop devices for this
 * process; ENOENT for the file
 */
export function loopDevice(path: string): LoopDevice {
  const file = openSync(path, 'r')
  try {
    const config = Buffer.alloc(configSize)
    config.writeUInt32LE(file, 0)
    config.writeUInt32LE(blockSize, 4)
    config.writeUInt32LE(readOnly | goesWithLastUser, flagsAt)
    for (let attempt = 1; ; attempt++) {
      const device = `/dev/loop${freeNumber()}`
      const fd = opened(device)
      try {
        ioctl(fd, configure, config, device)
      } catch (error) {
        closeSync(fd)
        if (codeOf(error) === 'EBUSY' && attempt < attempts) continue
        throw error
      }
      let open = true
      return {
        path: device,
        [Symbol.dispose]() {
          if (open) closeSync(fd)
          open = false
        },
      }
    }
  } finally {
    closeSync(file)
  }
}

function freeNumber(): number {
  const control = opened('/dev/loop-control')
  try {
    return ioctl(control, getFree, Buffer.alloc(8), '/dev/loop-control')
  } finally {
    closeSync(control)
  }
}

function opened(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    const reason = `${path} cannot be opened (${code}); a container has to be given its loop devices`
    throw new PlyError('PLY_UNSUPPORTED', { what: 'a loop device', reason }, { cause: error })
  }
}
