import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bytes } from '../../src/stream/bytes.ts'
import { mount, mountFlags, umount } from '../../src/sys/mount.ts'
import type { FoldedLayers } from './layer-index.ts'

/**
 * Two uppers over one image, and two who write them: the kernel, with the image's index mounted as it lies in a store, and ours.
 * Whenever everything is opened again they change places, and each goes on in what the other one wrote.
 */
export class Turns {
  readonly #folder: string
  readonly #uppers: readonly [string, string]
  readonly lowerDir: string
  #kernelsFirst = true

  /** `folder` gets the uppers. The image goes to the temporary directory: the kernel mounts no index from a file on tmpfs. */
  constructor(folder: string, lower: FoldedLayers) {
    this.#uppers = [join(folder, 'first'), join(folder, 'second')]
    for (const upper of this.#uppers) {
      for (const part of ['upper', 'work']) mkdirSync(join(upper, part), { recursive: true, mode: 0o755 })
    }
    this.#folder = mkdtempSync(join(tmpdir(), 'plyfs-image-'))
    this.lowerDir = join(this.#folder, 'mounted')
    mkdirSync(this.lowerDir)
    const index = join(this.#folder, 'index.erofs')
    writeFileSync(index, lower.index)
    const devices = lower.devices.map((device, number) => {
      const file = join(this.#folder, String(number))
      writeFileSync(file, wholeOf(lower.device(device)))
      return `device=${file}`
    })
    mount(index, this.lowerDir, 'erofs', mountFlags.readOnly, devices.join(','))
  }

  get kernels(): string {
    return this.#uppers[this.#kernelsFirst ? 0 : 1]
  }

  get ours(): string {
    return this.#uppers[this.#kernelsFirst ? 1 : 0]
  }

  change(): void {
    this.#kernelsFirst = !this.#kernelsFirst
  }

  close(): void {
    umount(this.lowerDir)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function wholeOf(bytes: Bytes): Buffer {
  const whole = Buffer.alloc(bytes.size)
  if (whole.length > 0) bytes.read(whole, 0)
  bytes.close()
  return whole
}
