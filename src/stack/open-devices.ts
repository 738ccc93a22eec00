import { codeOf, PlyError } from '../model/errors.ts'
import { type Bytes, Slice } from '../stream/bytes.ts'

/** Devices that stay open although nobody reads them: more than the layers of any image that is not made to be deep. */
const mostIdle = 128

interface Opened {
  readonly bytes: Bytes
  readers: number
  /** When its last reader left it, counted in leavings. */
  left: number
}

/** A run of a device, which its device hears the end of. */
class DeviceRun extends Slice {
  #leave: (() => void) | undefined

  constructor(device: Bytes, offset: number, size: number, leave: () => void) {
    super(device, offset, size)
    this.#leave = leave
  }

  override close(): void {
    this.#leave?.()
    this.#leave = undefined
  }
}

/**
 * Devices by number, opened when somebody first reads of them. One that has no readers stays open for the next, but of
 * those only the last few: a stack of thousands of layers must not use up the descriptors of the process. Where there are
 * none left all the same, those without readers are closed and the opening is tried again.
 */
export class OpenDevices {
  readonly #open: (device: number) => Bytes
  readonly #opened = new Map<number, Opened>()
  /** How many have no readers. */
  #idle = 0
  #leavings = 0
  #closed = false

  constructor(open: (device: number) => Bytes) {
    this.#open = open
  }

  /** A run of a device, which stays open until the run is closed, or all of this. @throws EBADF once this is closed */
  run(device: number, offset: number, size: number): Bytes {
    const opened = this.#enter(device)
    return new DeviceRun(opened.bytes, offset, size, () => this.#leave(opened))
  }

  /** Closes them all, also those with readers. Safe to call twice. */
  close(): void {
    this.#closed = true
    for (const { bytes } of this.#opened.values()) bytes.close()
    this.#opened.clear()
    this.#idle = 0
  }

  #enter(device: number): Opened {
    if (this.#closed) throw new PlyError('EBADF', { syscall: 'read' })
    let opened = this.#opened.get(device)
    if (opened === undefined) {
      opened = { bytes: this.#patiently(device), readers: 0, left: 0 }
      this.#opened.set(device, opened)
      this.#idle++
    }
    if (opened.readers++ === 0) this.#idle--
    return opened
  }

  #leave(opened: Opened): void {
    if (--opened.readers > 0 || this.#closed) return
    opened.left = this.#leavings++
    if (++this.#idle > mostIdle) this.#closeIdle(1)
  }

  #patiently(device: number): Bytes {
    try {
      return this.#open(device)
    } catch (error) {
      const code = codeOf(error)
      if ((code !== 'EMFILE' && code !== 'ENFILE') || this.#idle === 0) throw error
      this.#closeIdle(this.#idle)
      return this.#open(device)
    }
  }

  /** The ones that were read longest ago first: they are looked for only here, since each opening and closing comes by. */
  #closeIdle(count: number): void {
    const idle = [...this.#opened].filter(([, { readers }]) => readers === 0)
    for (const [device, { bytes }] of idle.sort(([, a], [, b]) => a.left - b.left).slice(0, count)) {
      this.#opened.delete(device)
      this.#idle--
      bytes.close()
    }
  }
}
