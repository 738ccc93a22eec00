import { codeOf } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import { Contents } from './contents.ts'
import { type Control, controlCommand, controlled, controlValue } from './control.ts'
import { Directories } from './directories.ts'
import { refusal, refused } from './errnos.ts'
import { Facts } from './facts.ts'
import { type LateAnswer, Locking, unanswered } from './locking.ts'
import { Naming } from './naming.ts'
import { negotiate } from './negotiate.ts'
import { features, ioctlSize, opcodes, rootNode } from './protocol.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import { type ServingOptions, Session } from './session.ts'

/** Answers with the length of the body, a negative errno, or `unanswered`. */
type Answer = () => number

/** A control request that has arrived and is not answered. */
interface ControlRequest {
  readonly uniqueLow: number
  readonly uniqueHigh: number
  readonly asked: unknown
}

/**
 * Answers the requests of one connection from a tree, or a union that may be written. It knows nothing of devices: a request lies in
 * `request`, its answer in `reply`. Nothing that a request says makes it throw.
 *
 * Who calls is the kernel, which has asked for permissions itself (`default_permissions`); new things belong to who asks for them.
 * The tree stays the caller's.
 */
export class Dispatcher {
  readonly #session: Session
  readonly #answers: (Answer | undefined)[] = []
  readonly #contents: Contents
  readonly #directories: Directories
  readonly #locking: Locking
  readonly #wishes: { readonly writebackCache: boolean; readonly locks: boolean }
  readonly #control: Control | undefined
  #late: LateAnswer[] = []
  #asked: ControlRequest | undefined

