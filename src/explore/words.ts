import type { Exploration, FileTable, Owner } from './table.ts'
import { kinds } from './table.ts'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** Bytes in SI units with three significant digits, as every command writes them. */
export function sizeText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`
}

export function countText(count: number, thing: string, things = `${thing}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? thing : things}`
}

export function percentText(share: number): string {
  return `${(share * 100).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`
}

/** `2024-01-31 12:00`, in UTC. */
export function timeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().slice(0, 16).replace('T', ' ')
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12)
}

const letters = { file: '-', directory: 'd', symlink: 'l', character: 'c', block: 'b', fifo: 'p', socket: 's' } as const

/** `-rwsr-xr-x`, as `ls -l` writes it. */
export function modeText(kind: number, mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'))
  const special = (bit: number, at: number, letter: string) => {
    if (mode & bit) bits[at] = bits[at] === '-' ? letter.toUpperCase() : letter
  }
  special(0o4000, 2, 's')
  special(0o2000, 5, 's')
  special(0o1000, 8, 't')
  return letters[kinds[kind] ?? 'file'] + bits.join('')
}

export function ownerText(owner: Owner | undefined): string {
  if (owner === undefined) return ''
  const { uid, gid, user, group } = owner
  return `${user === '' ? uid : `${user} (${uid})`} : ${group === '' ? gid : `${group} (${gid})`}`
}

/** What made a layer, without what every step of a builder has around it. */
export function instructionText(createdBy: string): string {
  return createdBy
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replace(/^(RUN )?\/bin\/sh -c /, 'RUN ')
    .replace(/\s+# buildkit$/, '')
    .trim()
}

/** The target of a symlink. */
export function targetOf(files: FileTable, row: number): string | undefined {
  const { linked } = files
  let [low, high] = [0, linked.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (linked[middle]! < row) low = middle + 1
    else high = middle
  }
  return linked[low] === row ? targets(files)[low] : undefined
}

const split = new WeakMap<FileTable, readonly string[]>()

function targets(files: FileTable): readonly string[] {
  const known = split.get(files) ?? files.targets.split('\0')
  split.set(files, known)
  return known
}

/** Where the story of a row stands in the columns of steps; `undefined` if its layer says all. */
export function storyOf({ told, story }: FileTable, row: number): { from: number; to: number } | undefined {
  let [low, high] = [0, told.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (told[middle]! < row) low = middle + 1
    else high = middle
  }
  return told[low] === row ? { from: story[low]!, to: story[low + 1]! } : undefined
}

export function totalBytes({ layers }: Exploration): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0)
}
