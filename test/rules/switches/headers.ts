import type { Switches } from '../switch.ts'

/** Section 7: headers, numbers, extended headers. */
export const headers: Switches = {
  'F-01': {
    file: 'src/tar/numbers.ts',
    find: 'if (buffer[start]! & 0x80) return parseBase256(buffer, start, length)',
    put: '',
  },
  'F-02': { file: 'src/tar/header-values.ts', find: 'if (id < 0 || id > largestId)', put: 'if (id < 0)' },
  'F-03': {
    file: 'src/tar/assembler.ts',
    find: 'if (stored === unsigned - 256 * highBytes(blocks.buffer, at)) return',
    put: '',
  },
  'F-04': { file: 'src/tar/header.ts', find: `layout === 'gnu' || `, put: '' },
  'F-05': {
    file: 'src/tar/header.ts',
    find: 'const name = textOf(buffer, at, 100)',
    put: 'const name = textOf(buffer, at, 99)',
  },
  'F-06': {
    file: 'src/tar/assembler.ts',
    find: 'this.#longLink || extended?.linkpath ||',
    put: 'extended?.linkpath || this.#longLink ||',
  },
  'F-07': {
    file: 'src/tar/assembler.ts',
    find: `uid: ownerOf(`,
    put: `uid: textOf(buffer, at + 265, 32) === 'root' ? 0 : ownerOf(`,
  },
  'F-08': {
    file: 'src/layer/fresh-inode.ts',
    find: 'target: linkName,',
    put: `target: linkName.replace(/\\/+/g, '/'),`,
  },
  'P-01': {
    file: 'src/tar/pax.ts',
    find: 'bytes, equals + 1, end - 1)',
    put: 'bytes, equals + 1, Math.min(end - 1, bytes.indexOf(0x0a, equals + 1)))',
  },
  'P-02': {
    file: 'src/tar/pax.ts',
    find: `throw badLayer(entry, 'P-02', \`malformed extended header record at byte \${at} of it\`)`,
    put: 'return found',
  },
  'P-03': { file: 'src/tar/pax.ts', find: 'found[key] = start === end ? undefined :', put: 'found[key] =' },
  'P-04': { file: 'src/tar/pax.ts', find: 'found[key] = start === end', put: 'found[key] ??= start === end' },
  'P-05': {
    file: 'src/tar/assembler.ts',
    find: 'this.#extended = this.#replacing(this.#extended, parseExtended(bytes, entry))',
    put: `const { size, ...other } = parseExtended(bytes, entry)
        const said = Object.entries(other).filter(([, value]) => value !== undefined)
        this.#extended = { size, ...this.#extended, ...Object.fromEntries(said) } as Extended`,
  },
  'P-06': { file: 'src/tar/pax.ts', find: `case 'gid':`, put: '' },
  'P-07': {
    file: 'src/tar/pax.ts',
    find: `undefined : bytes.toString('latin1', start, end)`,
    put: `undefined : bytes.toString(key.endsWith('path') ? 'utf8' : 'latin1', start, end)`,
  },
  'P-08': {
    file: 'src/tar/assembler.ts',
    find: `const { known } = parseExtended(bytes, 'global extended header')`,
    put: `const { known } = (this.#extended = parseExtended(bytes, 'global extended header'))`,
  },
  'P-09': { file: 'src/tar/assembler.ts', find: 'if (size > extendedLimit) {', put: 'if (false) {' },
  'P-10': { file: 'src/tar/assembler.ts', find: 'if (this.#groupStart !== undefined) {', put: 'if (false) {' },
}
