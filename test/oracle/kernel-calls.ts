import { constants } from 'node:fs'
import type { ByteString } from '../../src/model/bytes.ts'
import { kindOf as kindOfMode, typeBits } from '../../src/model/entry.ts'
import { type Answer, bytesText, factsText, seekText, valueText } from './answers.ts'
import { type OpenFlag, type Operation, pattern, type Target, type Time } from './operations.ts'
import { largestRead, type On, type RawStat, refused, sys } from './syscalls.ts'

const flagBits: Readonly<Record<OpenFlag, number>> = {
  RDONLY: 0,
  WRONLY: constants.O_WRONLY,
  RDWR: constants.O_RDWR,
  CREAT: constants.O_CREAT,
  EXCL: constants.O_EXCL,
  TRUNC: constants.O_TRUNC,
  APPEND: constants.O_APPEND,
  DIRECTORY: constants.O_DIRECTORY,
  NOFOLLOW: constants.O_NOFOLLOW,
  TMPFILE: 0o20000000 | constants.O_DIRECTORY,
}

const reserveBits = { extend: 0, keep: 1, punch: 3, zero: 0x10 | 1 } as const
const renameBits = { noreplace: 1, exchange: 2, both: 3 } as const
const seekWhence = { set: 0, end: 2, data: 3, hole: 4 } as const

/** Operations as system calls below one directory of this machine. */
export class KernelCalls {
  seen = 0
  #prefix: ByteString
  readonly #handles = new Map<number, number>()

  constructor(prefix: ByteString) {
    this.#prefix = prefix
  }

  enter(prefix: ByteString): void {
    this.#prefix = prefix
  }

