import { gunzipSync, gzipSync } from 'node:zlib'

const magic = 'plyfs corpus 1\n'

/** Many inputs in one small file: a line that says so, then each as its length (4 bytes, big endian) and its bytes; gzip. */
export function packCorpus(inputs: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(magic)]
  for (const input of inputs) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(input.length)
    parts.push(length, input)
  }
  return gzipSync(Buffer.concat(parts), { level: 9 })
}

export function unpackCorpus(file: Uint8Array): Buffer[] {
  const bytes = gunzipSync(file)
  if (bytes.toString('latin1', 0, magic.length) !== magic) throw new Error('this is not a corpus')
  const inputs: Buffer[] = []
  for (let at = magic.length; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new Error('the corpus is cut off')
    inputs.push(Buffer.from(bytes.subarray(at + 4, end)))
    at = end
  }
  return inputs
}
