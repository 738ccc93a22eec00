import { PlyError } from '../model/errors.ts'
import { libc } from './libc.ts'

const version3 = 0x20080522

const setfsuid = libc('int setfsuid(unsigned int)')
const setfsgid = libc('int setfsgid(unsigned int)')
const capget = libc('int capget(void*, void*)')
const capset = libc('int capset(void*, void*)')

/**
 * Does something at once, as a user to whom belongs what is made meanwhile, with all of root's capabilities. This thread is root again
 * afterwards, and no other ever is not. Needs root.
 *
 * @throws EPERM
 */
export function asFileOwner<T>({ uid, gid }: { readonly uid: number; readonly gid: number }, act: () => T): T {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(version3)
  const before = Buffer.alloc(24)
  if (capget(header, before) !== 0) throw new PlyError('EPERM', { syscall: 'capget' })
  setfsgid(gid)
  setfsuid(uid)
  try {
    // Ceasing to be root takes those away by which files are changed.
    if (capset(header, before) !== 0) throw new PlyError('EPERM', { syscall: 'capset' })
    return act()
  } finally {
    setfsuid(process.geteuid!())
    setfsgid(process.getegid!())
    capset(header, before)
  }
}
