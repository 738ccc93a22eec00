/** Bytes in one checked page. */
export const checkedPageSize = 64 << 10

/**
 * Pages that had to be read whole to be checked, kept for who reads more of them: a system call for a small file takes several times as
 * long as to copy it. As many as were said when this was made; then the ones that were read first give way.
 */
export class HeldPages {
  readonly #most: number
  readonly #pages: Buffer[] = []
  readonly #forget: (() => void)[] = []
  #next = 0

  /** `most`: pages, of 64 KiB each. */
  constructor(most: number) {
    this.#most = most
  }

  /** A buffer for a page. `forget` is called when it is given to another one. */
  take(forget: () => void): Buffer {
    const at = this.#next
    this.#next = (at + 1) % this.#most
    this.#forget[at]?.()
    this.#forget[at] = forget
    return (this.#pages[at] ??= Buffer.allocUnsafeSlow(checkedPageSize))
  }
}
