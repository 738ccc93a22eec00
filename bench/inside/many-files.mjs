// Writes files that are all different: many-files.mjs DIRECTORY DIRECTORIES FILES-IN-EACH [BYTES-OF-EACH]
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [directory, directories, files, size = '2048'] = process.argv.slice(2)
const content = Buffer.alloc(Number(size))
for (let at = 0; at < content.length; at += 32) createHash('sha256').update(String(at)).digest().copy(content, at)
for (let i = 0; i < Number(directories); i++) {
  const place = join(directory, String(i))
  mkdirSync(place, { recursive: true })
  for (let j = 0; j < Number(files); j++) {
    content.writeUInt32LE(i * 2 ** 16 + j)
    writeFileSync(join(place, String(j)), content)
  }
}
