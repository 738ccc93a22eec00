import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeNode } from '../../src/sys/nodes.ts'
import type { ByPath } from './by-path.ts'
import { isPortable, type Place } from './forms.ts'

/** One change of a union over the tree of `crashLower`, and what was there before it. */
export interface Scenario {
  readonly name: string
  /** Done, and closed, before. */
  readonly before?: (at: ByPath) => void
  readonly act: (at: ByPath) => void
  /** It is several calls of a program: when a later one fails, what the earlier ones did stays. */
  readonly isSeveral?: boolean
  /** What a process has left there that died before. */
  readonly left?: (place: Place) => void
  /** Nobody has opened the upper before. */
  readonly isFirst?: boolean
}

const directory = { mode: 0o755 }

/** An upper of everything: what most changes of the upper's own inodes start from. */
function furnished(at: ByPath): void {
  at.create('own', 'directory', directory)
  at.create('own/file', 'file')
  at.write('own/file', 'content of its own')
  at.create('own/other', 'file')
  at.write('own/other', 'another')
  at.link('own/file', 'own/second')
  at.create('own/dir', 'directory', directory)
  at.create('own/dir/in', 'file')
  at.create('own/empty', 'directory', directory)
}

/** Directories of the lower tree that are in the upper too, with something of both in them. */
function merged(at: ByPath): void {
  furnished(at)
  at.create('usr/lib/new', 'file')
  at.write('usr/lib/new', 'new in a lower directory')
  at.write('usr/share/doc', 'changed')
}

const emptied = (at: ByPath): void => {
  furnished(at)
  for (const name of ['one', 'two', 'alias']) at.unlink(`usr/lib/${name}`)
}

const groupUp = (at: ByPath): void => {
  furnished(at)
  at.write('bin/tool', 'written through one name')
}

function litter({ form, at }: Place): void {
  if (isPortable(form)) {
    writeFileSync(join(at, 'inodes/77'), 'content that no record names')
    writeFileSync(join(at, 'log.new'), 'half of a log')
    appendFileSync(join(at, 'log'), Buffer.from([40, 0, 0, 0, 1, 2, 3, 4, 1]))
    return
  }
  const work = join(at, 'work/work')
  writeFileSync(join(work, '#ply0'), 'half of a copy')
  mkdirSync(join(work, '#ply1'))
  makeNode(join(work, '#ply1/gone'), { kind: 'character', major: 0, minor: 0, mode: 0 })
  makeNode(join(work, '#7'), { kind: 'character', major: 0, minor: 0, mode: 0 })
}

const nothing = (): void => {}

/** A large file of which some is written: where the form knows blocks, it has only these. */
const partly = (at: ByPath): void => {
  furnished(at)
  at.write('var/log/messages', Buffer.alloc(6000, 'x'), 10_001)
}

