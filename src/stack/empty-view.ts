import { type LayerView, nothing } from '../layer/view.ts'
import { defaultDirectory, noXattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** What stands below the first layer: an empty directory with default attributes (layer-semantics, section 1). */
export const emptyView: LayerView = {
  root: { says: 'entry', ino: 1, directory: true, kind: 'directory', implied: true, opaque: false },
  lookup: () => nothing,
  list: () => [],
  stat: (ino) => ({ ...defaultDirectory, ino, kind: 'directory', size: 0, links: 2, major: 0, minor: 0 }),
  xattrs: () => noXattrs,
  readlink() {
    throw new PlyError('EINVAL', { syscall: 'readlink' })
  },
  open() {
    throw new PlyError('EISDIR', { syscall: 'read' })
  },
  close() {},
}
