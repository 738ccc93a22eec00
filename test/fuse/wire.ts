import { Dispatcher } from '../../src/fuse/dispatcher.ts'
import { type opcodes as codes, opcodes, replyHeaderSize, requestHeaderSize } from '../../src/fuse/protocol.ts'
import { Reply } from '../../src/fuse/reply.ts'
import { Request } from '../../src/fuse/request.ts'
import type { ServingOptions } from '../../src/fuse/session.ts'
import { bytesOf } from '../../src/model/bytes.ts'
import type { Tree } from '../../src/stack/tree.ts'
import type { WritableUnion } from '../../src/union/union.ts'

/** Part of a request's body: numbers of 32 and of 64 bits, names (with a NUL) and bytes. */
export type Part = number | bigint | string | Uint8Array

export interface Caller {
  readonly uid?: number
  readonly gid?: number
}

export interface Answered {
  /** 0, or a negative errno. */
  readonly error: number
  readonly body: Buffer
}

/** A request as the kernel writes it. */
export function requestBytes(
  opcode: keyof typeof codes | number,
  node: number,
  parts: readonly Part[],
  { uid = 0, gid = 0 }: Caller = {},
  unique = 7n,
): Buffer {
  const body = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return bytesOf(`${part}\0`)
      if (part instanceof Uint8Array) return Buffer.from(part)
      const number = Buffer.alloc(typeof part === 'bigint' ? 8 : 4)
      if (typeof part === 'bigint') number.writeBigUInt64LE(BigInt.asUintN(64, part))
      else number.writeUInt32LE(part >>> 0)
      return number
    }),
  )
  const header = Buffer.alloc(requestHeaderSize)
  header.writeUInt32LE(requestHeaderSize + body.length, 0)
  header.writeUInt32LE(typeof opcode === 'number' ? opcode : opcodes[opcode], 4)
  header.writeBigUInt64LE(unique, 8)
  header.writeBigUInt64LE(BigInt(node), 16)
  header.writeUInt32LE(uid, 24)
  header.writeUInt32LE(gid, 28)
  return Buffer.concat([header, body])
}

/** Speaks to a dispatcher as the kernel does, without any device. */
export class Wire {
  readonly dispatcher: Dispatcher
  readonly #request = new Request((1 << 20) + 8192)
  readonly #reply = new Reply((1 << 20) + 8192)
  #unique = 0n

  constructor(tree: Tree | WritableUnion, options: ServingOptions = {}) {
    this.dispatcher = new Dispatcher(tree, this.#request, this.#reply, options)
    this.dispatcher.onMistake = (error) => {
      throw error
    }
  }

  /** Agrees as Linux 6.18 does. */
  init(): Answered {
    return this.ask('init', 0, [7, 45, 131072, 0x73fffffb, 0x5fd, ...Array<number>(11).fill(0)])!
  }

  /** `undefined`: it was not answered. */
  ask(
    opcode: keyof typeof codes | number,
    node: number,
    parts: readonly Part[] = [],
    caller: Caller = {},
  ): Answered | undefined {
    this.#unique += 2n
    return this.send(requestBytes(opcode, node, parts, caller, this.#unique))
  }

  /** The name of the last request. */
  get unique(): bigint {
    return this.#unique
  }

  send(bytes: Uint8Array): Answered | undefined {
    this.#request.memory.set(bytes)
    return this.#answered(this.dispatcher.answer(bytes.length))
  }

  late(): Answered | undefined {
    return this.#answered(this.dispatcher.late())
  }

  /** The answer of the control request that waits. */
  async control(): Promise<Answered | undefined> {
    return this.#answered(await this.dispatcher.control())
  }

  #answered(length: number): Answered | undefined {
    if (length === 0) return undefined
    const bytes = Buffer.from(this.#reply.memory.subarray(0, length))
    if (bytes.readUInt32LE(0) !== length) throw new Error('the answer says another length')
    return { error: bytes.readInt32LE(4), body: bytes.subarray(replyHeaderSize) }
  }
}

/** The parts of `struct fuse_attr` that tests ask for. */
export function attributesIn(body: Buffer, at: number) {
  const time = (seconds: number, rest: number) =>
    body.readBigInt64LE(at + seconds) * 1_000_000_000n + BigInt(body.readUInt32LE(at + rest))
  return {
    ino: Number(body.readBigUInt64LE(at)),
    size: Number(body.readBigUInt64LE(at + 8)),
    blocks: Number(body.readBigUInt64LE(at + 16)),
    atime: time(24, 48),
    mtime: time(32, 52),
    ctime: time(40, 56),
    mode: body.readUInt32LE(at + 60),
    links: body.readUInt32LE(at + 64),
    uid: body.readUInt32LE(at + 68),
    gid: body.readUInt32LE(at + 72),
    device: body.readUInt32LE(at + 76),
  }
}

/** `struct fuse_entry_out` */
export function entryIn(body: Buffer, at = 0) {
  return {
    node: Number(body.readBigUInt64LE(at)),
    nameValid: Number(body.readBigUInt64LE(at + 16)),
    attributesValid: Number(body.readBigUInt64LE(at + 24)),
    ...attributesIn(body, at + 40),
  }
}

/** `struct fuse_open_out` */
export function handleIn(body: Buffer, at = 0): bigint {
  return body.readBigUInt64LE(at)
}

/** Names and offsets of `struct fuse_dirent`s, with the number in front of each where there are entries before them. */
export function directoryEntriesIn(body: Buffer, plus: boolean) {
  const entries: { name: string; ino: number; type: number; next: bigint; node: number | undefined }[] = []
  for (let at = 0; at < body.length; ) {
    const node = plus ? Number(body.readBigUInt64LE(at)) : undefined
    if (plus) at += 128
    const length = body.readUInt32LE(at + 16)
    entries.push({
      name: body.toString('latin1', at + 24, at + 24 + length),
      ino: Number(body.readBigUInt64LE(at)),
      type: body.readUInt32LE(at + 20),
      next: body.readBigUInt64LE(at + 8),
      node,
    })
    at += (24 + length + 7) & ~7
  }
  return entries
}