export const scenarios: readonly Scenario[] = [
  { name: 'open an upper for the first time', isFirst: true, act: nothing },
  { name: 'open what a process left that died', before: furnished, left: litter, act: nothing },

  { name: 'copy-up of a file', act: (at) => at.touch('etc/passwd') },
  { name: 'copy-up of a large file', act: (at) => at.touch('var/log/messages') },
  { name: 'copy-up of a file with holes', act: (at) => at.touch('srv/holes') },
  { name: 'copy-up of an empty file', act: (at) => at.touch('etc/\xff name') },
  { name: 'copy-up of a hardlinked file with xattrs', act: (at) => at.touch('bin/tool') },
  {
    name: 'copy-up of a hardlinked file of which a name is gone',
    before: (at) => at.unlink('bin/tool'),
    act: (at) => at.touch('bin/alias'),
  },
  { name: 'copy-up and a write', isSeveral: true, act: (at) => at.write('etc/passwd', 'changed') },
  {
    name: 'copy-up of a large file and a write',
    isSeveral: true,
    act: (at) => at.write('var/log/messages', 'x', 50_000),
  },
  {
    name: 'a write into a partly written file',
    before: partly,
    isSeveral: true,
    act: (at) => at.write('var/log/messages', 'x', 50_000),
  },
  {
    name: 'a write behind the end of a partly written file',
    before: partly,
    isSeveral: true,
    act: (at) => at.write('var/log/messages', 'x', 120_000),
  },
  {
    name: 'a partly written file is cut',
    before: partly,
    isSeveral: true,
    act: (at) => at.truncate('var/log/messages', 12_000),
  },
  {
    name: 'a partly written file grows',
    before: partly,
    isSeveral: true,
    act: (at) => at.truncate('var/log/messages', 120_000),
  },
  {
    name: 'a partly written file is emptied',
    before: partly,
    isSeveral: true,
    act: (at) => at.truncate('var/log/messages', 0),
  },
  { name: 'a partly written file is removed', before: partly, act: (at) => at.unlink('var/log/messages') },
  { name: 'a partly written file is moved', before: partly, act: (at) => at.rename('var/log/messages', 'own/moved') },
  {
    name: 'a partly written file is written over',
    before: partly,
    act: (at) => at.rename('own/other', 'var/log/messages'),
  },
  {
    name: 'a partly written file gets all its content',
    before: partly,
    act: (at) => at.materialize('var/log/messages'),
  },
  { name: 'copy-up without content', isSeveral: true, act: (at) => at.empty('etc/passwd') },
  { name: 'copy-up of a directory chain', act: (at) => at.set('srv/a/b/c', { mode: 0o700 }) },
  { name: 'copy-up of metadata: mode', act: (at) => at.set('var/log/messages', { mode: 0o4711 }) },
  { name: 'copy-up of metadata: owner', act: (at) => at.set('etc/passwd', { uid: 5 }) },
  { name: 'copy-up of metadata: time', act: (at) => at.set('etc/passwd', { mtime: 17n }) },
  { name: 'copy-up of metadata: hardlinked', act: (at) => at.set('bin/alias', { mode: 0o700 }) },
  { name: 'copy-up of metadata: symlink', act: (at) => at.set('etc/link', { uid: 5 }) },
  { name: 'copy-up of metadata: device', act: (at) => at.set('dev/null', { mode: 0o600 }) },
  {
    name: 'copy-up of metadata, and then its content',
    before: (at) => at.set('srv/holes', { mode: 0o600 }),
    act: (at) => at.touch('srv/holes'),
  },
  { name: 'root: mode', act: (at) => at.set('', { mode: 0o700 }) },

  { name: 'create a file', before: furnished, act: (at) => at.create('own/made', 'file') },
  { name: 'create a file in a lower directory', act: (at) => at.create('srv/a/b/made', 'file') },
  { name: 'create a directory', before: furnished, act: (at) => at.create('own/made', 'directory', directory) },
  { name: 'create a symlink', before: furnished, act: (at) => at.create('own/made', 'symlink', { target: 'x' }) },
  { name: 'create a fifo', before: furnished, act: (at) => at.create('own/made', 'fifo') },
  {
    name: 'create a device',
    before: furnished,
    act: (at) => at.create('own/made', 'block', { major: 8, minor: 1 }),
  },
  {
    name: 'create a file with set-id bits and xattrs',
    before: furnished,
    act: (at) => at.create('own/made', 'file', { mode: 0o6755, xattrs: new Map([['user.x', Buffer.from('y')]]) }),
  },
  {
    name: 'create a file over a whiteout',
    before: (at) => at.unlink('etc/passwd'),
    act: (at) => at.create('etc/passwd', 'file'),
  },
  {
    name: 'create a directory over a whiteout of a file',
    before: (at) => at.unlink('etc/passwd'),
    act: (at) => at.create('etc/passwd', 'directory', directory),
  },
  {
    name: 'create a directory over a whiteout of a directory',
    before: (at) => {
      emptied(at)
      at.rmdir('usr/lib')
    },
    act: (at) => at.create('usr/lib', 'directory', directory),
  },

  { name: 'a file without a name', before: furnished, act: (at) => at.unnamed('own') },
  { name: 'a file without a name in a lower directory', act: (at) => at.unnamed('srv/a') },
  { name: 'name a file that had none', before: furnished, act: (at) => at.unnamed('own', 'made') },
  {
    name: 'name a file that had none over a whiteout',
    before: (at) => at.unlink('etc/passwd'),
    act: (at) => at.unnamed('etc', 'passwd'),
  },

  { name: 'unlink a lower file', act: (at) => at.unlink('etc/passwd') },
  {
    name: 'unlink the second lower file',
    before: (at) => at.unlink('etc/group'),
    act: (at) => at.unlink('etc/passwd'),
  },
  { name: 'unlink an own file', before: furnished, act: (at) => at.unlink('own/other') },
  { name: 'unlink a copied-up file', before: merged, act: (at) => at.unlink('usr/share/doc') },
  { name: 'unlink one of two own names', before: furnished, act: (at) => at.unlink('own/file') },
  { name: 'unlink a name of a lower group', act: (at) => at.unlink('bin/tool') },
  { name: 'unlink the copied-up name of a group', before: groupUp, act: (at) => at.unlink('bin/tool') },
  { name: 'unlink a lower name of a copied-up group', before: groupUp, act: (at) => at.unlink('usr/lib/alias') },
  {
    name: 'unlink the last name of a copied-up group',
    before: (at) => {
      groupUp(at)
      at.unlink('usr/lib/alias')
      at.unlink('bin/alias')
    },
    act: (at) => at.unlink('bin/tool'),
  },
  { name: 'unlink a symlink', act: (at) => at.unlink('etc/link') },

  { name: 'rmdir of a lower directory', act: (at) => at.rmdir('usr/empty') },
  { name: 'rmdir of an own directory', before: furnished, act: (at) => at.rmdir('own/empty') },
  { name: 'rmdir of a merged directory full of whiteouts', before: emptied, act: (at) => at.rmdir('usr/lib') },

  { name: 'rename of a lower file', act: (at) => at.rename('etc/passwd', 'etc/shadow') },
  { name: 'rename of a lower file to another directory', act: (at) => at.rename('etc/passwd', 'usr/share/shadow') },
  { name: 'rename of an own file', before: furnished, act: (at) => at.rename('own/file', 'own/dir/moved') },
  { name: 'rename of a copied-up file', before: merged, act: (at) => at.rename('usr/share/doc', 'own/doc') },
  { name: 'rename of a name of a lower group', act: (at) => at.rename('bin/tool', 'bin/tool2') },
  { name: 'rename of a symlink', act: (at) => at.rename('etc/link', 'etc/moved') },
  {
    name: 'rename of an own file over an own file',
    before: furnished,
    act: (at) => at.rename('own/other', 'own/file'),
  },
  { name: 'rename of an own file over a lower file', before: furnished, act: (at) => at.rename('own/file', 'top') },
  { name: 'rename of a lower file over a lower file', act: (at) => at.rename('etc/passwd', 'etc/group') },
  {
    name: 'rename of a lower file over an own file',
    before: furnished,
    act: (at) => at.rename('etc/passwd', 'own/other'),
  },
  {
    name: 'rename of a file over a name of a lower group',
    before: furnished,
    act: (at) => at.rename('own/file', 'bin/alias'),
  },
  {
    name: 'rename of a file over the copied-up name of a group',
    before: groupUp,
    act: (at) => at.rename('own/other', 'bin/tool'),
  },
  {
    name: 'rename of a file over a whiteout',
    before: (at) => {
      furnished(at)
      at.unlink('etc/passwd')
    },
    act: (at) => at.rename('own/file', 'etc/passwd'),
  },
  { name: 'rename of an own directory', before: furnished, act: (at) => at.rename('own/dir', 'own/moved') },
  {
    name: 'rename of an own directory over a whiteout of a directory',
    before: (at) => {
      emptied(at)
      at.rmdir('usr/lib')
    },
    act: (at) => at.rename('own/dir', 'usr/lib'),
  },
  {
    name: 'rename of an own directory over an empty one',
    before: furnished,
    act: (at) => at.rename('own/dir', 'own/empty'),
  },
  {
    name: 'rename of an own directory over a merged one full of whiteouts',
    before: emptied,
    act: (at) => at.rename('own/dir', 'usr/lib'),
  },
  {
    name: 'rename of an own directory over a lower empty one',
    before: furnished,
    act: (at) => at.rename('own/dir', 'usr/empty'),
  },
  { name: 'rename of a lower directory', act: (at) => at.rename('usr/lib', 'usr/lib64') },
  { name: 'rename of a lower directory to another', before: furnished, act: (at) => at.rename('usr', 'own/usr') },
  { name: 'rename of a lower directory over a lower empty one', act: (at) => at.rename('srv/a', 'usr/empty') },
  { name: 'rename of a merged directory', before: merged, act: (at) => at.rename('usr/lib', 'own/lib') },
  { name: 'rename of a directory that holds merged ones', before: merged, act: (at) => at.rename('usr', 'opt') },
  {
    name: 'rename of a moved directory again',
    before: (at) => {
      merged(at)
      at.rename('usr/lib', 'own/lib')
    },
    act: (at) => at.rename('own/lib', 'lib'),
  },
  {
    name: 'rename of a moved directory back to where it was',
    before: (at) => {
      merged(at)
      at.rename('usr/lib', 'own/lib')
    },
    act: (at) => at.rename('own/lib', 'usr/lib'),
  },
  {
    name: 'rename with noreplace',
    before: merged,
    act: (at) => at.renameOntoNothing('usr/share/doc', 'own/doc'),
  },
  { name: 'exchange of own files', before: furnished, act: (at) => at.exchange('own/file', 'own/other') },
  { name: 'exchange of lower files', act: (at) => at.exchange('etc/passwd', 'top') },
  { name: 'exchange of a lower and an own file', before: furnished, act: (at) => at.exchange('top', 'own/file') },
  {
    name: 'exchange of a lower file and an own directory',
    before: furnished,
    act: (at) => at.exchange('etc/passwd', 'own/dir'),
  },
  { name: 'exchange of own directories', before: furnished, act: (at) => at.exchange('own/dir', 'own/empty') },
  { name: 'exchange of lower directories', act: (at) => at.exchange('usr/lib', 'var/log') },
  { name: 'exchange of a merged and an own directory', before: merged, act: (at) => at.exchange('usr/lib', 'own/dir') },
  { name: 'exchange of names of lower groups', act: (at) => at.exchange('bin/tool', 'etc/group') },

  { name: 'link to an own file', before: furnished, act: (at) => at.link('own/file', 'own/third') },
  { name: 'link to a lower file', act: (at) => at.link('etc/passwd', 'usr/passwd') },
  { name: 'link to a lower group', act: (at) => at.link('bin/alias', 'usr/share/tool') },
  {
    name: 'link over a whiteout',
    before: (at) => {
      furnished(at)
      at.unlink('etc/passwd')
    },
    act: (at) => at.link('own/file', 'etc/passwd'),
  },

  { name: 'set an xattr of a lower file', act: (at) => at.xattr('etc/passwd', 'user.x', 'value') },
  { name: 'set an xattr of an own file', before: furnished, act: (at) => at.xattr('own/file', 'user.x', 'value') },
  { name: 'set an xattr of a lower directory', act: (at) => at.xattr('srv/a/b', 'user.x', 'value') },
  { name: 'remove an xattr of a lower file', act: (at) => at.xattr('bin/tool', 'user.note', undefined) },
  { name: 'set the mode of an own file', before: furnished, act: (at) => at.set('own/file', { mode: 0o6711 }) },
  {
    name: 'set the owner of an own file with set-id bits',
    before: (at) => {
      furnished(at)
      at.set('own/file', { mode: 0o6755 })
    },
    act: (at) => at.set('own/file', { uid: 9, gid: 10 }),
  },
  { name: 'set the time of an own directory', before: furnished, act: (at) => at.set('own', { mtime: -5n }) },
  {
    name: 'write to an own file',
    isSeveral: true,
    before: furnished,
    act: (at) => at.write('own/file', 'and more', 4000),
  },
  { name: 'truncate an own file', isSeveral: true, before: furnished, act: (at) => at.truncate('own/file', 3) },
  { name: 'truncate a lower file', isSeveral: true, act: (at) => at.truncate('var/log/messages', 3) },
  { name: 'open an own file with O_TRUNC', isSeveral: true, before: furnished, act: (at) => at.empty('own/file') },
  { name: 'sync', before: furnished, act: (at) => at.view.sync() },
]
