import { type ByteString, bytesOf, compareBytes, displayText, encodeText } from '../model/bytes.ts'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/documents.ts'
import { defaultDirectory, noXattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import { type ByteStream, memoryBytes, streamOf } from '../stream/bytes.ts'
import { encodeHeader, endMarker, type MemberFields, type MemberType, paddingOf } from '../tar/index.ts'
import type { Layer } from './image.ts'

/** What may be said of any file. Default: mode 644 (755 for directories), owner 0:0, time 0. */
export interface FileAttributes {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Nanoseconds since the epoch. */
  readonly mtime?: bigint
}

/** One file of a layer: its content (text is UTF-8), or what else it is. */
export type FileSpec =
  | string
  | Uint8Array
  | ({ readonly content: string | Uint8Array } & FileAttributes)
  | ({ readonly directory: true } & FileAttributes)
  | ({ readonly symlink: string } & FileAttributes)

/**
 * A layer made from a plain object, in memory: paths (text) to files. Directories on the way are made. The same files
 * give the same layer, in whatever order they are named.
 *
 * @throws PLY_UNREPRESENTABLE for a path that leaves the root, stands at two places, or would be read as a whiteout
 */
export function layerFrom(files: Readonly<Record<string, FileSpec>>): Layer {
  const members = new Map<ByteString, { readonly fields: MemberFields; readonly content: Uint8Array }>()
  for (const [path, spec] of Object.entries(files)) {
    const parts = partsOf(path)
    const name = parts.join('/')
    if (members.has(name)) throw unrepresentable(path, 'another path of the object names the same file')
    members.set(name, memberOf(name, spec))
  }
  for (const name of [...members.keys()]) addParents(name, members)

  const order = [...members.keys()].sort((a, b) => compareBytes(a.replaceAll('/', '\0'), b.replaceAll('/', '\0')))
  const blocks: Uint8Array[] = []
  for (const name of order) {
    const { fields, content } = members.get(name)!
    blocks.push(encodeHeader(fields), content, new Uint8Array(paddingOf(content.length)))
  }
  const tar = Buffer.concat([...blocks, endMarker])
  const digest = digestOf(tar)
  const read = ({ signal }: Operation = {}): ByteStream => abortable(streamOf(memoryBytes(tar)), signal)
  return {
    descriptor: { mediaType: mediaTypes.ociLayer, digest, size: tar.length },
    diffId: digest,
    compressed: read,
    uncompressed: read,
  }
}

function memberOf(name: ByteString, spec: FileSpec): { readonly fields: MemberFields; readonly content: Uint8Array } {
  if (typeof spec === 'string' || spec instanceof Uint8Array) return memberOf(name, { content: spec })
  if ('directory' in spec) return { fields: fieldsOf('5', `${name}/`, spec, 0o755), content: new Uint8Array(0) }
  if ('symlink' in spec) {
    const fields = { ...fieldsOf('2', name, spec, 0o777), linkName: encodeText(spec.symlink) }
    return { fields, content: new Uint8Array(0) }
  }
  const content = typeof spec.content === 'string' ? bytesOf(encodeText(spec.content)) : spec.content
  return { fields: { ...fieldsOf('0', name, spec, 0o644), size: content.length }, content }
}

function fieldsOf(type: MemberType, name: ByteString, attributes: FileAttributes, usualMode: number): MemberFields {
  const { mode = usualMode, uid = 0, gid = 0, mtime = 0n } = attributes
  return { type, name, linkName: '', mode, uid, gid, size: 0, mtime, major: 0, minor: 0, xattrs: noXattrs }
}

function addParents(name: ByteString, members: Map<ByteString, { fields: MemberFields; content: Uint8Array }>): void {
  for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
    const parent = name.slice(0, slash)
    const there = members.get(parent)
    if (there !== undefined) {
      if (there.fields.type !== '5')
        throw unrepresentable(displayText(name), `/${displayText(parent)} is not a directory`)
    } else {
      members.set(parent, memberOf(parent, { directory: true, ...defaultDirectory }))
    }
  }
}

function partsOf(path: string): ByteString[] {
  const parts = encodeText(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.')
  if (parts.length === 0) throw unrepresentable(path, 'it names no file')
  if (parts.includes('..')) throw unrepresentable(path, '.. would leave the directory it stands in')
  if (parts.some((part) => part.startsWith('.wh.'))) {
    throw unrepresentable(path, 'a name that starts with .wh. would be read as a whiteout (layer-semantics E-10)')
  }
  return parts
}

function unrepresentable(path: string, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path, where: 'a layer', reason })
}
