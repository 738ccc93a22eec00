import type { IndexedView } from '../../layer/index.ts'

/** What stands in for a layer that is elsewhere: nobody asks it anything. */
export const absentLayer: IndexedView = {
  root: { says: 'entry', ino: 1, directory: true, kind: 'directory', implied: true, opaque: false },
  devices: [],
  lookup: ask,
  list: ask,
  stat: ask,
  readlink: ask,
  xattrs: ask,
  open: ask,
  provenance: ask,
  place: ask,
  close() {},
}

function ask(): never {
  throw new TypeError('this layer is not here')
}
