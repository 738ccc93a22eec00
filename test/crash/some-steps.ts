import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import type { Step } from '../overlay/random-steps.ts'
import type { Dice } from '../properties/seed.ts'
import type { State } from './state.ts'

const names = ['etc', 'usr', 'lib', 'alias', 'passwd', 'tool', 'one', 'new', 'moved', '\xff', 'x'.repeat(255)]
const kinds: readonly Kind[] = ['file', 'file', 'directory', 'directory', 'symlink', 'fifo', 'socket']

/**
 * Steps for a tree as it is shown before the first of them. Most of them have something to do: four of five paths are there,
 * or are to be made in a directory that is. What the steps before have changed is not followed.
 */
export function someSteps(dice: Dice, shown: State, count: number): Step[] {
  const there = Object.keys(shown).filter((path) => path !== '')
  const files = there.filter((path) => shown[path]!.kind === 'file')
  const directories = Object.keys(shown).filter((path) => shown[path]!.kind === 'directory')
  const parts = (path: ByteString): ByteString[] => path.split('/').slice(1)
  const known = new Set<ByteString>()
  const found = (): ByteString[] => {
    // What was just worked on is worked on again.
    if (known.size > 0 && dice.once(3)) return parts(dice.pick([...known]))
    const path = there.length > 0 && !dice.once(5) ? dice.pick(there) : fresh()
    known.add(path)
    return parts(path)
  }
  const fresh = (): ByteString => {
    const path = `${dice.pick(directories)}/${dice.pick(names)}`
    known.add(path)
    return path
  }
  const file = (): ByteString[] => (files.length > 0 && dice.once(2) ? parts(dice.pick(files)) : found())
  const target = (): ByteString[] => (dice.once(2) ? parts(fresh()) : found())
  const one = (): Step => {
    switch (dice.below(12)) {
      case 0:
      case 1:
        return { does: 'create', path: parts(fresh()), kind: dice.pick(kinds) }
      case 2:
        return { does: 'write', path: file(), size: dice.below(9000), at: dice.below(20_000) }
      case 3:
        return { does: 'truncate', path: file(), size: dice.below(9000) }
      case 4:
        return { does: 'link', path: file(), to: target() }
      case 5:
      case 6:
        return { does: 'rename', path: found(), to: target(), exchange: dice.once(4) }
      case 7:
      case 8:
        return { does: 'unlink', path: found() }
      case 9:
        return { does: 'rmdir', path: parts(dice.pick(directories.slice(1))) }
      case 10:
        return { does: 'attributes', path: found(), mode: dice.below(0o10000), uid: dice.below(10) }
      default:
        return { does: 'xattr', path: found(), set: !dice.once(3) }
    }
  }
  return Array.from({ length: count }, one)
}
