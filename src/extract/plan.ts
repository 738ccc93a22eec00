import { type ByteString, decodeText, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import { isPlainName, join } from './paths.ts'

/** One object to be made. `path` is a byte string without a leading slash; that of the root is `''`. */
export interface Planned {
  readonly path: ByteString
  readonly ino: number
}

/** One more name for something made before. */
export interface PlannedLink extends Planned {
  readonly to: ByteString
}

/** All that will stand in a directory, in the order in which it is made (layer-semantics D-02). */
export interface Plan {
  /** Parents before children, the root first. */
  readonly directories: readonly Planned[]
  readonly files: readonly Planned[]
  readonly links: readonly PlannedLink[]
  /** Devices and fifos. */
  readonly nodes: readonly Planned[]
  readonly symlinks: readonly Planned[]
  /** Hardlinks to nodes and symlinks, which are there only at the end. */
  readonly lateLinks: readonly PlannedLink[]
  /** Paths that are left out. */
  readonly sockets: readonly ByteString[]
  /** Inodes that will be made, the root among them. */
  readonly inodes: number
  /** Bytes of all contents, holes included. */
  readonly bytes: number
}

/** What a place on a disk can take. */
export interface Limits {
  /** For messages: where it is. */
  readonly where: string
  /** Bytes that a path of the tree may have there. */
  readonly longestPath: number
  /** The disk takes names that differ in case or normal form for one. */
  readonly foldsNames: boolean
}

/**
 * Looks at a whole tree before anything of it is written.
 *
 * @throws PLY_UNREPRESENTABLE for the first path that cannot be written there (D-03, N-08, N-09); PLY_ABORTED
 */
export async function planExtraction(tree: Tree, limits: Limits, signal?: AbortSignal): Promise<Plan> {
  const pace = new Pace(signal)
  const directories: Planned[] = [{ path: '', ino: tree.root }]
  const files: Planned[] = []
  const links: PlannedLink[] = []
  const nodes: Planned[] = []
  const symlinks: Planned[] = []
  const lateLinks: PlannedLink[] = []
  const sockets: ByteString[] = []
  let bytes = 0
  const first = new Map<number, ByteString>()
  // A damaged or hostile tree may have a directory inside itself, or under two names.
  const seen = new Set<number>([tree.root])

  for (let at = 0; at < directories.length; at++) {
    const directory = directories[at]!
    const folded = limits.foldsNames ? new Map<string, ByteString>() : undefined
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      if (pace.due()) await pace.rest()
      const path = join(directory.path, name)
      checkName(path, name, limits)
      if (folded) checkTwin(folded, directory.path, name, limits)
      if (kind === 'directory') {
        if (seen.has(ino)) throw refusal(path, limits, 'the tree has this directory twice')
        seen.add(ino)
        // Attributes that cannot be had, such as an owner outside a mapping, are found before anything is written.
        tree.stat(ino)
        directories.push({ path, ino })
        continue
      }
      if (kind === 'socket') {
        sockets.push(path)
        continue
      }
      const { links: count, size } = tree.stat(ino)
      if (count > 1) {
        const to = first.get(ino)
        if (to !== undefined) {
          ;(kind === 'file' ? links : lateLinks).push({ path, ino, to })
          continue
        }
        first.set(ino, path)
      }
      if (kind === 'symlink') checkTarget(path, size, limits)
      if (kind === 'file') bytes += size
      ;(kind === 'file' ? files : kind === 'symlink' ? symlinks : nodes).push({ path, ino })
    }
  }
  const inodes = directories.length + files.length + nodes.length + symlinks.length
  return { directories, files, links, nodes, symlinks, lateLinks, sockets, inodes, bytes }
}

function checkName(path: ByteString, name: ByteString, limits: Limits): void {
  if (!isPlainName(name)) throw refusal(path, limits, 'a name that is no name')
  if (name.length > 255) throw refusal(path, limits, `a name of ${name.length} bytes; at most 255 are possible (N-08)`)
  if (path.length > limits.longestPath) {
    const reason = `a path of ${path.length} bytes; at most ${limits.longestPath} are possible there; use a shorter target path or leave it out (N-08)`
    throw refusal(path, limits, reason)
  }
}

function checkTarget(path: ByteString, size: number, limits: Limits): void {
  if (size === 0) throw refusal(path, limits, 'a symlink to nothing')
  if (size > 4095) throw refusal(path, limits, `a symlink with ${size} bytes of target; at most 4095 are possible`)
}

/** Adds a name to those of its directory as a folding disk sees them. */
function checkTwin(folded: Map<string, ByteString>, directory: ByteString, name: ByteString, limits: Limits): void {
  const key = decodeText(name).normalize('NFC').toUpperCase().toLowerCase()
  const twin = folded.get(key)
  if (twin !== undefined) {
    const other = displayText(join(directory, twin))
    throw refusal(join(directory, name), limits, `that disk takes it and /${other} for one name (N-09)`)
  }
  folded.set(key, name)
}

function refusal(path: ByteString, { where }: Limits, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path: `/${displayText(path)}`, where, reason })
}
