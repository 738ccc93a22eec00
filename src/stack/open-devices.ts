import { codeOf, PlyError } from '../model/errors.ts'
import { type Bytes, Slice } from '../stream/bytes.ts'

/** Devices that stay open although nobody reads them: more than the layers of any image that is not made to be deep. */
const mostIdle = 128

interface Opened {
  readonly bytes: Bytes
  readers: number
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
  /** Without readers, the one that was read last at the end. */
  readonly #idle = new Set<number>()
  #closed = false

  constructor(open: (device: number) => Bytes) {
    this.#open = open
  }

  /** A run of a device, which stays open until the run is closed, or all of this. @throws EBADF once this is closed */
  run(device: number, offset: number, size: number): Bytes {
    const opened = this.#enter(device)
    return new DeviceRun(opened.bytes, offset, size, () => this.#leave(device, opened))
  }

  /** Closes them all, also those with readers. Safe to call twice. */
  close(): void {
    this.#closed = true
    for (const { bytes } of this.#opened.values()) bytes.close()
    this.#opened.clear()
    this.#idle.clear()
  }

  #enter(device: number): Opened {
    if (this.#closed) throw new PlyError('EBADF', { syscall: 'read' })
    let opened = this.#opened.get(device)
    if (opened === undefined) {
      opened = { bytes: this.#patiently(device), readers: 0 }
      this.#opened.set(device, opened)
    }
    if (opened.readers++ === 0) this.#idle.delete(device)
    return opened
  }

  #leave(device: number, opened: Opened): void {
    if (--opened.readers > 0 || this.#closed) return
    this.#idle.add(device)
    if (this.#idle.size > mostIdle) this.#closeIdle(1)
  }

  #patiently(device: number): Bytes {
    try {
      return this.#open(device)
    } catch (error) {
      const code = codeOf(error)
      if ((code !== 'EMFILE' && code !== 'ENFILE') || this.#idle.size === 0) throw error
      this.#closeIdle(this.#idle.size)
      return this.#open(device)
    }
  }

  /** The ones that were read longest ago first. */
  #closeIdle(count: number): void {
    for (const device of this.#idle) {
      if (count-- === 0) return
      this.#opened.get(device)!.bytes.close()
      this.#opened.delete(device)
      this.#idle.delete(device)
    }
  }
}
