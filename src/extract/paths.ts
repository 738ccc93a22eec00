import type { ByteString } from '../model/bytes.ts'

const ascii = /^[\x00-\x7f]*$/

/** A path as Node takes it, so that every byte arrives: text where that is the same, else the bytes themselves. */
export function onDisk(path: ByteString): string | Buffer {
  return ascii.test(path) ? path : Buffer.from(path, 'latin1')
}

/** A name that stands for itself in a directory: not empty, no dots, no separator. */
export function isPlainName(name: ByteString): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)
}

export function join(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`
}
