import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'
import type { IdMapping } from '../model/id-mapping.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'

/** Who is mapped to themselves, where nothing is said of users, or of groups: everybody. */
const everybody = '0 0 4294967295'

/**
 * A user namespace that maps owners, for mounts that show them so: the numbers of an image are its inner ones. Nobody is in it; it
 * lives as long as its descriptor, or a mount, holds it.
 *
 * @throws PLY_UNSUPPORTED where the program `unshare` is missing, or refuses; EPERM
 */
export async function ownerNamespace({ uids, gids }: OwnerShift): Promise<{ readonly fd: number } & Disposable> {
  // The kernel makes a namespace for a process alone, and of this one's threads none may leave.
  const child = spawn('unshare', ['--user', 'sh', '-c', 'echo; read -r _'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const gone = once(child, 'close').catch((error: unknown) => error)
  // Without descriptors there are no pipes, and it never began.
  if (!child.stdin || !child.stdout) throw await gone
  try {
    const begun = await Promise.race([once(child.stdout, 'data').then(() => true), gone.then(() => false)])
    if (!begun) throw unsupported('it takes the program unshare (util-linux), and user namespaces that are allowed')
    // In this order: who may not set groups has to give that up before.
    writeFileSync(`/proc/${child.pid}/uid_map`, linesOf(uids))
    writeFileSync(`/proc/${child.pid}/gid_map`, linesOf(gids))
    const fd = openSync(`/proc/${child.pid}/ns/user`, 'r')
    let open = true
    return {
      fd,
      [Symbol.dispose]() {
        if (open) closeSync(fd)
        open = false
      },
    }
  } catch (error) {
    if (codeOf(error) === 'EINVAL') throw unsupported('the kernel does not take such a mapping', error)
    throw error
  } finally {
    child.stdin.end()
    await gone
  }
}

/** `INSIDE OUTSIDE COUNT`, a line each. */
function linesOf(mapping: IdMapping | undefined): string {
  if (mapping === undefined) return everybody
  return mapping.ranges.map(({ from, to, count }) => `${from} ${to} ${count}\n`).join('')
}

function unsupported(reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_UNSUPPORTED', { what: 'mapping owners in the kernel', reason }, { cause })
}