  constructor(tree: Tree | WritableUnion, request: Request, reply: Reply, options: ServingOptions = {}) {
    const session = new Session(tree, request, reply, options)
    this.#session = session
    this.#control = options.control
    this.#wishes = {
      writebackCache: (options.writebackCache ?? false) && !session.readOnly,
      locks: (options.locks ?? false) && !session.readOnly,
    }
    this.#directories = new Directories(session)
    this.#contents = new Contents(session, this.#directories)
    this.#locking = new Locking(session, (answer) => this.#late.push(answer))
    this.#fill(new Naming(session, this.#directories), new Facts(session, this.#contents), options.control)
  }

  /** Whether the kernel and this server have agreed on how to speak. */
  get ready(): boolean {
    return this.#session.agreed !== 0
  }

  /**
   * Answers the request of so many bytes that lies in `request`. The answer is how many bytes lie in `reply` for the kernel;
   * 0: it gets none.
   */
  answer(length: number): number {
    const { request, reply } = this.#session
    let result: number
    try {
      request.arrived(length)
      const answer = this.#answers[request.opcode]
      result = answer ? this.#roomy(answer) : refused('ENOSYS')
    } catch (error) {
      // Mistakes of this server are not answers of a file system, and must not go unseen.
      if (codeOf(error) === undefined) this.onMistake(error)
      result = refusal(error)
    }
    return result === unanswered ? 0 : reply.finished(request.uniqueLow, request.uniqueHigh, result)
  }

  /** Puts the next answer to an earlier request into `reply`, and answers with its length; 0: there is none. */
  late(): number {
    const answer = this.#late.shift()
    return answer ? this.#session.reply.finished(answer.uniqueLow, answer.uniqueHigh, answer.result) : 0
  }

  /** Whether a control request waits for its answer: nothing else may be answered before `control`. */
  get isAsked(): boolean {
    return this.#asked !== undefined
  }

  /** Has the control request answered that waits. Answers with how many bytes lie in `reply` then. */
  async control(): Promise<number> {
    const { uniqueLow, uniqueHigh, asked } = this.#asked!
    this.#asked = undefined
    const { reply } = this.#session
    const answer = await controlled(this.#control!, asked)
    reply.zeros(0, ioctlSize)
    reply.bytes(ioctlSize, answer.length).set(answer)
    return reply.finished(uniqueLow, uniqueHigh, ioctlSize + answer.length)
  }

  /** Told of what is thrown and no answer of a file system: the kernel gets EIO for it. */
  onMistake: (error: unknown) => void = () => {}

  /** Closes what the kernel has left open. */
  close(): void {
    this.#contents.close()
    this.#directories.close()
    this.#session.nodes.close()
  }

  #fill(naming: Naming, facts: Facts, control: Control | undefined): void {
    const contents = this.#contents
    const directories = this.#directories
    const locking = this.#locking
    const put = (opcode: keyof typeof opcodes, answer: Answer): void => {
      this.#answers[opcodes[opcode]] = answer
    }
    put('init', () => this.#init())
    put('lookup', () => naming.lookup())
    put('forget', () => this.#forget())
    put('batchForget', () => this.#forgetAll())
    put('mknod', () => naming.mknod())
    put('mkdir', () => naming.mkdir())
    put('symlink', () => naming.symlink())
    put('link', () => naming.link())
    put('unlink', () => naming.unlink())
    put('rmdir', () => naming.rmdir())
    put('rename', () => naming.rename())
    put('rename2', () => naming.rename2())
    put('getAttributes', () => facts.get())
    put('setAttributes', () => facts.set())
    put('readlink', () => facts.readlink())
    put('statfs', () => facts.statfs())
    put('getXattr', () => facts.getXattr())
    put('setXattr', () => facts.setXattr())
    put('listXattrs', () => facts.listXattrs())
    put('removeXattr', () => facts.removeXattr())
    put('open', () => contents.open())
    put('create', () => contents.create())
    put('temporaryFile', () => contents.temporaryFile())
    put('read', () => contents.read())
    put('write', () => contents.write())
    put('fsync', () => contents.sync())
    put('fallocate', () => contents.fallocate())
    // What the kernel has collected it does not write before it asks for holes: so it knows of none.
    if (!this.#wishes.writebackCache) put('lseek', () => contents.seek())
    put('copyFileRange', () => contents.copyRange())
    put('release', () => this.#release())
    put('openDirectory', () => directories.open())
    put('readDirectory', () => directories.read())
    put('readDirectoryPlus', () => directories.readPlus())
    put('releaseDirectory', () => directories.release())
    put('syncDirectory', () => directories.sync())
    put('syncFileSystem', () => directories.sync())
    if (control) put('ioctl', () => this.#ioctl(control))
    put('interrupt', () => locking.interrupt())
    put('destroy', () => 0)
    if (!this.#wishes.locks) return
    put('getLock', () => locking.get())
    put('setLock', () => locking.set())
    put('waitForLock', () => locking.wait())
    put('flush', () => locking.flush())
  }

  #init(): number {
    const { request, reply } = this.#session
    const { result, agreed } = negotiate(request, reply, this.#wishes)
    if (agreed) {
      this.#session.agreed = agreed.flags
      this.#session.directWrites = agreed.directWrites
    }
    return result
  }

  /** Others are not ENOSYS, which would be the last question of its kind. */
  #ioctl(control: Control): number {
    const { request } = this.#session
    if (request.u32(12) !== controlCommand || request.node !== rootNode) return refused('ENOTTY')
    if (request.uid !== 0 && request.uid !== control.uid) return refused('EPERM')
    const { uniqueLow, uniqueHigh } = request
    this.#asked = { uniqueLow, uniqueHigh, asked: controlValue(request.bytes(32, request.u32(24))) }
    return unanswered
  }

  /** What fails for lack of room has not happened: it is tried once more where something removed can be let go of. */
  #roomy(answer: Answer): number {
    try {
      return answer()
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
      const { inUse } = this.#contents
      const { nodes, tree } = this.#session
      if (nodes.letGo((ino) => inUse.has(ino) || tree.stat(ino).kind !== 'file') === 0) throw error
      return answer()
    }
  }

  #release(): number {
    if (this.#session.agreed & features.flocks) this.#locking.released()
    return this.#contents.release()
  }

  #forget(): number {
    const { nodes, request, ino } = this.#session
    nodes.forget(ino, request.u64(0))
    return unanswered
  }

  #forgetAll(): number {
    const { nodes, request } = this.#session
    const count = request.u32(0)
    for (let at = 8; at < 8 + 16 * count; at += 16) nodes.forget(nodes.ino(request.u64(at)), request.u64(at + 8))
    return unanswered
  }
}
