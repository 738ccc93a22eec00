import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** What an inode is, where the real one that stands in for it cannot be that. */
export interface Override {
  readonly uid: number
  readonly gid: number
  /** The low 12 bits. */
  readonly mode: number
  /** Absent: what the real inode is. */
  readonly kind?: Kind
  readonly major: number
  readonly minor: number
}

/** The xattr that the rootless tools share (containers/storage, fuse-overlayfs). */
export const overrideName: ByteString = 'user.containers.override_stat'

const words = {
  file: 'file',
  directory: 'dir',
  symlink: 'symlink',
  fifo: 'pipe',
  socket: 'socket',
  block: 'block',
  character: 'char',
} as const satisfies Record<Kind, string>

const kinds = Object.entries(words) as [Kind, string][]

/** `uid:gid:mode:type` as containers/storage writes it: mode in octal, of devices `block-8-1`. */
export function encodeOverride({ uid, gid, mode, kind, major, minor }: Override & { readonly kind: Kind }): Buffer {
  const device = kind === 'block' || kind === 'character' ? `-${major}-${minor}` : ''
  return Buffer.from(`${uid}:${gid}:${mode.toString(8).padStart(4, '0')}:${words[kind]}${device}`)
}

/**
 * Reads what any of the tools wrote: with or without a type, with type bits in the mode (they say nothing), with something behind the
 * type (that is for later versions).
 *
 * @throws PLY_BAD_DOCUMENT (layer-semantics U-03)
 */
export function decodeOverride(value: Uint8Array, path: ByteString): Override {
  const text = Buffer.from(value).toString('latin1')
  const found = /^(\d+):(\d+):([0-7]+)(?::([a-z]+)(?:-(\d+)-(\d+))?.*)?$/s.exec(text)
  const [, uid, gid, mode, word, major = 0, minor = 0] = found ?? []
  const kind = kinds.find(([, each]) => each === word)?.[0]
  const numbers = [uid, gid, major, minor].map(Number)
  const isDevice = kind === 'block' || kind === 'character'
  if (
    !found ||
    (word !== undefined && !kind) ||
    numbers.some((each) => each > 0xffffffff) ||
    (isDevice && found[5] === undefined)
  ) {
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: `${overrideName} of ${path}`,
      reason: `${JSON.stringify(text.slice(0, 100))} is not uid:gid:mode:type`,
    })
  }
  return {
    uid: Number(uid),
    gid: Number(gid),
    mode: Number.parseInt(mode!, 8) & 0o7777,
    ...(kind && { kind }),
    major: isDevice ? Number(major) : 0,
    minor: isDevice ? Number(minor) : 0,
  }
}
