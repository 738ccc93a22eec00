import type { Reference } from './engine.ts'
import type { HandleFacts } from './improvements.ts'
import { PlainModel } from './model.ts'
import type { Operation } from './operations.ts'
import { VerbsSystem } from './systems.ts'

/** The plain model as a system, which also knows what cannot be compared. */
export class ModelSystem extends VerbsSystem implements Reference {
  readonly model: PlainModel
  readonly #disk: string

  constructor(disk: string) {
    const model = new PlainModel()
    super('model', () => model)
    this.model = model
    this.#disk = disk
  }

  /** Nothing to open again: handles end. */
  override suspend(): void {
    this.leave()
  }

  override resume(): void {}

  isOut(operation: Operation): boolean {
    // POSIX leaves the time open where the size stays; tmpfs and XFS keep it, ext4 and Btrfs do not.
    if (operation.do === 'truncate') return this.statAt(operation.path)?.size === operation.size
    const stat = this.handleOf(operation)
    if (stat === undefined) return false
    if (operation.do === 'ftruncate') return stat.size === operation.size
    if (operation.do === 'fallocate') {
      // Btrfs keeps the time where a hole is beyond the end; tmpfs has no FALLOC_FL_ZERO_RANGE.
      if (this.#disk === 'btrfs') return operation.at >= stat.size
      if (operation.what === 'zero') return this.#disk === 'tmpfs' || this.#disk === 'here'
    }
    // Where a directory's positions are is settled above file systems.
    return stat.kind === 'directory' && operation.do === 'lseek'
  }

  /** What a slot holds open. */
  handle(slot: number) {
    const handle = this.openHandle(slot)
    if (handle === undefined) return undefined
    const { ino, readable, writer } = handle
    const stat = { ...this.model.stat(ino), unnamed: this.model.isUnnamed(ino) }
    return { readable, writable: writer !== undefined, stat }
  }

  handleOf(operation: Operation): HandleFacts | undefined {
    if (operation.do === 'open' || operation.do === 'close') return undefined
    const slot = 'fd' in operation ? operation.fd : 'on' in operation && 'fd' in operation.on ? operation.on.fd : -1
    return this.handle(slot)?.stat
  }
}
