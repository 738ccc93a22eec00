import { listTime, rfc3339 } from './ages.ts'
import { jsonLine } from './json.ts'
import type { Accounts, Kind, Library, Stat, Tree } from './library.ts'
import { binarySize } from './sizes.ts'

/**
 * A path for `--json`: text with a leading slash; where the bytes are not UTF-8, `pathBytes` holds them in base64, since the text
 * then has U+FFFD in their place.
 */
export function pathFields(bytes: string, { decodeText, encodeText }: Library): { path: string; pathBytes?: string } {
  const path = decodeText(bytes)
  if (encodeText(path) === bytes) return { path: `/${path}` }
  return { path: `/${path}`, pathBytes: Buffer.from(`/${bytes}`, 'latin1').toString('base64') }
}

/** Everything about one inode: what `stat` and `ls` show with `--json`. */
export function fileValue(tree: Tree, ino: number, path: string, library: Library): object {
  const stat = tree.stat(ino)
  const { decodeText } = library
  const xattrs = [...tree.xattrs(ino)].map(([name, value]) => [decodeText(name), value] as const)
  return {
    ...pathFields(path, library),
    ...stat,
    ...(stat.kind === 'symlink' && { target: decodeText(tree.readlink(ino)) }),
    ...(xattrs.length > 0 && { xattrs: Object.fromEntries(xattrs) }),
  }
}

/** As `jsonLine(fileValue(…))`, made at once: of a million entries most of the time would go into copies. */
export function fileLine(tree: Tree, ino: number, path: string, library: Library): string {
  const xattrs = tree.xattrs(ino)
  const { decodeText, encodeText } = library
  const text = decodeText(path)
  const { ino: number, kind, mode, uid, gid, mtime, size, links, major, minor, atime, ctime } = tree.stat(ino)
  const plain = xattrs.size === 0 && atime === undefined && ctime === undefined
  if (!plain || (text !== path && encodeText(text) !== path)) return jsonLine(fileValue(tree, ino, path, library))
  const target = kind === 'symlink' ? `,"target":${JSON.stringify(decodeText(tree.readlink(ino)))}` : ''
  return `{"path":${JSON.stringify(`/${text}`)},"ino":${number},"kind":"${kind}","mode":${mode},"uid":${uid},"gid":${gid},"mtime":"${timeText(mtime)}","size":${size},"links":${links},"major":${major},"minor":${minor}${target}}`
}

let lastTime = 0n
let lastTimeText = rfc3339(0n)

/** Most files of an image have the time of the one before. */
function timeText(time: bigint): string {
  if (time !== lastTime) {
    lastTimeText = rfc3339(time)
    lastTime = time
  }
  return lastTimeText
}

let lastShort = 0n
let lastShortText = listTime(0n)

function shortTime(time: bigint): string {
  if (time !== lastShort) {
    lastShortText = listTime(time)
    lastShort = time
  }
  return lastShortText
}

const kindLetters = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
} as const satisfies Record<Kind, string>

/** Few modes make up a whole image. */
const modes = new Map<string, Map<number, string>>()

/** `-rwsr-xr-x`, as `ls -l` writes it. */
export function modeText({ kind, mode }: Pick<Stat, 'kind' | 'mode'>): string {
  let known = modes.get(kind)
  if (known === undefined) modes.set(kind, (known = new Map()))
  let text = known.get(mode)
  if (text === undefined) known.set(mode, (text = writtenMode(kind, mode)))
  return text
}

function writtenMode(kind: Kind, mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'))
  const special = (bit: number, at: number, letter: string) => {
    if (mode & bit) bits[at] = bits[at] === '-' ? letter.toUpperCase() : letter
  }
  special(0o4000, 2, 's')
  special(0o2000, 5, 's')
  special(0o1000, 8, 't')
  return kindLetters[kind] + bits.join('')
}

/** How lines of `ls -l` are to look. */
export interface LongOptions {
  /** Names for owners, by the tree's own accounts; without it numbers. */
  readonly accounts?: Accounts | undefined
  /** Sizes in powers of 1024. */
  readonly human?: boolean | undefined
}

/** The cells of one line of `ls -l`: mode, links, owner, group, size or device, time, name. */
export function longCells(
  tree: Tree,
  ino: number,
  name: string,
  { displayText, encodeText }: Library,
  { accounts, human }: LongOptions = {},
): string[] {
  const stat = tree.stat(ino)
  const device = stat.kind === 'character' || stat.kind === 'block'
  const known = (names: ReadonlyMap<number, string> | undefined, number: number) =>
    displayText(names?.get(number) ?? encodeText(String(number)))
  return [
    modeText(stat),
    String(stat.links),
    known(accounts?.users, stat.uid),
    known(accounts?.groups, stat.gid),
    device ? `${stat.major}, ${stat.minor}` : human ? binarySize(stat.size) : String(stat.size),
    shortTime(stat.mtime),
    stat.kind === 'symlink' ? `${displayText(name)} -> ${displayText(tree.readlink(ino))}` : displayText(name),
  ]
}
