import { release } from 'node:os'
import type { ByteString } from '../model/bytes.ts'
import { umount, unmountFlags } from '../sys/mount.ts'
import { moveMount } from '../sys/new-mount.ts'

/** Whether overlayfs takes mounts as layers that are on no directory. */
export function takesUnseen(kernel: string = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10))
  return major > 6 || (major === 6 && minor >= 15)
}

/**
 * A directory on which mounts are while overlayfs is made of them, where the kernel wants that. It has copies of its own then: they are
 * taken away again, however that ends.
 */
export class Stage implements Disposable {
  readonly #directory: ByteString | undefined
  #mounts = 0

  /** @param directory absent: none is needed */
  constructor(directory: ByteString | undefined) {
    this.#directory = directory
  }

  /** Shows a mount, by the descriptor of its root, which stays what it is. */
  show(fd: number): number {
    if (this.#directory === undefined) return fd
    moveMount(fd, this.#directory)
    this.#mounts++
    return fd
  }

  [Symbol.dispose](): void {
    for (; this.#mounts > 0; this.#mounts--) umount(this.#directory!, unmountFlags.noFollow | unmountFlags.detach)
  }
}
