import { fsOf, type UnionFs } from '../../src/fs/index.ts'
import type { LayerView } from '../../src/layer/index.ts'
import type { ByteString } from '../../src/model/bytes.ts'
import { type Kind, kindOf } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { type Answer, factsText } from './answers.ts'
import type { Operation } from './operations.ts'
import { VerbsSystem } from './systems.ts'

/** Kinds as a listing of Node tells them. */
const tests = {
  directory: 'isDirectory',
  file: 'isFile',
  symlink: 'isSymbolicLink',
  fifo: 'isFIFO',
  socket: 'isSocket',
  character: 'isCharacterDevice',
  block: 'isBlockDevice',
} as const satisfies Readonly<Record<Kind, string>>

/**
 * Ours, with what programs do by path done through the `node:fs` face, as far as Node has it: the rest, and what goes through handles,
 * is done by the verbs of the same union.
 */
class FaceSystem extends VerbsSystem {
  #seen = 0
  #fs: UnionFs | undefined
  #prefix = '/'
  readonly #opened: { union: WritableUnion | undefined }

  constructor(name: string, open: () => WritableUnion) {
    const opened: { union: WritableUnion | undefined } = { union: undefined }
    super(name, () => {
      opened.union = open()
      return opened.union
    })
    this.#opened = opened
  }

  override get seen(): number {
    return this.#seen
  }

  override enter(directory: ByteString, umask: number): void {
    super.enter(directory, umask)
    this.#fs = fsOf(this.#opened.union!, { umask })
    this.#prefix = directory === '' ? '/' : `/${directory}/`
  }

  override run(operation: Operation): Answer {
    this.#seen = 0
    try {
      const answer = this.#byFace(this.#fs!, operation)
      if (answer !== undefined) return answer
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || (error as NodeJS.ErrnoException).errno === undefined) throw error
      return code === 'EOPNOTSUPP' ? 'ENOTSUP' : code
    }
    const answer = super.run(operation)
    this.#seen = super.seen
    return answer
  }

  /** `undefined`: Node has no such call. */
  #byFace(fs: UnionFs, operation: Operation): Answer | undefined {
    const at = (path: ByteString) => Buffer.from(path === '' ? '' : `${this.#prefix}${path}`, 'latin1')
    switch (operation.do) {
      case 'mkdir':
        fs.mkdirSync(at(operation.path), { mode: operation.mode })
        return 'ok'
      case 'rmdir':
        fs.rmdirSync(at(operation.path))
        return 'ok'
      case 'unlink':
        fs.unlinkSync(at(operation.path))
        return 'ok'
      case 'rename':
        if (operation.flag !== undefined) return undefined
        fs.renameSync(at(operation.path), at(operation.to))
        return 'ok'
      case 'link':
        if (operation.follow) return undefined
        fs.linkSync(at(operation.path), at(operation.to))
        return 'ok'
      case 'symlink':
        fs.symlinkSync(Buffer.from(operation.target, 'latin1'), at(operation.path))
        return 'ok'
      case 'readlink':
        return fs.readlinkSync(at(operation.path), { encoding: 'buffer' }).toString('latin1')
      case 'chmod':
        if ('fd' in operation.on || !operation.on.follow) return undefined
        fs.chmodSync(at(operation.on.path), operation.mode)
        return 'ok'
      case 'chown': {
        const { on, uid, gid } = operation
        if ('fd' in on) return undefined
        if (on.follow) fs.chownSync(at(on.path), uid, gid)
        else fs.lchownSync(at(on.path), uid, gid)
        return 'ok'
      }
      case 'utimens': {
        const { on, atime, mtime } = operation
        if ('fd' in on || !/^\d+$/.test(atime) || !/^\d+$/.test(mtime)) return undefined
        const path = at(on.path)
        if (on.follow) fs.utimesSync(path, BigInt(atime), BigInt(mtime))
        else fs.lutimesSync(path, BigInt(atime), BigInt(mtime))
        return 'ok'
      }
      case 'stat': {
        const { on } = operation
        if ('fd' in on) return undefined
        const path = at(on.path)
        const stat = on.follow ? fs.statSync(path, { bigint: true }) : fs.lstatSync(path, { bigint: true })
        const [mode, rdev] = [Number(stat.mode), Number(stat.rdev)]
        this.#seen = Number(stat.ino)
        return factsText({
          kind: kindOf(mode)!,
          mode: mode & 0o7777,
          uid: Number(stat.uid),
          gid: Number(stat.gid),
          size: Number(stat.size),
          links: Number(stat.nlink),
          // Small numbers alone are drawn.
          major: rdev >> 8,
          minor: rdev & 0xff,
          mtime: stat.mtimeNs,
          atime: stat.atimeNs,
        })
      }
      case 'readdir':
        return fs
          .readdirSync(at(operation.path), { withFileTypes: true, encoding: 'buffer' })
          .map((entry) => {
            const kind = (Object.keys(tests) as Kind[]).find((each) => entry[tests[each]]())
            return `${entry.name.toString('latin1')}:${kind}`
          })
          .sort()
          .join(' ')
      default:
        return undefined
    }
  }
}

/** Over an upper in memory, as `memorySystem`. */
export function faceSystem(name: string, lower: { views(): LayerView[] | Tree }): VerbsSystem {
  const upper = memoryUpper()
  return new FaceSystem(name, () => union(lower.views(), upper))
}
