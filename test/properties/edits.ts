import { at, type Inode, split } from './inode.ts'

/** One thing that is done to a file system, possible where it comes. */
export type Edit =
  | { readonly does: 'make'; readonly path: string; readonly inode: Inode }
  | { readonly does: 'write'; readonly path: string; readonly content: Buffer; readonly position: number }
  | { readonly does: 'truncate'; readonly path: string; readonly size: number }
  | { readonly does: 'mode'; readonly path: string; readonly mode: number }
  | { readonly does: 'owner'; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly does: 'time'; readonly path: string; readonly mtime: bigint }
  | { readonly does: 'xattr'; readonly path: string; readonly name: string; readonly value: Buffer | undefined }
  | { readonly does: 'link'; readonly path: string; readonly to: string }
  /** Over what is there, if it is no directory or an empty one. */
  | { readonly does: 'rename'; readonly path: string; readonly to: string }
  /** With everything in it. */
  | { readonly does: 'remove'; readonly path: string }

/** Does it to the oracle, as Linux does. `now` is the time that changed directories and written files get. */
export function perform(root: Inode, edit: Edit, now: bigint): void {
  const [directory, name] = split(edit.path)
  const parent = at(root, directory)!
  const found = at(root, edit.path)!
  switch (edit.does) {
    case 'make':
      parent.children.set(name, { ...edit.inode, xattrs: new Map(edit.inode.xattrs), children: new Map() })
      parent.mtime = now
      return
    case 'write': {
      const { content, position } = edit
      const size = Math.max(found.content.length, position + content.length)
      const whole = Buffer.alloc(size)
      found.content.copy(whole)
      content.copy(whole, position)
      change(found, whole, now)
      return
    }
    case 'truncate': {
      const whole = Buffer.alloc(edit.size)
      found.content.copy(whole)
      change(found, whole, now)
      return
    }
    case 'mode':
      found.mode = edit.mode
      return
    case 'owner':
      found.uid = edit.uid
      found.gid = edit.gid
      if (found.kind !== 'directory' && found.kind !== 'symlink') {
        found.mode &= found.mode & 0o010 ? ~0o6000 : ~0o4000
      }
      found.xattrs.delete('security.capability')
      return
    case 'time':
      found.mtime = edit.mtime
      return
    case 'xattr':
      if (edit.value === undefined) found.xattrs.delete(edit.name)
      else found.xattrs.set(edit.name, edit.value)
      return
    case 'link':
      parent.children.set(name, at(root, edit.to)!)
      parent.mtime = now
      return
    case 'rename': {
      const [toDirectory, toName] = split(edit.to)
      const toParent = at(root, toDirectory)!
      // Two names of one file stay as they are.
      if (toParent.children.get(toName) === found) return
      parent.children.delete(name)
      toParent.children.set(toName, found)
      parent.mtime = now
      toParent.mtime = now
      return
    }
    case 'remove':
      parent.children.delete(name)
      parent.mtime = now
      return
    default:
      edit satisfies never
  }
}

/** Writing takes capabilities away. */
function change(file: Inode, content: Buffer, now: bigint): void {
  file.content = content
  file.mtime = now
  file.xattrs.delete('security.capability')
}
