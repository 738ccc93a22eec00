import type { ByteString } from '../../src/model/bytes.ts'
import type { Moving, Reference } from './engine.ts'
import type { HandleFacts } from './improvements.ts'
import { PlainModel } from './model.ts'
import type { Operation, Target } from './operations.ts'
import { VerbsSystem } from './systems.ts'

const accessAcl = 'system.posix_acl_access'
const capability = 'security.capability'

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
    // POSIX leaves the time open where the size stays: by path most disks keep it, ext4 and ours do not; through a handle nobody does.
    if (operation.do === 'truncate')
      return this.#disk !== 'ext4' && this.statAt(operation.path)?.size === operation.size
    if (operation.do === 'setxattr' && operation.name === accessAcl) return this.#isSticky(operation.on)
    const stat = this.handleOf(operation)
    if (stat === undefined) return false
    if (operation.do === 'fallocate') {
      // Btrfs keeps the time where a hole is beyond the end, and where one is already.
      if (this.#disk === 'btrfs')
        return (
          operation.at >= stat.size ||
          (operation.what === 'punch' && stat.kind === 'file' && this.#isZero(stat.ino, operation))
        )
      // Those that are refused it may have taken capabilities away before.
      if (operation.what === 'zero' && this.#disk === 'tmpfs') return this.model.xattrs(stat.ino).has(capability)
      return operation.what === 'zero' && this.#disk === 'here'
    }
    // Where a directory's positions are is settled above file systems.
    return stat.kind === 'directory' && operation.do === 'lseek'
  }

  #isZero(ino: number, { at, size }: { readonly at: number; readonly size: number }): boolean {
    const bytes = Buffer.alloc(Math.max(0, size))
    const content = this.model.open(ino)
    try {
      content.read(bytes, at)
    } finally {
      content.close()
    }
    return bytes.every((byte) => byte === 0)
  }

  /** Whether it is a sticky directory: an ACL would let others write there, and then it hangs on settings of the machine what may be opened. */
  #isSticky(on: Target): boolean {
    const stat = 'fd' in on ? this.handle(on.fd)?.stat : this.statAt(on.path, on.follow)
    return stat?.kind === 'directory' && (stat.mode & 0o1000) !== 0
  }

  /** What a slot holds open. */
  handle(slot: number) {
    const handle = this.openHandle(slot)
    if (handle === undefined) return undefined
    const { ino, readable, writer } = handle
    const stat = { ...this.model.stat(ino), unnamed: this.model.isUnnamed(ino) }
    return { readable, writable: writer !== undefined, stat }
  }

  moving(operation: Operation): readonly Moving[] {
    if (operation.do !== 'rename') return []
    const [from, to] = [this.parentAt(operation.path), this.parentAt(operation.to)]
    if (from === undefined || to === undefined) return []
    const moving: Moving[] = []
    const enter = (path: ByteString, leaves: number, comes: number): void => {
      const stat = this.statAt(path, false)
      if (stat?.kind === 'directory') moving.push({ directory: stat.ino, from: leaves, to: comes })
    }
    enter(operation.path, from, to)
    if (operation.flag === 'exchange') enter(operation.to, to, from)
    return moving
  }

  shown(operation: Operation): number | undefined {
    if (operation.do !== 'stat') return undefined
    return 'fd' in operation.on
      ? this.handle(operation.on.fd)?.stat.ino
      : this.statAt(operation.on.path, operation.on.follow)?.ino
  }

  handleOf(operation: Operation): HandleFacts | undefined {
    if (operation.do === 'open' || operation.do === 'close') return undefined
    const slot = 'fd' in operation ? operation.fd : 'on' in operation && 'fd' in operation.on ? operation.on.fd : -1
    return this.handle(slot)?.stat
  }
}
