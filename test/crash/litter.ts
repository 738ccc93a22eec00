import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { bytesOf } from '../../src/model/bytes.ts'
import { kindOf } from '../../src/model/entry.ts'
import { isFiled } from '../../src/overlay/change.ts'
import { ChangeLog } from '../../src/overlay/change-log.ts'
import { PortableState } from '../../src/overlay/portable-state.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { isPortable, openUpper, type Place } from './forms.ts'

/** What is on the disk below a directory: paths and kinds. */
export function rawNames(root: string): Set<string> {
  const found = new Set<string>()
  const visit = (path: string): void => {
    for (const name of readdirSync(bytesOf(root + path), 'latin1')) {
      const at = `${path}/${name}`
      const { mode, rdev } = lstatSync(bytesOf(root + at))
      const kind = kindOf(mode)
      found.add(`${at} ${kind === 'character' && rdev === 0 ? 'whiteout' : kind}`)
      if (kind === 'directory') visit(at)
    }
  }
  if (existsSync(root)) visit('')
  return found
}

/**
 * What is left in the place of a closed upper and belongs to nothing. In overlayfs's form what stands in `upper` is to be
 * seen, and compared, but for whiteouts: `known` are the names that have been there before or after.
 */
export function litterIn(place: Place, known: ReadonlySet<string>): string[] {
  const { form, at } = place
  const blocks = wrongBlocks(place)
  if (isPortable(form)) return [...blocks, ...unnamedContents(at)]
  const upper = [...rawNames(join(at, 'upper'))]
    .filter((name) => name.endsWith(' whiteout') && !known.has(name))
    .map((name) => `upper${name}`)
  const inodes = new Set([...realInodes(join(at, 'upper')), ...realInodes(join(at, 'work/index'))])
  const work = [...rawNames(join(at, 'work'))].filter((name) => {
    if (/^\/(?:work|index|facts) directory$|^\/index\/[0-9a-f]+ /.test(name)) return false
    // What is known of an inode that carries no xattrs itself: its number comes first.
    const inode = /^\/facts\/([0-9a-f]+)-/.exec(name)?.[1]
    return inode === undefined || !inodes.has(Number.parseInt(inode, 16))
  })
  return [...blocks, ...upper, ...work.map((name) => `work${name}`)]
}

function wrongBlocks(place: Place): string[] {
  const upper = openUpper(place, true)
  try {
    return [...upper.blocks.check()].map(({ ino, problem }) => `extents/${ino}: ${problem}`)
  } finally {
    upper.close()
  }
}

function realInodes(root: string): number[] {
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, encoding: 'latin1' }).map(
    (name) => lstatSync(bytesOf(`${root}/${name}`)).ino,
  )
}

function unnamedContents(root: string): string[] {
  const state = new PortableState()
  ChangeLog.open({ disk: nodeDisk(), root, readOnly: true }, (change) => state.apply(change)).close()
  const named = new Set<string>()
  for (const { content } of state.inodes.values()) if (isFiled(content)) named.add(String(content.number))
  return readdirSync(join(root, 'inodes'))
    .filter((name) => !named.has(name))
    .map((name) => `inodes/${name}`)
}
