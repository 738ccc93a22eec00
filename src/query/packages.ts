import { type ByteString, byteString } from '../model/bytes.ts'
import { isErrnoName } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { realPath, resolvePath } from '../union/resolve.ts'
import { walkTree } from './walk.ts'

/** A list of files is a list of files, not a file system: more of one is not read. */
const most = 1 << 26

/** Which package a file came with, by a byte string path without a leading slash; `undefined` for one that came with none. */
export type PackageOf = (path: ByteString) => string | undefined

/**
 * The packages of a tree, by what its package managers keep in it: dpkg (`/var/lib/dpkg/info/*.list`, and `status.d` of images without
 * a shell), apk (`/lib/apk/db/installed`), pip (`RECORD` of a `.dist-info`, `installed-files.txt` of an `.egg-info`; shown as
 * `pip:NAME`) and npm (what is under `node_modules/NAME`; `npm:NAME`). Names are text without architecture. Packages that were removed
 * own nothing, and what dpkg or apk brought is theirs. The database of rpm is no plain file: its packages are not known.
 */
export function packagesOf(tree: Tree): PackageOf {
  const owners = new Map<ByteString, string>()
  const directories = new Map<ByteString, ByteString>()
  /** Lists name files as they were packed; on the disk the way there may lead over a symlink, such as /bin. */
  const really = (directory: ByteString): ByteString => {
    let known = directories.get(directory)
    if (known === undefined) directories.set(directory, (known = realDirectory(tree, directory)))
    return known
  }
  const own = (path: ByteString, owner: string): void => {
    const slash = path.lastIndexOf('/')
    const directory = really(slash < 0 ? '' : path.slice(0, slash))
    const name = path.slice(slash + 1)
    if (name !== '') owners.set(directory === '' ? name : `${directory}/${name}`, owner)
  }
  readPip(tree, own)
  for (const { name, text } of filesIn(tree, '/var/lib/dpkg/info', '.list')) {
    const owner = name.slice(0, -'.list'.length).replace(/:[^:]*$/, '')
    for (const line of text.split('\n')) if (line.startsWith('/')) own(line.slice(1), owner)
  }
  for (const { name, text } of filesIn(tree, '/var/lib/dpkg/status.d', '.md5sums')) {
    const owner = name.slice(0, -'.md5sums'.length)
    for (const line of text.split('\n')) if (line.length > 34) own(line.slice(34), owner)
  }
  for (const place of ['/lib/apk/db/installed', '/usr/lib/apk/db/installed']) readApk(textAt(tree, place), own)
  return (path) => owners.get(path) ?? npmPackage(path)
}

/** The package of the last `node_modules` on the way; what npm itself keeps there is nobody's. */
function npmPackage(path: ByteString): string | undefined {
  const name = /(?:^|.*\/)node_modules\/((?:@[^/]+\/)?[^/@.][^/]*)\//s.exec(path)?.[1]
  return name && `npm:${name}`
}

/** Lists of files relative to `site-packages`, or to the directory of an egg, wherever those are. */
function readPip(tree: Tree, own: (path: ByteString, owner: string) => void): void {
  for (const { path, name, kind, ino } of walkTree(tree)) {
    if (kind !== 'directory') continue
    const wheel = name.endsWith('.dist-info')
    if (!wheel && !name.endsWith('.egg-info')) continue
    const list = tree.lookup(ino, wheel ? 'RECORD' : 'installed-files.txt')
    if (list === undefined || tree.stat(list).kind !== 'file') continue
    const owner = `pip:${name
      .replace(/(?:-.*)?\.[a-z]+-info$/, '')
      .replace(/[-_.]+/g, '-')
      .toLowerCase()}`
    const from = wheel ? path.slice(0, -name.length) : `${path}/`
    for (const line of textOf(tree, list).split(/\r?\n/)) {
      const file = wheel ? /^"((?:[^"]|"")*)"|^([^,]*)/.exec(line) : [line, undefined, line]
      const named = file?.[1]?.replaceAll('""', '"') ?? file?.[2] ?? ''
      if (named !== '') own(cleaned(named.startsWith('/') ? named : from + named), owner)
    }
  }
}

/** A path without `.` and `..`. */
function cleaned(path: ByteString): ByteString {
  const names: ByteString[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names.join('/')
}

/** Records of lines with a letter in front: P a package, F a directory of it, R a file in that. */
function readApk(text: string, own: (path: ByteString, owner: string) => void): void {
  let owner = ''
  let directory = ''
  for (const line of text.split('\n')) {
    const value = line.slice(2)
    if (line.startsWith('P:')) owner = value
    else if (line.startsWith('F:')) directory = value
    else if (line.startsWith('R:')) own(directory === '' ? value : `${directory}/${value}`, owner)
  }
}

function realDirectory(tree: Tree, directory: ByteString): ByteString {
  if (directory === '') return ''
  try {
    return realPath(tree, `/${directory}`).slice(1)
  } catch (error) {
    if (isErrnoName((error as { code?: unknown }).code)) return directory
    throw error
  }
}

function* filesIn(
  tree: Tree,
  directory: ByteString,
  ending: string,
): Generator<{ readonly name: ByteString; readonly text: string }> {
  const ino = inodeAt(tree, directory)
  if (ino === undefined || tree.stat(ino).kind !== 'directory') return
  for (const entry of tree.list(ino)) {
    if (entry.kind === 'file' && entry.name.endsWith(ending)) yield { name: entry.name, text: textOf(tree, entry.ino) }
  }
}

function textAt(tree: Tree, path: ByteString): string {
  const ino = inodeAt(tree, path)
  return ino !== undefined && tree.stat(ino).kind === 'file' ? textOf(tree, ino) : ''
}

function inodeAt(tree: Tree, path: ByteString): number | undefined {
  try {
    return resolvePath(tree, path, { follow: true }).ino
  } catch (error) {
    if (isErrnoName((error as { code?: unknown }).code)) return undefined
    throw error
  }
}

function textOf(tree: Tree, ino: number): string {
  const content = tree.open(ino)
  try {
    const bytes = Buffer.allocUnsafe(Math.min(content.size, most))
    return byteString(bytes.subarray(0, content.read(bytes, 0)))
  } finally {
    content.close()
  }
}
