import { bytesOf, type Call, descriptorOf, textOf, xattrOf } from './calls.ts'
import { apply, type Change, type DiskState, emptyInode, type Inode, inodesOf, isData, root } from './disk-state.ts'

/** A change that was made and that no sync has made durable. */
export interface Pending {
  readonly change: Change
  /** When the call that made it was done. */
  readonly end: number
}

interface OpenFile {
  readonly inode: number
  position: number
  readonly appends: boolean
}

const directoryMode = 0o040000

/**
 * A disk that is told the calls of a process, one after the other: what is on it for good, and what it may lose. The model is as
 * hostile as POSIX allows (docs/durability.md): `fsync` of a file makes its bytes and attributes durable and no name of it, `fsync`
 * of a directory its names and nothing of what they lead to; all else comes onto the disk in any order, in part, or never.
 */
export class RecordedDisk {
  #at: string
  /** What is there for good. */
  readonly #durable: Map<number, Inode>
  /** What a process sees. */
  readonly #seen: Map<number, Inode>
  #pending: Pending[] = []
  readonly #files = new Map<number, OpenFile>()
  #inodes: number

  /** `at`: the path of the directory in the log; `initial`: what is in it, durably. */
  constructor(at: string, initial: DiskState) {
    this.#at = at
    this.#durable = new Map(initial)
    this.#seen = new Map(initial)
    this.#inodes = Math.max(...initial.keys()) + 1
  }

  get durable(): DiskState {
    return this.#durable
  }

  get seen(): DiskState {
    return this.#seen
  }

  get pending(): readonly Pending[] {
    return this.#pending
  }

  /** The process has died, and the next one finds the same disk at another path. */
  nextProcess(at: string): void {
    this.#files.clear()
    this.#at = at
    // All that it did came before whatever the next one does: a sync of that reaches it.
    this.#pending = this.#pending.map(({ change }) => ({ change, end: -1 }))
  }

  /** Takes the next call; answers whether it changed what the disk holds or may lose. */
  take(call: Call): boolean {
    if (!(call.result >= 0) || call.injected) return false
    const before = this.#pending
    const count = before.length
    this.#perform(call)
    return this.#pending !== before || this.#pending.length !== count
  }

