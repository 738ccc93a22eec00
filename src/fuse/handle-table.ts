import { PlyError } from '../model/errors.ts'

/** What is open, by the numbers that the kernel is given for it. */
export class HandleTable<Handle> {
  readonly #handles: (Handle | undefined)[] = []
  readonly #free: number[] = []

  add(handle: Handle): number {
    const number = this.#free.pop() ?? this.#handles.length
    this.#handles[number] = handle
    return number
  }

  /** @throws EBADF */
  get(number: number): Handle {
    const handle = this.#handles[number]
    if (handle === undefined) throw new PlyError('EBADF')
    return handle
  }

  /** @throws EBADF */
  take(number: number): Handle {
    const handle = this.get(number)
    this.#handles[number] = undefined
    this.#free.push(number)
    return handle
  }

  *all(): Iterable<Handle> {
    for (const handle of this.#handles) if (handle !== undefined) yield handle
  }
}
