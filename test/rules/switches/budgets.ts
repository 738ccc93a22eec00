import type { Switches } from '../switch.ts'

/** Section 17: budgets. */
export const budgets: Switches = {
  'B-01': {
    file: 'src/layer/index-tar.ts',
    find: 'this.#reader.push(chunk)',
    put: `;((this as { all?: Uint8Array[] }).all ??= []).push(Uint8Array.from(chunk))
    this.#reader.push(chunk)`,
  },
  'B-02': {
    file: 'src/extract/write-parts.ts',
    find: 'await checkRoom(planned, here, staging.target, signal)',
    put: '',
  },
}