  #perform(call: Call): void {
    const { name, arguments: given, result } = call
    const a = (i: number): string => given[i] ?? ''
    const number = (i: number): number => Number(a(i))
    switch (name) {
      case 'open':
      case 'creat':
        this.#open(call, undefined, a(0), name === 'creat' ? 'O_CREAT|O_TRUNC' : a(1), a(2))
        break
      case 'openat':
        this.#open(call, a(0), a(1), a(2), a(3))
        break
      case 'close':
        this.#files.delete(descriptorOf(a(0)).fd!)
        return
      case 'dup':
      case 'dup2':
      case 'dup3':
      case 'fcntl': {
        const open = this.#file(a(0))
        if (open && (name !== 'fcntl' || a(1).startsWith('F_DUPFD'))) this.#files.set(result, open)
        return
      }
      case 'write':
        this.#write(call, a(0), [a(1)])
        break
      case 'writev':
        this.#write(call, a(0), vectorOf(a(1)))
        break
      case 'pwrite64':
        this.#write(call, a(0), [a(1)], number(3))
        break
      case 'pwritev':
      case 'pwritev2':
        this.#write(call, a(0), vectorOf(a(1)), number(3))
        break
      case 'ftruncate': {
        const open = this.#file(a(0))
        if (open) this.#change(call, { does: 'resize', inode: open.inode, size: number(1) })
        return
      }
      case 'truncate': {
        const inode = this.#find(undefined, textOf(a(0)))
        if (inode !== undefined) this.#change(call, { does: 'resize', inode, size: number(1) })
        return
      }
      case 'fallocate':
        this.#allocate(call, a(0), a(1), number(2), number(3))
        break
      case 'copy_file_range':
        this.#copy(call, [a(0), position(a(1))], [a(2), position(a(3))], result)
        break
      case 'ioctl':
        if (a(1).startsWith('FICLONE')) throw new Error('the disk of the recording shares blocks: choose another')
        return
      case 'mkdir':
        this.#make(call, undefined, a(0), {
          ...emptyInode,
          kind: 'directory',
          mode: modeOf(a(1), directoryMode),
        })
        break
      case 'mkdirat':
        this.#make(call, a(0), a(1), { ...emptyInode, kind: 'directory', mode: modeOf(a(2), directoryMode) })
        break
      case 'symlink':
        this.#make(call, undefined, a(1), symlink(bytesOf(a(0))))
        break
      case 'symlinkat':
        this.#make(call, a(1), a(2), symlink(bytesOf(a(0))))
        break
      case 'mknod':
        this.#make(call, undefined, a(0), node(a(1), a(2)))
        break
      case 'mknodat':
        this.#make(call, a(0), a(1), node(a(2), a(3)))
        break
      case 'link':
        this.#link(call, [undefined, a(0)], [undefined, a(1)])
        break
      case 'linkat':
        this.#link(call, [a(0), a(1)], [a(2), a(3)])
        break
      case 'rename':
        this.#rename(call, [undefined, a(0)], [undefined, a(1)], '')
        break
      case 'renameat':
        this.#rename(call, [a(0), a(1)], [a(2), a(3)], '')
        break
      case 'renameat2':
        this.#rename(call, [a(0), a(1)], [a(2), a(3)], a(4))
        break
      case 'unlink':
      case 'rmdir':
        this.#remove(call, undefined, a(0))
        break
      case 'unlinkat':
        this.#remove(call, a(0), a(1))
        break
      case 'chmod':
        this.#mode(call, this.#find(undefined, textOf(a(0))), a(1))
        break
      case 'fchmod':
        this.#mode(call, this.#file(a(0))?.inode, a(1))
        break
      case 'fchmodat':
        this.#mode(call, this.#find(a(0), textOf(a(1))), a(2))
        break
      case 'setxattr':
      case 'lsetxattr':
        this.#xattr(call, this.#find(undefined, textOf(a(0))), a(1), xattrOf(a(2)))
        break
      case 'fsetxattr':
        this.#xattr(call, this.#file(a(0))?.inode, a(1), xattrOf(a(2)))
        break
      case 'removexattr':
      case 'lremovexattr':
        this.#xattr(call, this.#find(undefined, textOf(a(0))), a(1), undefined)
        break
      case 'fremovexattr':
        this.#xattr(call, this.#file(a(0))?.inode, a(1), undefined)
        break
      case 'fsync':
      case 'fdatasync':
        this.#sync(call, this.#file(a(0))?.inode, name === 'fdatasync')
        break
      case 'syncfs':
        if (this.#file(a(0))) this.#flush(({ end }) => end <= call.start)
        return
      case 'sync':
        this.#flush(({ end }) => end <= call.start)
        break
      default:
        if (modelled.includes(name) || !given.some((each) => each.includes(hex(this.#at)))) return
        throw new Error(`the model knows nothing of ${name}(${given.join(', ')})`.slice(0, 300))
    }
  }

  #open(call: Call, at: string | undefined, path: string, flags: string, mode: string): void {
    const text = textOf(path)
    let inode = this.#find(at, text)
    if (flags.includes('O_TMPFILE')) inode = this.#add({ ...emptyInode, kind: 'file', mode: modeOf(mode) })
    else if (inode === undefined) {
      const place = this.#place(at, text)
      if (place === undefined || !flags.includes('O_CREAT')) return
      inode = this.#add({ ...emptyInode, kind: 'file', mode: modeOf(mode) })
      this.#change(call, { does: 'name', ...place, to: inode })
    } else if (flags.includes('O_TRUNC') && this.#seen.get(inode)!.data.length > 0)
      this.#change(call, { does: 'resize', inode, size: 0 })
    this.#files.set(call.result, { inode, position: 0, appends: flags.includes('O_APPEND') })
  }

  #write(call: Call, file: string, parts: readonly string[], at?: number): void {
    const open = this.#file(file)
    if (!open) return
    const bytes = Buffer.concat(parts.map(bytesOf)).subarray(0, call.result)
    const from = open.appends ? this.#seen.get(open.inode)!.data.length : (at ?? open.position)
    this.#change(call, { does: 'write', inode: open.inode, at: from, bytes })
    if (at === undefined) open.position = from + bytes.length
  }

  #allocate(call: Call, file: string, mode: string, at: number, size: number): void {
    const open = this.#file(file)
    if (!open) return
    const end = at + size
    if (/PUNCH_HOLE|ZERO_RANGE/.test(mode)) this.#change(call, { does: 'zero', inode: open.inode, at, size })
    else if (mode !== '0' && !/^FALLOC_FL_KEEP_SIZE$/.test(mode))
      throw new Error(`the model knows no fallocate ${mode}`)
    if (mode.includes('KEEP_SIZE') || this.#seen.get(open.inode)!.data.length >= end) return
    this.#change(call, { does: 'resize', inode: open.inode, size: end })
  }

  #copy(
    call: Call,
    [source, from]: readonly [string, number | undefined],
    [target, to]: readonly [string, number | undefined],
    size: number,
  ): void {
    const open = this.#file(target)
    if (!open) return
    const read = this.#file(source)
    if (!read) throw new Error(`copied from ${descriptorOf(source).path}, which the model does not know`)
    const at = from ?? read.position
    const bytes = this.#seen.get(read.inode)!.data.subarray(at, at + size)
    const position = to ?? open.position
    this.#change(call, { does: 'write', inode: open.inode, at: position, bytes })
    if (from === undefined) read.position += size
    if (to === undefined) open.position += size
  }

  #make(call: Call, at: string | undefined, path: string, inode: Inode): void {
    const place = this.#place(at, textOf(path))
    if (place !== undefined) this.#change(call, { does: 'name', ...place, to: this.#add(inode) })
  }

  #link(
    call: Call,
    [fromAt, from]: readonly [string | undefined, string],
    [toAt, to]: readonly [string | undefined, string],
  ): void {
    const inode = this.#find(fromAt, textOf(from))
    const place = this.#place(toAt, textOf(to))
    if (place === undefined) return
    if (inode === undefined) throw new Error(`linked from ${textOf(from)}, which the model does not know`)
    this.#change(call, { does: 'name', ...place, to: inode })
  }

  #rename(
    call: Call,
    [fromAt, from]: readonly [string | undefined, string],
    [toAt, to]: readonly [string | undefined, string],
    flags: string,
  ): void {
    const [source, target] = [this.#place(fromAt, textOf(from)), this.#place(toAt, textOf(to))]
    if (source === undefined && target === undefined) return
    if (source === undefined || target === undefined) throw new Error(`renamed across the store: ${textOf(from)}`)
    const inode = this.#named(source)!
    const other = this.#named(target)
    if (inode === other) return
    const come = { ...target, to: inode }
    const isExchange = flags.includes('RENAME_EXCHANGE')
    const left = flags.includes('RENAME_WHITEOUT') ? this.#add(whiteout) : undefined
    const gone = { ...source, to: isExchange ? other : left }
    const isOneStep = source.inode === target.inode || isExchange || this.#seen.get(inode)!.kind === 'directory'
    // A directory has one name at any time. Of a file the new name may be there before the old one is gone, or after.
    if (isOneStep) this.#change(call, { does: 'move', names: [gone, come] })
    else for (const half of [come, gone]) this.#change(call, { does: 'name', ...half })
  }

  #remove(call: Call, at: string | undefined, path: string): void {
    const place = this.#place(at, textOf(path))
    if (place !== undefined) this.#change(call, { does: 'name', ...place, to: undefined })
  }

  #mode(call: Call, inode: number | undefined, mode: string): void {
    if (inode === undefined) return
    const type = this.#seen.get(inode)!.mode & ~0o7777
    this.#change(call, { does: 'mode', inode, mode: type | modeOf(mode, 0) })
  }

  #xattr(call: Call, inode: number | undefined, name: string, value: Buffer | undefined): void {
    if (inode !== undefined) this.#change(call, { does: 'xattr', inode, name: textOf(name), value })
  }

  #sync(call: Call, inode: number | undefined, dataOnly: boolean): void {
    if (inode === undefined) return
    this.#flush(
      ({ change, end }) => end <= call.start && inodesOf(change).includes(inode) && (!dataOnly || isData(change)),
    )
  }

  #flush(which: (pending: Pending) => boolean): void {
    const rest: Pending[] = []
    const names = new Set<string>()
    const keysOf = (change: Change): string[] =>
      change.does === 'name'
        ? [`${change.inode} ${change.name}`]
        : change.does === 'move'
          ? change.names.map(({ inode, name }) => `${inode} ${name}`)
          : []
    // What is durable at a name hides what came to that name before.
    for (const one of [...this.#pending].reverse()) {
      const keys = keysOf(one.change)
      if (which(one)) for (const key of keys) names.add(key)
      else if (one.change.does !== 'name' || !names.has(keys[0]!)) rest.unshift(one)
    }
    for (const one of this.#pending) if (which(one)) apply(this.#durable, one.change)
    this.#pending = rest
  }

  #change(call: Call, change: Change): void {
    apply(this.#seen, change)
    this.#pending.push({ change, end: call.end })
  }

  #add(inode: Inode): number {
    const number = this.#inodes++
    this.#seen.set(number, inode)
    // No name leads to it there.
    this.#durable.set(number, inode)
    return number
  }

  #file(argument: string): OpenFile | undefined {
    return this.#files.get(descriptorOf(argument).fd ?? -1)
  }

  #named({ inode, name }: { readonly inode: number; readonly name: string }): number | undefined {
    return this.#seen.get(inode)!.names.get(name)
  }

  /** The directory and the name that a path ends in; `undefined` if it is not in here. */
  #place(at: string | undefined, path: string): { readonly inode: number; readonly name: string } | undefined {
    const names = path.replace(/\/+$/, '').split('/')
    const name = names.pop()!
    const inode = this.#find(at, names.join('/') + (path.startsWith('/') && names.length === 1 ? '/' : ''))
    return inode === undefined || this.#seen.get(inode)!.kind !== 'directory' ? undefined : { inode, name }
  }

  #find(at: string | undefined, path: string): number | undefined {
    const own = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1]
    if (own !== undefined) return this.#files.get(Number(own))?.inode
    let inode: number | undefined
    let rest = path
    if (path.startsWith('/')) {
      if (path !== this.#at && !path.startsWith(`${this.#at}/`)) return undefined
      inode = root
      rest = path.slice(this.#at.length)
    } else inode = at === undefined ? undefined : this.#file(at)?.inode
    for (const name of rest.split('/')) {
      if (inode === undefined) return undefined
      if (name !== '' && name !== '.') inode = this.#seen.get(inode)?.names.get(name)
    }
    return inode
  }
}