  leave(): void {
    for (const fd of this.#handles.values()) sys.close(fd)
    this.#handles.clear()
  }

  run(operation: Operation): Answer {
    this.seen = 0
    switch (operation.do) {
      case 'open':
        return this.#open(operation)
      case 'close':
        return this.#with(operation.fd, (fd) => {
          this.#handles.delete(operation.fd)
          return done(sys.close(fd))
        })
      case 'read':
        return this.#with(operation.fd, (fd) => found(sys.read(fd, operation.size)))
      case 'pread':
        return this.#with(operation.fd, (fd) => found(sys.pread(fd, operation.size, operation.at)))
      case 'write':
        return this.#with(operation.fd, (fd) => count(sys.write(fd, pattern(operation.seed, operation.size))))
      case 'pwrite': {
        const { seed, size, at } = operation
        return this.#with(operation.fd, (fd) => count(sys.pwrite(fd, pattern(seed, size), at)))
      }
      case 'ftruncate':
        return this.#with(operation.fd, (fd) => done(sys.ftruncate(fd, operation.size)))
      case 'truncate':
        return done(sys.truncate(this.#at(operation.path), operation.size))
      case 'fallocate': {
        const { what, at, size } = operation
        return this.#with(operation.fd, (fd) => done(sys.fallocate(fd, reserveBits[what], at, size)))
      }
      case 'lseek':
        return this.#with(operation.fd, (fd) => seek(fd, operation.to, operation.at))
      case 'copy': {
        const { from, fromAt, at, size } = operation
        return this.#with(operation.fd, (fd) => this.#with(from, (source) => copy(source, fromAt, fd, at, size)))
      }
      case 'fsync':
        return this.#with(operation.fd, (fd) => done(sys.fsync(fd)))
      case 'mkdir':
        return done(sys.mkdir(this.#at(operation.path), operation.mode))
      case 'rmdir':
        return done(sys.rmdir(this.#at(operation.path)))
      case 'unlink':
        return done(sys.unlink(this.#at(operation.path)))
      case 'rename': {
        const flags = operation.flag === undefined ? 0 : renameBits[operation.flag]
        return done(sys.rename(this.#at(operation.path), this.#at(operation.to), flags))
      }
      case 'link':
        return done(sys.link(this.#at(operation.path), this.#at(operation.to), operation.follow))
      case 'linkfd':
        return this.#with(operation.fd, (fd) => done(sys.linkHandle(fd, this.#at(operation.to))))
      case 'symlink':
        return done(sys.symlink(operation.target, this.#at(operation.path)))
      case 'readlink':
        return sys.readlink(this.#at(operation.path)) ?? refused()
      case 'mknod': {
        const { kind, mode, major, minor } = operation
        return done(sys.mknod(this.#at(operation.path), typeBits[kind] | mode, major, minor))
      }
      case 'chmod':
        return this.#on(operation.on, (on) => done(sys.chmod(on, operation.mode)))
      case 'chown':
        return this.#on(operation.on, (on) => done(sys.chown(on, operation.uid, operation.gid)))
      case 'utimens':
        return this.#on(operation.on, (on) => done(sys.utimens(on, timeOf(operation.atime), timeOf(operation.mtime))))
      case 'setxattr': {
        const { name, value, only } = operation
        const flags = only === undefined ? 0 : only === 'create' ? 1 : 2
        return this.#on(operation.on, (on) => done(sys.setXattr(on, name, Buffer.from(value, 'latin1'), flags)))
      }
      case 'getxattr':
        return this.#on(operation.on, (on) => {
          const value = sys.getXattr(on, operation.name)
          return value === undefined ? refused() : `=${valueText(value)}`
        })
      case 'listxattr':
        return this.#on(operation.on, (on) => sys.listXattrs(on)?.sort().join(' ') ?? refused())
      case 'removexattr':
        return this.#on(operation.on, (on) => done(sys.removeXattr(on, operation.name)))
      case 'stat':
        return this.#on(operation.on, (on) => this.#stat(on))
      case 'readdir':
        return this.#readdir(operation.path)
      case 'sync':
        return 'ok'
      case 'reopen':
        throw new Error('only a system can be opened again')
      default:
        return operation satisfies never
    }
  }

  #open({ fd: slot, path, flags, mode }: Operation & { do: 'open' }): Answer {
    const old = this.#handles.get(slot)
    if (old !== undefined) sys.close(old)
    this.#handles.delete(slot)
    const at = this.#at(path)
    let bits = constants.O_NONBLOCK
    for (const flag of flags) bits |= flagBits[flag]
    // What stands behind a fifo or a device is nobody's file system.
    const has = (flag: OpenFlag) => flags.includes(flag)
    if (!has('DIRECTORY') && !has('TMPFILE') && !(has('CREAT') && (has('EXCL') || path.endsWith('/')))) {
      const found = sys.stat({ path: at, follow: !has('NOFOLLOW') })
      if (found !== undefined && isSpecial(found.mode)) return 'special'
    }
    const fd = sys.open(at, bits, mode)
    if (fd < 0) return refused()
    this.#handles.set(slot, fd)
    return 'ok'
  }

  #stat(on: On): Answer {
    const stat = sys.stat(on)
    if (stat === undefined) return refused()
    this.seen = stat.ino
    return statText(stat)
  }

  #readdir(path: ByteString): Answer {
    const at = this.#at(path)
    const entries = sys.list(at)
    if (entries === undefined) return refused()
    return entries
      .map(({ name, ino, type }) => {
        const stat = sys.stat({ path: `${at}/${name}`, follow: false })
        if (stat === undefined) return `${name} listed, but ${refused()}`
        if (stat.mode >> 12 !== type) return `${name} listed as type ${type}`
        const listed = stat.ino === ino ? '' : ` listed as ${ino}, is ${stat.ino}`
        return `${name}:${kindOfMode(stat.mode)}${listed}`
      })
      .sort()
      .join(' ')
  }

  #at(path: ByteString): ByteString {
    return path === '' ? '' : `${this.#prefix}${path}`
  }

  #with(slot: number, act: (fd: number) => Answer): Answer {
    const fd = this.#handles.get(slot)
    return fd === undefined ? 'empty' : act(fd)
  }

  #on(target: Target, act: (on: On) => Answer): Answer {
    if ('fd' in target) return this.#with(target.fd, (fd) => act({ fd }))
    return act({ path: this.#at(target.path), follow: target.follow })
  }
}

export function statText(stat: RawStat): string {
  const { uid, gid, size, links, major, minor, mtime, atime } = stat
  const kind = kindOfMode(stat.mode)!
  return factsText({ kind, mode: stat.mode & 0o7777, uid, gid, size, links, major, minor, mtime, atime })
}

function isSpecial(mode: number): boolean {
  const kind = kindOfMode(mode)
  return kind === 'fifo' || kind === 'socket' || kind === 'character' || kind === 'block'
}

function seek(fd: number, to: 'set' | 'end' | 'data' | 'hole', at: number): Answer {
  if (to === 'set' || to === 'end') return count(sys.lseek(fd, at, seekWhence[to]))
  const position = sys.lseek(fd, 0, 1)
  if (position < 0) return refused()
  const result = sys.lseek(fd, at, seekWhence[to])
  const code = result < 0 ? refused() : ''
  sys.lseek(fd, position, 0)
  if (code !== '' && code !== 'ENXIO') return code
  // The handle may be one that only writes.
  const reader = sys.open(`/proc/self/fd/${fd}`, 0)
  if (reader < 0) return `unread: ${refused()}`
  const content = sys.pread(reader, largestRead, 0)!
  const text = seekText(to, content, at, result)
  sys.close(reader)
  return text
}

/** As programs do it: until all that the source has is copied, since a disk that shares blocks stops where they end. */
function copy(from: number, fromAt: number, to: number, at: number, size: number): Answer {
  const wanted = Math.min(size, Math.max(0, (sys.stat({ fd: from })?.size ?? 0) - fromAt))
  const first = sys.copy(from, fromAt, to, at, wanted > 0 ? wanted : size)
  if (first < 0) return refused()
  let done = first
  while (done < wanted) {
    const more = sys.copy(from, fromAt + done, to, at + done, wanted - done)
    if (more <= 0) break
    done += more
  }
  return String(done)
}

function timeOf(time: Time): bigint | 'now' | 'omit' {
  return time === 'now' || time === 'omit' ? time : BigInt(time)
}

function done(result: number): Answer {
  return result < 0 ? refused() : 'ok'
}

function count(result: number): Answer {
  return result < 0 ? refused() : String(result)
}

function found(bytes: Buffer | undefined): Answer {
  return bytes === undefined ? refused() : bytesText(bytes)
}
