import fc from 'fast-check'
import type { Kind } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import type { WritableUnion } from '../../src/union/union.ts'

const names = ['etc', 'usr', 'bin', 'lib', 'alias', 'passwd', 'share', 'tool', 'one', '\xff']
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
const kinds: readonly Kind[] = ['file', 'directory', 'symlink', 'fifo', 'socket']

/** A change of a union over the tree of `makeLower`, that may well fail. */
export const step = fc.oneof(
  fc.record({ does: fc.constant('create' as const), path, kind: fc.constantFrom(...kinds) }),
  fc.record({ does: fc.constant('write' as const), path, size: fc.nat(9000), at: fc.nat(20_000) }),
  fc.record({ does: fc.constant('truncate' as const), path, size: fc.nat(9000) }),
  fc.record({ does: fc.constant('link' as const), path, to: path }),
  fc.record({ does: fc.constant('rename' as const), path, to: path, exchange: fc.boolean() }),
  fc.record({ does: fc.constant('unlink' as const), path }),
  fc.record({ does: fc.constant('rmdir' as const), path }),
  fc.record({ does: fc.constant('attributes' as const), path, mode: fc.nat(0o7777), uid: fc.nat(9) }),
  fc.record({ does: fc.constant('xattr' as const), path, set: fc.boolean() }),
)
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** The errno of a step, or `undefined` if it worked. */
export function take(view: WritableUnion, each: Step): string | undefined {
  const find = (at: readonly string[]): number => {
    let ino: number | undefined = view.root
    for (const name of at) {
      ino = view.lookup(ino, name)
      if (ino === undefined) throw Object.assign(new Error(), { code: 'ENOENT' })
    }
    return ino
  }
  const place = (at: readonly string[]): [number, string] => [find(at.slice(0, -1)), at.at(-1)!]
  const attributes = { mode: 0o644, uid: 1, gid: 2, mtime: 3n }
  try {
    switch (each.does) {
      case 'create': {
        const [directory, name] = place(each.path)
        view.create(directory, name, {
          kind: each.kind,
          ...attributes,
          ...(each.kind === 'symlink' && { target: 'x', mode: 0o777 }),
        })
        break
      }
      case 'write': {
        const writer = view.writer(find(each.path))
        writer.write(Buffer.alloc(each.size, 'w'), each.at)
        writer.close()
        break
      }
      case 'truncate': {
        const writer = view.writer(find(each.path))
        writer.truncate(each.size)
        writer.close()
        break
      }
      case 'link':
        view.link(...place(each.to), find(each.path))
        break
      case 'rename':
        view.rename(...place(each.path), ...place(each.to), { exchange: each.exchange })
        break
      case 'unlink':
        view.unlink(...place(each.path))
        break
      case 'rmdir':
        view.rmdir(...place(each.path))
        break
      case 'attributes':
        view.setAttributes(find(each.path), { uid: each.uid, ...(each.mode % 2 === 0 && { mode: each.mode }) })
        break
      case 'xattr': {
        const ino = find(each.path)
        // The kernel keeps `user.*` from other kinds (layer-semantics X-08): not a difference of ours.
        const { kind } = view.stat(ino)
        if (kind !== 'file' && kind !== 'directory') break
        view.setXattr(ino, 'user.random', each.set ? Buffer.from('value') : undefined)
        break
      }
      default:
        each satisfies never
    }
    return undefined
  } catch (error) {
    return codeOf(error) ?? String(error)
  }
}

/** The same times for every form: a clock that counts its readings. */
export function ticking(): () => bigint {
  let time = 1_600_000_000_000_000_000n
  return () => (time += 1_000_000_007n)
}
