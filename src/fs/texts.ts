import { fileURLToPath } from 'node:url'
import { type ByteString, byteString, bytesOf, decodeText, encodeText } from '../model/bytes.ts'
import { wrongType, wrongValue } from './validation.ts'

/** A path: text (UTF-8), its very bytes, or a `file:` URL. Relative paths start at the root. */
export type PathLike = string | Uint8Array | URL

export type EncodingOption =
  | BufferEncoding
  | 'buffer'
  | null
  | undefined
  | { readonly encoding?: BufferEncoding | 'buffer' | null | undefined }

/** What names are in an encoding that was asked for. */
export type Named<Option> = Option extends 'buffer' | { readonly encoding: 'buffer' } ? Buffer : string

/** The bytes of a path; `name` is what the argument is called. @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function pathBytes(path: PathLike, name = 'path'): ByteString {
  const given = isUrl(path) ? fileURLToPath(path) : path
  const bytes = rawBytes(given)
  if (bytes === undefined) wrongType(name, ['string', 'Buffer', 'URL'], path)
  if (bytes.includes('\0')) wrongValue(name, given, 'must be a string, Uint8Array, or URL without null bytes')
  return bytes
}

/** A path as its user sees it, for messages. */
export function pathText(path: PathLike): string {
  return typeof path === 'string' ? path : decodeText(pathBytes(path))
}

/** A name or path in the encoding that the options of a call ask for; UTF-8 by default. */
export function encoded<Option extends EncodingOption>(bytes: ByteString, option: Option): Named<Option> {
  const encoding =
    typeof option === 'object' && option !== null ? option.encoding : (option as BufferEncoding | 'buffer' | undefined)
  const text =
    encoding === 'buffer'
      ? bytesOf(bytes)
      : !encoding || encoding === 'utf8' || encoding === 'utf-8'
        ? decodeText(bytes)
        : bytesOf(bytes).toString(encoding)
  return text as Named<Option>
}

function rawBytes(path: string | Uint8Array): ByteString | undefined {
  if (typeof path === 'string') return encodeText(path)
  return path instanceof Uint8Array ? byteString(path) : undefined
}

function isUrl(path: unknown): path is URL {
  if (typeof path !== 'object' || path === null) return false
  const { href, protocol, auth, path: inside } = path as Partial<URL> & { auth?: unknown; path?: unknown }
  return Boolean(href && protocol && auth === undefined && inside === undefined)
}
