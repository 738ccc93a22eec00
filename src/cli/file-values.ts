import { listTime } from './ages.ts'
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

const kindLetters = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
} as const satisfies Record<Kind, string>

/** `-rwsr-xr-x`, as `ls -l` writes it. */
export function modeText({ kind, mode }: Pick<Stat, 'kind' | 'mode'>): string {
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
    listTime(stat.mtime),
    stat.kind === 'symlink' ? `${displayText(name)} -> ${displayText(tree.readlink(ino))}` : displayText(name),
  ]
}
