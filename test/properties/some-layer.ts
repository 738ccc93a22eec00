import { dir, file, gone, link, opaque, symlink } from '../layer/parts.ts'
import { member, pax } from '../tar/raw.ts'
import type { Dice } from './seed.ts'

/** A member of a layer that nobody's tool would have written: whatever says something at a few names. */
export interface Part {
  readonly says: 'file' | 'directory' | 'symlink' | 'device' | 'link' | 'whiteout' | 'opaque'
  readonly path: string
  /** Of links and symlinks. */
  readonly to: string
  readonly bytes: Buffer
}

const names = ['a', 'b', 'c', 'a', 'b', 'c', 'd-', 'a.b']

/** For the messages of failing tests. */
export function partText({ says, path, to }: Part): string {
  return says === 'link' || says === 'symlink' ? `${says} ${path} -> ${to}` : `${says} ${path}`
}

function somePath(dice: Dice): string {
  const depth = 1 + dice.below(3)
  return Array.from({ length: depth }, () => dice.pick(names)).join('/')
}

/** How the same name is spelled (N-01). */
function spelled(dice: Dice, path: string): string {
  return dice.once(6)
    ? dice.pick([`./${path}`, `/${path}`, path.replaceAll('/', '//'), path.replaceAll('/', '/./')])
    : path
}

export function somePart(dice: Dice): Part {
  const path = somePath(dice)
  const to = somePath(dice)
  const name = spelled(dice, path)
  const attributes = { mode: dice.pick([0o644, 0o700, 0o4711]), uid: dice.below(3), mtime: dice.below(3) * 1000 }
  const extended = dice.once(5) ? pax({ 'SCHILY.xattr.user.k': dice.pick(['v', 'w']), mtime: '-1.5' }) : Buffer.alloc(0)
  const part = (says: Part['says'], bytes: Buffer): Part => ({
    says,
    path,
    to,
    bytes: Buffer.concat([extended, bytes]),
  })
  switch (dice.below(12)) {
    case 0:
    case 1:
    case 2:
      return part('file', file(name, `${path} ${dice.below(100)}`, attributes))
    case 3:
    case 4:
      return part('directory', dir(dice.once(2) ? name : `${name}/`, attributes))
    case 5: {
      const target = dice.pick([to, `/${to}`, `../${to}`, '.', '..'])
      return { ...part('symlink', symlink(name, target)), to: target }
    }
    case 6:
      return part(
        'device',
        member({ name, type: dice.pick(['3', '4', '6']), major: 0, minor: dice.below(2), ...attributes }),
      )
    case 7:
    case 8:
      return part('link', link(name, spelled(dice, to)))
    case 9:
    case 10:
      return { ...part('whiteout', gone(name)), bytes: gone(name) }
    default: {
      const directory = dice.once(15) ? '' : path
      return { says: 'opaque', path: directory, to, bytes: opaque(directory) }
    }
  }
}

/**
 * The parts whose meaning does not hang on their order: one entry for a name (N-12), nothing in what is no directory
 * (N-14, W-13), no way through a symlink (N-11), no link to a link (H-05), no link that waits for a directory (H-03).
 */
export function withoutOrder(parts: readonly Part[]): Part[] {
  const kept: Part[] = []
  const isEntry = ({ says }: Part) => says !== 'whiteout' && says !== 'opaque'
  const under = (path: string, above: string) => path.startsWith(`${above}/`)
  for (const part of parts) {
    const clash = kept.some((other) => {
      if (isEntry(part) && isEntry(other) && part.path === other.path) return true
      for (const [one, two] of [
        [part, other],
        [other, part],
      ] as const) {
        if (!isEntry(one) || one.says === 'directory') continue
        if (under(two.path, one.path) || (two.says === 'opaque' && two.path === one.path)) return true
        // Markers lie in directories too.
        if (two.says === 'link' && under(two.to, one.path)) return true
        if (one.says === 'link') {
          if (two.says === 'link' && one.to === two.path) return true
          if (two.path === one.to && two.says !== 'whiteout' && (two.says === 'directory' || two.says === 'opaque')) {
            return true
          }
          if (under(two.path, one.to)) return true
        }
      }
      return false
    })
    const circular =
      part.says === 'link' && (part.to === part.path || under(part.to, part.path) || under(part.path, part.to))
    if (!clash && !circular) kept.push(part)
  }
  return kept
}
