import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { type PortableState, whiteoutMark } from './portable-state.ts'
import type { UpperInode } from './upper-inode.ts'

/** @throws EEXIST if a directory has more than a whiteout at a name */
export function checkFree(directory: UpperInode, name: ByteString): void {
  if (directory.entries!.get(name)) throw new PlyError('EEXIST', { syscall: 'create' })
}

/** Only a directory with nothing but whiteouts in it may go. @throws ENOTEMPTY */
export function checkReplaceable(
  { inodes }: PortableState,
  { directory, name, syscall }: { readonly directory: UpperInode; readonly name: ByteString; readonly syscall: string },
): void {
  const there = directory.entries!.get(name)
  const held = there ? inodes.get(there)?.entries : undefined
  for (const ino of held?.values() ?? []) if (ino !== whiteoutMark) throw new PlyError('ENOTEMPTY', { syscall })
}

/** Nothing moves into itself. @throws EINVAL */
export function checkOutside({ inodes, root }: PortableState, directory: UpperInode, what: UpperInode): void {
  for (let at = directory; at !== root; at = inodes.get(at.parent)!) {
    if (at === what) throw new PlyError('EINVAL', { syscall: 'rename' })
  }
}