/** Calls that are recorded and change nothing that matters here: owners and times. */
const modelled = [
  ...['chown', 'lchown', 'fchown', 'fchownat', 'utimensat', 'utime', 'utimes', 'futimesat'],
  ...['sync_file_range', 'access', 'faccessat', 'faccessat2', 'sendfile', 'splice'],
]

const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')

const vectorOf = (argument: string): string[] =>
  [...argument.matchAll(/iov_base=("(?:\\x[0-9a-f]{2})*")/g)].map(([, text]) => text!)

/** strace shows a position that the call takes and gives back as `[17]` or `[17 => 20]`. */
const position = (argument: string): number | undefined =>
  argument === 'NULL' ? undefined : Number(/^\[(\d+)/.exec(argument)![1])

const modeOf = (argument: string, type = 0o100000): number =>
  type | (Number.parseInt(argument.replace(/^S_IF\w+\|/, ''), 8) || 0)

const symlink = (target: Buffer): Inode => ({ ...emptyInode, kind: 'symlink', data: target, mode: 0o120777 })

/** What the kernel leaves at the old name of what it moves, where it is asked to: a character device 0:0. */
const whiteout: Inode = { ...emptyInode, kind: 'node', mode: 0o020000 }

const types: Readonly<Record<string, number>> = {
  S_IFREG: 0o100000,
  S_IFCHR: 0o020000,
  S_IFBLK: 0o060000,
  S_IFIFO: 0o010000,
  S_IFSOCK: 0o140000,
}

function node(mode: string, device = ''): Inode {
  const type = types[/^S_IF\w+/.exec(mode)?.[0] ?? 'S_IFREG']!
  const [, major = '0', minor = '0'] = /makedev\((\w+), (\w+)\)/.exec(device) ?? []
  return {
    ...emptyInode,
    kind: type === types.S_IFREG ? 'file' : 'node',
    mode: modeOf(mode, type),
    device: (BigInt(major) << 8n) | BigInt(minor),
  }
}
