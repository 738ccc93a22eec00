import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { requiredArg } from '../arguments.ts'
import { copyContentIn, copyIn, copyStreamIn } from '../copy-in.ts'
import { copyOut } from '../copy-out.ts'
import { LostAttributes } from '../host-attributes.ts'
import type { Container, Kind } from '../library.ts'
import { placeOf } from '../places.ts'
import { StoreCommand } from '../store-command.ts'
import { locate, locateParent } from '../tree-paths.ts'

export class Cp extends StoreCommand {
  static override summary = 'Copy files between a container and this machine.'
  static override description =
    'One side is a path in a container (work:/etc/motd), the other a path on this machine, or - for the content of one file on stdin or stdout. Directories are copied with everything under them; a target that is a directory takes the source in under its own name, unless the source ends in /. which copies what is in it. Mode, time, user.* attributes and file capabilities are kept, the owner when run by root. Out of a container root makes devices and fifos too; a socket, and for others a device and a fifo, is skipped with a warning.'
  static override examples = [
    { description: 'A file into a container', command: 'ply cp motd work:/etc/motd' },
    { description: 'A directory out of it', command: 'ply cp work:/etc ./etc' },
    { description: 'From a pipe', command: 'echo hello | ply cp - work:/etc/motd' },
  ]
  static override args = {
    source: requiredArg('work:/path, a path on this machine, or -.'),
    target: requiredArg('work:/path, a path on this machine, or -.'),
  }

  async run() {
    const { args } = await this.parse(Cp)
    const { PlyError } = await this.library()
    const source = placeOf(args.source)
    const target = placeOf(args.target)
    if (source.in === 'container' && target.in !== 'container') {
      const container = await this.container(source.container, true)
      const skipped = await this.out(container, source.path, target.in === 'stream' ? undefined : target.path)
      return { source: args.source, target: args.target, ...(skipped.length > 0 && { skipped }) }
    }
    if (target.in === 'container' && source.in !== 'container') {
      const container = await this.container(target.container, false)
      await this.in(container, target.path, source.in === 'stream' ? undefined : source.path)
      return { source: args.source, target: args.target }
    }
    throw new PlyError('PLY_USAGE', {
      reason: 'one side of cp is a path in a container, such as work:/etc/motd, and the other is not',
    })
  }

  private async container(name: string, readOnly: boolean): Promise<Container> {
    const store = await this.store()
    return this.closing(await store.containers.open(name, { readOnly, ...this.operation }))
  }

  /** Into the container: stdin where `from` is undefined. */
  private async in({ tree }: Container, path: string, from: string | undefined): Promise<void> {
    const library = await this.library()
    const { PlyError, encodeText } = library
    const lost = new LostAttributes(library)
    const options = { library, operation: this.operation, lost }
    const found = locateParent(tree, encodeText(path), library)
    const inside = found.ino !== undefined && tree.stat(found.ino).kind === 'directory'
    if (inside && from !== undefined) {
      const whole = encodeText(resolve(from))
      if (contentsOnly(from)) await copyContentIn(tree, found.ino, whole, options)
      else await copyIn(tree, found.ino, encodeText(basename(resolve(from))), whole, options)
      return this.tell(lost)
    }
    if (inside) throw new PlyError('EISDIR', { syscall: 'open', path })
    if (from === undefined) return copyStreamIn(tree, found.directory, found.name, this.world.stdin, options)
    if (path.endsWith('/') && !(await lstat(from)).isDirectory())
      throw new PlyError('ENOENT', { syscall: 'open', path })
    await copyIn(tree, found.directory, found.name, encodeText(resolve(from)), options)
    this.tell(lost)
  }

  /** Out of the container: to stdout where `to` is undefined. Answers the paths in the container that were skipped. */
  private async out({ tree }: Container, path: string, to: string | undefined): Promise<string[]> {
    const library = await this.library()
    const { decodeText, displayText, encodeText, PlyError } = library
    const place = locate(tree, encodeText(path), library, { stay: to !== undefined })
    if (to === undefined) {
      await this.claimStdout({ binary: false, instead: 'copy to a file' })
      await this.writeContent(tree, place.ino, path)
      return []
    }
    const there = await stat(to).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    const directory = tree.stat(place.ino).kind === 'directory'
    if (there === undefined && to.endsWith('/') && !directory)
      throw new PlyError('ENOENT', { syscall: 'open', path: to })
    const target = encodeText(there === undefined ? resolve(to) : await realpath(to))
    const inside = there?.isDirectory() === true && !contentsOnly(path) && place.name !== ''
    const goal = inside ? `${target}/${place.name}` : target
    const base = place.path
    const lost = new LostAttributes(library)
    const skipped: string[] = []
    const onSkipped = (made: string, kind: Kind) => {
      const there = `${base === '' ? '' : `/${base}`}${made.slice(goal.length)}`
      skipped.push(decodeText(there))
      this.say(`skipped ${displayText(there)}: it is a ${kind}`)
    }
    await copyOut(tree, place.ino, goal, { library, operation: this.operation, lost, onSkipped })
    this.tell(lost)
    return skipped
  }

  private tell(lost: LostAttributes): void {
    if (lost.summary !== undefined) this.say(lost.summary)
  }
}

/** `dir/.` stands for what is in the directory. */
function contentsOnly(path: string): boolean {
  return path === '.' || path.endsWith('/.')
}
