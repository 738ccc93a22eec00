import { fileURLToPath } from 'node:url'
import { type ByteString, byteString, bytesOf, decodeText, encodeText } from '../model/bytes.ts'
import { misuse } from './refusal.ts'

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

/** The bytes of a path. @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function pathBytes(path: PathLike): ByteString {
  const bytes = rawBytes(path)
  if (bytes.includes('\0')) {
    throw misuse('ERR_INVALID_ARG_VALUE', "The argument 'path' must be a string, Uint8Array, or URL without null bytes")
  }
  return bytes
}

/** A path as its user sees it, for messages. */
export function pathText(path: PathLike): string {
  return decodeText(rawBytes(path))
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

function rawBytes(path: PathLike): ByteString {
  if (typeof path === 'string') return encodeText(path)
  if (path instanceof Uint8Array) return byteString(path)
  if (path instanceof URL) return encodeText(fileURLToPath(path))
  throw misuse('ERR_INVALID_ARG_TYPE', 'The "path" argument must be of type string or an instance of Buffer or URL')
}
