import { rfc3339 } from '../ages.ts'
import { pathArg, placeArg } from '../arguments.ts'
import { fileValue, modeText } from '../file-values.ts'
import type { Tree } from '../library.ts'
import { LookCommand, treeFlags, unverifiedFlags } from '../look-command.ts'
import { aligned } from '../table.ts'
import { locate } from '../tree-paths.ts'

export class Stat extends LookCommand {
  static override summary = 'Show everything about one path of a tree.'
  static override examples = [
    { description: 'Mode, owner, times and attributes of a file', command: 'ply stat debian:12 /usr/bin/passwd' },
  ]
  static override args = {
    tree: placeArg(),
    path: pathArg('A path in it; a symlink at its end is not followed.'),
  }
  static override flags = { ...treeFlags, ...unverifiedFlags }

  async run() {
    const { args } = await this.parse(Stat)
    const library = await this.library()
    const { tree, path: asked } = await this.placeIn(args.tree, args.path, {
      question(tree) {
        const { ino } = locate(tree, library.encodeText(args.path ?? ''), library, { stay: true })
        const { kind } = tree.stat(ino)
        tree.xattrs(ino)
        if (kind === 'file') tree.open(ino).close()
      },
    })
    const { displayText } = library
    const place = locate(tree, library.encodeText(asked), library, { stay: true })
    const { ino } = place
    const path = place.path
    const stat = tree.stat(ino)
    const facts: string[][] = [
      ['path', `/${displayText(path)}`],
      ['kind', stat.kind],
      ['size', String(stat.size)],
      ['mode', `${stat.mode.toString(8).padStart(4, '0')} ${modeText(stat)}`],
      ['owner', `${stat.uid}:${stat.gid}`],
      ['modified', rfc3339(stat.mtime)],
      ['links', String(stat.links)],
      ['inode', String(stat.ino)],
    ]
    if (stat.kind === 'symlink') facts.push(['target', displayText(tree.readlink(ino))])
    if (stat.kind === 'character' || stat.kind === 'block') facts.push(['device', `${stat.major}, ${stat.minor}`])
    for (const [name, value] of tree.xattrs(ino)) {
      facts.push(['xattr', `${displayText(name)}=${displayText(Buffer.from(value).toString('latin1'))}`])
    }
    const digest = stat.kind === 'file' && !tree.unverified ? await this.#digest(tree, ino) : undefined
    if (digest !== undefined) facts.push(['digest', digest])
    await this.printAll(aligned(facts, () => false, '  '))
    return { ...fileValue(tree, ino, path, library), ...(digest !== undefined && { digest }) }
  }

  /** The digest of a file's content; none where this user may see the file and not read it. */
  async #digest(tree: Tree, ino: number): Promise<string | undefined> {
    const { codeOf, contentDigest } = await this.library()
    try {
      return await contentDigest(tree, ino, this.operation)
    } catch (error) {
      if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error
      return undefined
    }
  }
}
