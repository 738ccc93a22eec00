import * as fs from 'node:fs'
import { type ByteString, bytesOf } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { makeNode } from '../../src/sys/nodes.ts'
import { renameExchange } from '../../src/sys/rename.ts'
import { removeXattr, setXattr } from '../../src/sys/xattr.ts'
import type { Step } from '../overlay/random-steps.ts'

const time = 1_600_000_000.5

/** A step of `random-steps.ts` below a real directory, by the kernel: its errno, or `undefined` if it worked. */
export function takeOnDisk(root: ByteString, each: Step): string | undefined {
  const at = (path: readonly ByteString[]): ByteString => [root, ...path].join('/')
  const path = bytesOf(at(each.path))
  try {
    switch (each.does) {
      case 'create':
        if (each.kind === 'directory') fs.mkdirSync(path)
        else if (each.kind === 'symlink') fs.symlinkSync('x', path)
        else if (each.kind === 'file') fs.closeSync(fs.openSync(path, 'wx', 0o644))
        else makeNode(at(each.path), { kind: each.kind as 'fifo' | 'socket', mode: 0o644 })
        break
      case 'write':
      case 'truncate': {
        const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
        try {
          if (each.does === 'write') fs.writeSync(fd, Buffer.alloc(each.size, 'k'), 0, each.size, each.at)
          else fs.ftruncateSync(fd, each.size)
        } finally {
          fs.closeSync(fd)
        }
        break
      }
      case 'link':
        fs.linkSync(path, bytesOf(at(each.to)))
        break
      case 'rename':
        if (each.exchange) renameExchange(at(each.path), at(each.to))
        else fs.renameSync(path, bytesOf(at(each.to)))
        break
      case 'unlink':
        fs.unlinkSync(path)
        break
      case 'rmdir':
        fs.rmdirSync(path)
        break
      case 'attributes': {
        const link = fs.lstatSync(path).isSymbolicLink()
        fs.lutimesSync(path, time, time)
        if (each.mode % 2 === 0 && !link) fs.chmodSync(path, each.mode)
        // Last: inside a user namespace there are no other owners.
        fs.lchownSync(path, each.uid, each.uid)
        break
      }
      case 'xattr':
        if (each.set) setXattr(at(each.path), 'user.random', Buffer.from('by the kernel'))
        else removeXattr(at(each.path), 'user.random')
        break
      default:
        each satisfies never
    }
    return undefined
  } catch (error) {
    return codeOf(error) ?? String(error)
  }
}
