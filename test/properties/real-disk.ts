import * as fs from 'node:fs'
import { makeFifo, makeNode } from '../../src/sys/nodes.ts'
import { setTimes } from '../../src/sys/times.ts'
import { removeXattr, setXattr } from '../../src/sys/xattr.ts'
import type { Edit } from './edits.ts'
import { type Inode, namesIn } from './inode.ts'

/** Does to a directory of the disk what `perform` does to the oracle, with the system calls that anybody would use. */
export class RealDisk {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  perform(edit: Edit): void {
    const path = this.#path(edit.path)
    switch (edit.does) {
      case 'make':
        this.#make(path, edit.path, edit.inode)
        return
      case 'write': {
        const fd = fs.openSync(path, 'r+')
        fs.writeSync(fd, edit.content, 0, edit.content.length, edit.position)
        fs.closeSync(fd)
        return
      }
      case 'truncate':
        fs.truncateSync(path, edit.size)
        return
      case 'mode':
        fs.chmodSync(path, edit.mode)
        return
      case 'owner':
        fs.lchownSync(path, edit.uid, edit.gid)
        return
      case 'time':
        setTimes(this.#bytes(edit.path), { mtime: edit.mtime })
        return
      case 'xattr':
        if (edit.value === undefined) removeXattr(this.#bytes(edit.path), edit.name)
        else setXattr(this.#bytes(edit.path), edit.name, edit.value)
        return
      case 'link':
        fs.linkSync(this.#path(edit.to), path)
        return
      case 'rename':
        fs.renameSync(path, this.#path(edit.to))
        return
      case 'remove':
        fs.rmSync(path, { recursive: true })
        return
      default:
        edit satisfies never
    }
  }

  /** Gives everything the times of the oracle: those of a disk follow a clock of their own. */
  setTimes(root: Inode): void {
    for (const { path, inode } of namesIn(root)) setTimes(this.#bytes(path), { mtime: inode.mtime })
    setTimes(this.#root, { mtime: root.mtime })
  }

  #make(
    path: Buffer,
    name: string,
    { kind, mode, uid, gid, mtime, xattrs, content, target, major, minor }: Inode,
  ): void {
    switch (kind) {
      case 'file':
        fs.writeFileSync(path, content, { flag: 'wx' })
        break
      case 'directory':
        fs.mkdirSync(path)
        break
      case 'symlink':
        fs.symlinkSync(Buffer.from(target, 'latin1'), path)
        break
      case 'fifo':
        makeFifo(this.#bytes(name), 0o600)
        break
      default:
        makeNode(this.#bytes(name), { kind, mode: 0o600, major, minor })
    }
    if (process.getuid!() === 0) fs.lchownSync(path, uid, gid)
    for (const [xattr, value] of xattrs) setXattr(this.#bytes(name), xattr, value)
    if (kind !== 'symlink') fs.chmodSync(path, mode)
    setTimes(this.#bytes(name), { mtime })
  }

  #bytes(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`
  }

  #path(path: string): Buffer {
    return Buffer.from(this.#bytes(path), 'latin1')
  }
}
